"""The targets that a fetching tool may connect to: URLs (scheme, host, port), and network addresses.

Invariant: the URL object that was checked is the one that is requested, so no second reading of the text can differ. An
IPv4 address inside an IPv6 one, in any of five forms, is checked, too. Must not: resolve a name; an address is checked
when its host has been resolved.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import httpx

from baton.sdk.tools.tool_error import ToolError

Address = IPv4Address | IPv6Address

# Clouds answer with credentials here. Most are link-local; these are not.
_METADATA = (
    IPv4Network("100.100.100.200/32"),
    IPv4Network("168.63.129.16/32"),
    IPv4Network("192.0.0.0/24"),
    IPv6Network("fd00:ec2::/32"),
)
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
_COMPATIBLE = IPv6Network("::/96")  # RFC 4291 2.5.5.1, deprecated: the same
# Private networks: RFC 1918, 6598, 4193; and 3879, which was withdrawn, and is still routed in some networks.
_PRIVATE_4 = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))
_PRIVATE_6 = (IPv6Network("fc00::/7"), IPv6Network("fec0::/10"))


def refusal(text: str, *, allow_private: bool) -> str:
    """Return why this address must not be connected to; empty: it may be.

    `allow_private` opens private and loopback addresses; link-local, metadata and multicast ones stay closed.
    """
    judged = _judged(ip_address(text))
    return next((why for part in judged if (why := _refusal(part, allow_private))), "")


def _refusal(address: Address, allow_private: bool) -> str:  # noqa: FBT001 - passed on
    if any(address in network for network in _METADATA if network.version == address.version):
        return "a cloud's metadata address"
    if address.is_link_local:
        return "a link-local address"
    if address.is_multicast:
        return "a multicast address"
    if address.is_unspecified:
        return "no address of a host"
    if address.is_loopback or _is_private(address):
        return "" if allow_private else "a private address"
    return "" if address.is_global and not address.is_reserved else "a reserved address"


def _is_private(address: Address) -> bool:
    """Return whether the address belongs to a private network, rather than to none."""
    if isinstance(address, IPv4Address):
        return any(address in network for network in _PRIVATE_4)
    return any(address in network for network in _PRIVATE_6)


def _judged(address: Address) -> tuple[Address, ...]:
    """Return the addresses to judge: the IPv4 one inside a mapped or translated address, both of a tunnel's."""
    if isinstance(address, IPv4Address):
        return (address,)
    last = IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.ipv4_mapped or address in _NAT64:
        return (last,)
    if address in _COMPATIBLE and int(address) > 1:
        return (address, last)
    tunnels = (address.sixtofour, *(address.teredo or ()))
    return (address, *(part for part in tunnels if part is not None))


_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_URL_CHARS = 4_000
_PATTERN = re.compile(r"(?P<host>\*|(?:\*\.)?[^*:/?#@\[\]\s]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}|\*))?")
_ENDS_IN_A_NUMBER = re.compile(r"(?:^|\.)(?:\d+|0[xX][0-9A-Fa-f]*)\.?$")


@dataclass(frozen=True, slots=True)
class Allowed:
    """One entry of an allow list; `port` None: the scheme's own, -1: any."""

    host: str
    port: int | None

    def covers(self, host: str, port: int, default_port: int) -> bool:
        """Return whether this entry allows a request to this host and port."""
        if self.port != -1 and port != (default_port if self.port is None else self.port):
            return False
        if self.host == "*":
            return True
        if self.host.startswith("*."):
            return host.endswith(self.host[1:])
        return host == self.host


def read_allowed(patterns: Collection[str]) -> tuple[Allowed, ...]:
    """Parse the entries `host`, `*.domain` (its subdomains) or `*` (any), each with an optional `:port` or `:*`.

    Raises:
        TypeError: an entry is of another form, or there is none; when the tool is made.
    """
    if isinstance(patterns, str) or not patterns:
        raise TypeError(f"allow={patterns!r} must list hosts, such as ['api.example.com', '*.example.org']")
    return tuple(_read_entry(pattern) for pattern in patterns)


def _read_entry(pattern: str) -> Allowed:
    match = _PATTERN.fullmatch(pattern)
    if match is None:
        raise TypeError(
            f"allow has {pattern!r}; write a host such as 'api.example.com', '*.example.org', 'localhost:8080' or '*'"
        )
    host, port = match["host"], match["port"]
    wildcard = "*." if host.startswith("*.") else ""
    plain = host if host == "*" else wildcard + _host_of(httpx.URL(f"http://{host.removeprefix(wildcard)}/"))
    return Allowed(plain, None if port is None else -1 if port == "*" else int(port))


@dataclass(frozen=True, slots=True)
class FetchPolicy:
    """The allow list of one tool."""

    allowed: tuple[Allowed, ...]

    def check(self, text: str, base: httpx.URL | None = None) -> httpx.URL:
        """Check a URL and return it without its fragment; `base` resolves a relative one, as of a redirect.

        Raises:
            ToolError: the URL is wrong or not allowed; permanent.
        """
        shown = repr(text if len(text) <= 200 else f"{text[:199]}…")  # noqa: PLR2004 - only for reading
        try:
            if len(text) > _MAX_URL_CHARS:
                raise ToolError(f"the URL has {len(text)} characters; at most {_MAX_URL_CHARS}", type="UrlRefused")
            url = (base.join(text) if base else httpx.URL(text)).copy_with(fragment=None)
        except (httpx.InvalidURL, ValueError, TypeError) as error:
            raise ToolError(f"{shown} is not a URL: {error}", type="UrlRefused") from error
        fault = self._fault(url)
        if fault:
            raise ToolError(f"{shown} cannot be fetched: {fault}", type="UrlRefused")
        return url

    def _fault(self, url: httpx.URL) -> str:
        if url.scheme not in _DEFAULT_PORTS:
            return "only http and https URLs are"
        if url.userinfo:
            return "it carries a user name or password; leave them out"
        host = _host_of(url)
        if not host:
            return "it names no host"
        if _ENDS_IN_A_NUMBER.search(host) and not _is_address(host):
            return "its host is a number in disguise; write a name or a plain address"
        default_port = _DEFAULT_PORTS[url.scheme]
        port = url.port or default_port
        if not any(entry.covers(host, port, default_port) for entry in self.allowed):
            return f"host {host!r} with port {port} is not on the tool's allow list"
        return ""


def origin_of(url: httpx.URL) -> tuple[str, str, int]:
    """Return scheme, host and port: a secret header is sent to this origin only."""
    return url.scheme, _host_of(url), url.port or _DEFAULT_PORTS[url.scheme]


def _host_of(url: httpx.URL) -> str:
    """Return the host as it is resolved: ASCII, lower case, without the root's dot."""
    return url.raw_host.decode("ascii").lower().rstrip(".")


def _is_address(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
