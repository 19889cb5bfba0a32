"""Which network addresses a tool may connect to.

Invariant: an IPv4 address inside an IPv6 one, in whichever of five ways, is judged, too. Must not: look anything up.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

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
# Somebody's own network: RFC 1918, 6598, 4193; and 3879, which were given up, and are routed in some networks still.
_PRIVATE_4 = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))
_PRIVATE_6 = (IPv6Network("fc00::/7"), IPv6Network("fec0::/10"))


def refusal(text: str, *, allow_private: bool) -> str:
    """Why this address must not be connected to; empty: it may be.

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
    """Whether it belongs to somebody's own network, not merely to none."""
    if isinstance(address, IPv4Address):
        return any(address in network for network in _PRIVATE_4)
    return any(address in network for network in _PRIVATE_6)


def _judged(address: Address) -> tuple[Address, ...]:
    """What decides: of a mapped or translated address the IPv4 one inside, of a tunnel's both."""
    if isinstance(address, IPv4Address):
        return (address,)
    last = IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.ipv4_mapped or address in _NAT64:
        return (last,)
    if address in _COMPATIBLE and int(address) > 1:
        return (address, last)
    tunnels = (address.sixtofour, *(address.teredo or ()))
    return (address, *(part for part in tunnels if part is not None))
