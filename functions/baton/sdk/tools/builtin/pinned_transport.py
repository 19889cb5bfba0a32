"""Connect to the very address that was checked: an httpx transport that resolves a host once and judges every answer.

A name that resolves to a harmless address when it is checked, and to a private one when it is connected to (DNS
rebinding), gets no second resolution. Invariant: the inner transport gets an address as its host; `Host` and the TLS
name (SNI, and with it the certificate's check) stay those of the URL. One connection a request: a kept one would be
found by its address, whatever name it was made for.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import httpx

from baton.sdk.tools.builtin.fetch_policy import refusal
from baton.sdk.tools.tool_error import ToolError
from baton_events.proxies import tls_context

# (host, port) → addresses as text, in the order in which to try them.
Resolver = Callable[[str, int], Awaitable[list[str]]]

_ADDRESS_SECONDS = 1.0
_NO_KEPT_CONNECTIONS = httpx.Limits(max_connections=1, max_keepalive_connections=0)


async def system_resolver(host: str, port: int) -> list[str]:
    """Resolve a host by the operating system."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class PinnedTransport(httpx.AsyncBaseTransport):
    """Resolves, judges, connects; `inner` stands in for the network in tests."""

    def __init__(
        self, *, allow_private: bool, resolver: Resolver, inner: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._allow_private, self._resolver = allow_private, resolver
        self._inner = inner or httpx.AsyncHTTPTransport(
            verify=tls_context(), limits=_NO_KEPT_CONNECTIONS, trust_env=False
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request to the first of the host's addresses that accepts a connection.

        Raises:
            ToolError: one of the addresses must not be connected to (permanent), or there is none (retryable).
        """
        host = request.url.raw_host.decode("ascii")
        addresses = await self._addresses(host, request.url.port or (443 if request.url.scheme == "https" else 80))
        for last, address in ((number == len(addresses), address) for number, address in enumerate(addresses, 1)):
            pinned = httpx.Request(
                request.method,
                request.url.copy_with(host=address),
                headers=request.headers,  # `Host` among them
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host.rstrip(".")},
            )
            try:
                return await self._inner.handle_async_request(pinned if last else _impatient(pinned))
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if last:
                    raise
        raise AssertionError("a host without addresses is refused before")

    async def _addresses(self, host: str, port: int) -> list[str]:
        try:
            addresses = await self._resolver(host.strip("[]"), port)
        except (OSError, UnicodeError) as error:
            raise ToolError(
                f"host {host!r} cannot be resolved: {error}", retryable=True, type="HostNotFound"
            ) from error
        if not addresses:
            raise ToolError(f"host {host!r} has no address", retryable=True, type="HostNotFound")
        for address in addresses:
            # One bad answer condemns them all: the choice between them must not be a matter of luck.
            why = refusal(address, allow_private=self._allow_private)
            if why:
                raise ToolError(f"host {host!r} leads to {address}, {why}; it is not fetched", type="AddressRefused")
        return addresses

    async def aclose(self) -> None:
        """Close the connection."""
        await self._inner.aclose()


def _impatient(request: httpx.Request) -> httpx.Request:
    """Give up an address that does not answer after a second, while there is another one."""
    limits = request.extensions.get("timeout", {})
    connect = min(limits.get("connect") or _ADDRESS_SECONDS, _ADDRESS_SECONDS)
    request.extensions = {**request.extensions, "timeout": {**limits, "connect": connect}}
    return request
