"""The HTTP clients below the SDKs: built at little cost, and taking the place of what the SDKs build themselves."""

import asyncio
import inspect
import ssl
import sys
from typing import Literal

import httpx
import pytest
from qstash import AsyncQStash
from qstash.asyncio.http import AsyncHttpClient

from baton.queue.qstash.client import QStashClient, _Http
from baton.settings.settings import Settings
from baton.store.transport import http_transport
from baton.store.transport.http1 import Http1Transport
from baton_events import proxies

TRANSPORTS: list[Literal["httpx", "httptools"]] = ["httpx", "httptools"]


async def test_clients_share_one_tls_context_that_checks_certificates() -> None:
    made = proxies.tls_context()
    assert made is proxies.tls_context()
    assert (made.verify_mode, made.check_hostname) == (ssl.CERT_REQUIRED, True)
    async with http_transport.http_transport(Settings(http_transport="httptools"), "https://a.example.com") as below:
        assert isinstance(below, Http1Transport)
        assert below.ssl_context is made


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_proxy_of_the_environment_is_used_but_where_it_says_not_to(
    transport: Literal["httpx", "httptools"], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As httpx's own clients do."""
    requested: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requested.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(proxy, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "near.example.com,127.0.0.1")
        settings = Settings(http_transport=transport)
        async with http_transport.http_transport(settings, "http://far.example.com") as far:
            assert (await far.handle_async_request(httpx.Request("GET", "http://far.example.com/a"))).status_code == 200
        async with http_transport.http_transport(settings, "http://127.0.0.1:9") as near:
            with pytest.raises(httpx.ConnectError):
                await near.handle_async_request(httpx.Request("GET", "http://127.0.0.1:9/b"))
    [request] = requested
    assert request.startswith(b"GET http://far.example.com/a HTTP/1.1")


@pytest.mark.parametrize(
    ("chosen", "mocks", "lean"),
    [("auto", False, True), ("auto", True, False), ("httptools", True, True), ("httpx", False, False)],
)
async def test_the_lean_client_speaks_unless_httpx_is_requested_or_mocked(
    chosen: Literal["auto", "httpx", "httptools"], *, mocks: bool, lean: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever tests with respx has httpx, without a switch."""
    monkeypatch.setitem(sys.modules, "respx", pytest)
    if not mocks:
        monkeypatch.delitem(sys.modules, "respx")
    settings = Settings(http_transport=chosen)
    async with http_transport.http_transport(settings, "https://a.example.com") as made:
        assert isinstance(made, Http1Transport) is lean


async def test_the_queues_sdk_has_all_that_its_own_constructor_gives_it() -> None:
    """Ours builds no HTTP client of its own; a new version of the SDK that sets more is noticed here."""
    client = QStashClient(Settings(qstash_url="https://queue.example.com", qstash_token="t"))
    own = AsyncQStash("t", retry=False, base_url="https://queue.example.com")
    assert {name: type(part) for name, part in vars(client.sdk).items() if name != "http"} == {
        name: type(part) for name, part in vars(own).items() if name != "http"
    }
    stock = AsyncHttpClient("t", False, "https://queue.example.com/")
    ours = vars(client.sdk.http)
    assert isinstance(client.sdk.http, _Http)
    ways = {"_client", "_requested"}
    assert {name: value for name, value in ours.items() if name not in ways} == {
        name: value for name, value in vars(stock).items() if name not in ways
    }
    # What it may be asked with: `_Http.request` accepts all of it.
    requested = {"path", "method", "headers", "body", "params", "parse_response", "base_url", "token"}
    assert inspect.signature(stock.request).parameters.keys() == requested
    for made in (own.http, stock):
        await made._client.aclose()
    await client.close()
