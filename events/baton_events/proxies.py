"""Which proxy of the environment a request goes through, and transports of httpx and httpx2 that go there.

Heeds what httpx heeds: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, in small letters first. NO_PROXY may also have
networks (`10.0.0.0/8`). Invariant: a proxy that cannot be used is an `httpx.ProxyError` that names it, once a request
needs it. A proxy is shown without user and password. Must not: resolve a host's name.
"""

import re
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx

from baton_events.bounded import HTTP_LIMIT_BYTES, TooLargeError, bound, too_large_message

_T = TypeVar("_T")
_PORTS = {"http": 80, "https": 443}
_SCHEMES = "http://, https://, socks5:// or socks5h://"
_BRACKETS = r"\[(.+)\](?::(\d+))?"
_NAME_AND_PORT = r"([^:]+):(\d+)"


class Proxy(NamedTuple):
    """A proxy, and the variable that names it."""

    url: str
    variable: str

    def __str__(self) -> str:
        """Return its text for people, without user and password."""
        scheme, separator, place = self.url.rpartition("://")
        return f"the proxy {scheme}{separator}{place.rpartition('@')[2]} ({self.variable})"


def proxy_for(url: "httpx.URL | str") -> Proxy | None:
    """Return the proxy for requests to `url`; None: they go there directly."""
    to, proxies = httpx.URL(url), getproxies()
    for kind in (to.scheme, "all"):
        found = proxies.get(kind) if to.scheme in _PORTS else None
        if found:
            excepted = any(_is_excepted(to, entry) for entry in re.split(r"[,\s]+", proxies.get("no", "")) if entry)
            return None if excepted else Proxy(found if "://" in found else f"http://{found}", f"{kind.upper()}_PROXY")
    return None


def through(url: str) -> str:
    """Return, for a message about a request that failed, which proxy was asked; empty: none."""
    proxy = proxy_for(url)
    return f" through {proxy}" if proxy else ""


@cache
def tls_context() -> ssl.SSLContext:
    """Return this process's one TLS context: reading the CA certificates takes some 18 ms."""
    return httpx.create_ssl_context()


def unusable_proxy() -> str:
    """Return what is wrong with a proxy of the environment that a request may need; empty: nothing."""
    for url in ("https://a.invalid", "http://a.invalid"):
        try:
            _made(proxy_for(url), ssl.create_default_context(), lambda given: httpx.HTTPTransport(proxy=given))
        except httpx.ProxyError as error:
            return str(error)
    return ""


def reason_of(error: Exception) -> str:
    """Return why a request failed, for a message: the error's type, or a proxy that is at fault."""
    return str(error) if isinstance(error, httpx.ProxyError) else type(error).__name__


def _is_excepted(url: httpx.URL, entry: str) -> bool:
    if entry == "*":
        return True
    scheme, separator, place = entry.lower().rpartition("://")
    if scheme not in ("", "all", url.scheme):
        return False
    place = re.sub(r"^\[(.+)\]/", r"\1/", place.rstrip("/") if separator else place)
    parts = re.fullmatch(_BRACKETS, place) or re.fullmatch(_NAME_AND_PORT, place)
    name, port = parts.groups() if parts else (place, None)
    name = name.rstrip(".")
    if port and int(port) != (url.port or _PORTS[url.scheme]):
        return False
    host = url.host.lower().rstrip(".")
    with suppress(ValueError):
        network = ip_network(name, strict=False)
        address = _address(host)
        return address is not None and address in network
    if name.startswith(("*.", ".")):
        return host.endswith(name.removeprefix("*"))
    return host == name or (not separator and name != "localhost" and host.endswith(f".{name}"))


def _address(host: str) -> IPv4Address | IPv6Address | None:
    with suppress(ValueError):
        address = ip_address(host)
        return getattr(address, "ipv4_mapped", None) or address
    return None


class EnvironmentTransport(httpx.BaseTransport):
    """Requests to any server, each directly or through its proxy; a blocking one."""

    def __init__(self) -> None:
        self._made: dict[Proxy | None, httpx.HTTPTransport] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request. Raises httpx.ProxyError: the proxy cannot be used; its message names it."""
        proxy = proxy_for(request.url)
        if proxy not in self._made:
            tls = tls_context()
            self._made[proxy] = _made(proxy, tls, lambda given: httpx.HTTPTransport(verify=tls, proxy=given))
        try:
            response = self._made[proxy].handle_request(request)
        except Exception as error:
            raise _failure(proxy, error) from error
        if _is_refusal(proxy, response):
            response.close()
            raise httpx.ProxyError(_refused(proxy))
        return response

    def close(self) -> None:
        for each in self._made.values():
            each.close()


class AsyncEnvironmentTransport(httpx.AsyncBaseTransport):
    """The same on an event loop, for httpx or httpx2, with a bound for each answer while it arrives.

    `library`: `httpx2` for its clients; the errors are of the library. `limit_bytes`: of an answer; None: without one.
    `too_large`: makes the error of an answer over it.
    """

    def __init__(
        self,
        limits: httpx.Limits | None = None,
        *,
        library: Any = httpx,
        limit_bytes: int | None = HTTP_LIMIT_BYTES,
        too_large: Callable[[], Exception] | None = None,
    ) -> None:
        self._library, self._limit_bytes = library, limit_bytes
        self._limits = limits or library.Limits(max_connections=100, max_keepalive_connections=20)
        self._made: dict[Proxy | None, Any] = {}
        self._too_large = too_large or (lambda: _too_large(library, limit_bytes or 0))

    async def handle_async_request(self, request: Any) -> Any:
        """Send the request; errors as above."""
        proxy, library = proxy_for(str(request.url)), self._library
        if proxy not in self._made:
            tls, limits = tls_context(), self._limits
            self._made[proxy] = _made(
                proxy, tls, lambda given: library.AsyncHTTPTransport(verify=tls, limits=limits, proxy=given), library
            )
        try:
            response = await self._made[proxy].handle_async_request(request)
        except Exception as error:
            raise _failure(proxy, error, library) from error
        if _is_refusal(proxy, response):
            await response.aclose()
            raise library.ProxyError(_refused(proxy))
        if self._limit_bytes is not None:
            bound(library, response, self._limit_bytes, self._too_large)
        return response

    async def aclose(self) -> None:
        for each in self._made.values():
            await each.aclose()


def _too_large(library: Any, limit_bytes: int) -> Exception:
    """Make the library's own error, which is marked as one."""
    made: Exception = type("AnswerTooLargeError", (TooLargeError, library.DecodingError), {})(
        too_large_message(limit_bytes)
    )
    return made


def _made(proxy: Proxy | None, tls: ssl.SSLContext, make: Callable[[Any], _T], library: Any = httpx) -> _T:
    """Make a transport.

    Raises ProxyError: of the library; the proxy is none, or its kind needs what is not installed.
    """
    if proxy is None:
        return make(None)
    try:
        _ = urlsplit(proxy.url).port  # over 65,535: else a connection leads to the port of its lower 16 bits
        return make(library.Proxy(proxy.url, ssl_context=tls if proxy.url.lower().startswith("https:") else None))
    except ImportError as error:
        way_out = "which is not installed: pip install 'httpx[socks]', or name the host in NO_PROXY"
        raise library.ProxyError(f"{proxy} needs socksio, {way_out}") from error
    except (ValueError, TypeError, library.InvalidURL) as error:
        raise library.ProxyError(f"{proxy} is no address of one: {_SCHEMES}") from error


def _failure(proxy: Proxy | None, error: Exception, library: Any = httpx) -> Any:
    """Return the error to raise: a connection that failed is the proxy's fault, where there is one."""
    if proxy is None:
        return error
    by_proxy = isinstance(error, library.ConnectError | library.ConnectTimeout | library.ProxyError)
    if by_proxy or not isinstance(error, library.HTTPError | library.InvalidURL):  # the library for SOCKS has its own
        return library.ProxyError(f"{proxy} made no connection: {str(error) or type(error).__name__}")
    return error


def _is_refusal(proxy: Proxy | None, response: Any) -> bool:
    return proxy is not None and response.status_code == httpx.codes.PROXY_AUTHENTICATION_REQUIRED


def _refused(proxy: Proxy | None) -> str:
    return f"{proxy} wants a user and password: http://USER:PASSWORD@HOST:PORT"
