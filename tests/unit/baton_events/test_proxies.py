"""Proxies of the environment: which request goes where, and what is said about a proxy that cannot be used."""

import asyncio
import builtins
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any, ClassVar

import httpx
import httpx2
import pytest
import trustme

from baton_events.proxies import AsyncEnvironmentTransport, EnvironmentTransport, proxy_for, tls_context

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy")
PROXY = "http://proxy.example.com:3128"


@pytest.fixture
def around(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets the variables; all others are unset."""
    for name in (*VARIABLES, "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)

    def put(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return put


@pytest.mark.parametrize(
    ("variables", "url", "expected"),
    [
        ({}, "https://a.example.com", None),
        ({"HTTPS_PROXY": PROXY}, "https://a.example.com", (PROXY, "HTTPS_PROXY")),
        ({"https_proxy": PROXY}, "https://a.example.com", (PROXY, "HTTPS_PROXY")),
        (
            {"https_proxy": PROXY, "HTTPS_PROXY": "http://b.example.com"},
            "https://a.example.com",
            (PROXY, "HTTPS_PROXY"),
        ),
        ({"HTTPS_PROXY": PROXY}, "http://a.example.com", None),
        ({"HTTP_PROXY": PROXY}, "http://a.example.com", (PROXY, "HTTP_PROXY")),
        ({"HTTP_PROXY": PROXY, "REQUEST_METHOD": "GET"}, "http://a.example.com", None),  # a CGI's header "Proxy"
        ({"ALL_PROXY": PROXY}, "http://a.example.com", (PROXY, "ALL_PROXY")),
        ({"all_proxy": PROXY, "HTTP_PROXY": "http://b"}, "http://a.example.com", ("http://b", "HTTP_PROXY")),
        ({"ALL_PROXY": "proxy.example.com:3128"}, "http://a.example.com", (PROXY, "ALL_PROXY")),
        ({"ALL_PROXY": ""}, "http://a.example.com", None),
        ({"ALL_PROXY": PROXY}, "redis://a.example.com", None),
    ],
)
def test_the_variable_of_a_scheme_comes_before_that_of_all(
    variables: dict[str, str], url: str, expected: tuple[str, str] | None, around: Callable[..., None]
) -> None:
    around(**variables)
    assert proxy_for(url) == expected


@pytest.mark.parametrize(
    ("no_proxy", "direct", "by_proxy"),
    [
        ("*", ["http://a.example.com", "https://[2001:db8::1]"], []),
        ("x, *", ["http://a.example.com"], []),
        ("example.com", ["http://example.com", "https://a.EXAMPLE.com:8443"], ["http://badexample.com"]),
        (".example.com", ["http://a.example.com"], ["http://example.com"]),
        ("*.example.com", ["http://a.b.example.com"], ["http://example.com"]),
        ("a.example, b.example ,c.example", ["http://b.example", "http://c.example"], ["http://d.example"]),
        ("a.example b.example", ["http://b.example"], []),
        ("A.Example", ["http://a.example."], []),
        ("localhost", ["http://localhost:81"], ["http://a.localhost", "http://127.0.0.1"]),
        ("127.0.0.1", ["http://127.0.0.1:8090"], ["http://127.0.0.2", "http://1.127.0.0.1.example"]),
        (
            "10.0.0.0/8,192.168.1.7/32",
            ["http://10.9.8.7", "http://192.168.1.7"],
            ["http://192.168.1.8", "http://a10.0.0.1.x"],
        ),
        ("10.1.2.3/16", ["http://10.1.9.9"], ["http://10.2.0.0"]),
        ("::1", ["http://[::1]:8090", "http://[0:0:0:0:0:0:0:1]"], ["http://[::2]"]),
        ("[2001:db8::1]", ["https://[2001:db8::1]"], ["https://[2001:db8::2]"]),
        ("2001:db8::/32", ["https://[2001:db8:5::9]"], ["https://[2001:db9::1]", "http://10.0.0.1"]),
        ("10.0.0.0/8", ["http://[::ffff:10.1.2.3]"], []),
        ("a.example:8080", ["http://a.example:8080", "http://b.a.example:8080"], ["http://a.example"]),
        ("a.example:443", ["https://a.example"], ["http://a.example"]),
        ("[::1]:8090", ["http://[::1]:8090"], ["http://[::1]:8091"]),
        ("https://a.example", ["https://a.example"], ["http://a.example", "https://b.a.example"]),
        ("all://*.a.example", ["http://b.a.example"], ["http://a.example"]),
        ("[fd00::]/8", ["http://[fd12::1]", "http://[fd12::1]:8090"], ["http://[fe00::1]"]),
        ("a.example.", ["http://a.example", "http://b.a.example."], ["http://ba.example"]),
        (".a.example.:80", ["http://b.a.example"], ["http://a.example", "http://b.a.example:81"]),
        ("", [], ["http://a.example"]),
        (" , ,., ..", [], ["http://a.example"]),
        ("10.0.0.0/99,nonsense/8", [], ["http://10.0.0.1", "http://a.example"]),
    ],
)
def test_who_is_named_in_no_proxy_is_reached_directly(
    no_proxy: str, direct: list[str], by_proxy: list[str], around: Callable[..., None]
) -> None:
    around(ALL_PROXY=PROXY, NO_PROXY=no_proxy)
    assert [url for url in direct if proxy_for(url)] == []
    assert [url for url in by_proxy if not proxy_for(url)] == []


SAME = (
    "example.com",
    ".example.com",
    "localhost",
    "127.0.0.1",
    "::1",
    "a.example:8080",
    "https://a.example",
    "*",
    "x,*",
)
URLS = (
    *(
        "http://example.com",
        "https://a.example.com",
        "http://badexample.com",
        "http://localhost",
        "http://127.0.0.1:81",
    ),
    *("http://[::1]:1", "http://a.example:8080", "https://a.example", "http://a.example", "https://b.a.example"),
)


@pytest.mark.parametrize("no_proxy", SAME)
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "https_proxy", "ALL_PROXY"])
def test_it_is_as_httpx_decides(variable: str, no_proxy: str, around: Callable[..., None]) -> None:
    """Where both know the form of an entry."""
    around(**{variable: PROXY, "no_proxy": no_proxy})
    with httpx.Client() as client:
        for url in URLS:
            through = client._transport_for_url(httpx.URL(url)) is not client._transport
            assert (proxy_for(url) is not None) is through, url


class Server(BaseHTTPRequestHandler):
    """A proxy that says what it was asked, or refuses."""

    requested: ClassVar[list[str]] = []
    status = 200

    def do_GET(self) -> None:
        self.requested.append(self.requestline)
        self.send_response(self.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_CONNECT(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Print nothing."""


@contextmanager
def proxy(status: int = 200, tls: ssl.SSLContext | None = None) -> Iterator[tuple[list[str], str]]:
    """Run one; yields what it was asked, and its address."""
    handler: Any = type("Handler", (Server,), {"requested": [], "status": status})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield handler.requested, f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def blocking(url: str) -> httpx.Response:
    with httpx.Client(transport=EnvironmentTransport(), timeout=5) as client:
        return client.get(url)


def awaiting(url: str) -> httpx.Response:
    async def get() -> httpx.Response:
        async with httpx.AsyncClient(transport=AsyncEnvironmentTransport(), timeout=5) as client:
            return await client.get(url)

    return asyncio.run(get())


WAYS = pytest.mark.parametrize("get", [blocking, awaiting])


@WAYS
def test_a_request_goes_through_its_proxy(get: Callable[[str], httpx.Response], around: Callable[..., None]) -> None:
    with proxy() as (requested, url), proxy() as (beside, near):
        around(HTTP_PROXY=url, NO_PROXY="127.0.0.0/8")
        assert get("http://far.example.com/a").status_code == 200
        assert get(f"{near}/b").status_code == 200
    assert requested == ["GET http://far.example.com/a HTTP/1.1"]
    assert beside == ["GET /b HTTP/1.1"]


@pytest.fixture
def context_anew() -> Iterator[Callable[[], None]]:
    """Forgets the process's TLS context when told, and after the test."""
    yield tls_context.cache_clear
    tls_context.cache_clear()


@WAYS
def test_a_proxy_may_speak_tls(
    get: Callable[[str], httpx.Response],
    around: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    context_anew: Callable[[], None],
) -> None:
    """Its certificate is checked against SSL_CERT_FILE, as every other."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with proxy(tls=context) as (requested, url):
        around(ALL_PROXY=url)
        with pytest.raises(httpx.ProxyError, match=rf"the proxy {url} \(ALL_PROXY\) made no connection: .*CERTIFICATE"):
            get("http://far.example.com/a")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        context_anew()
        assert get("http://far.example.com/a").status_code == 200
    assert requested == ["GET http://far.example.com/a HTTP/1.1"]


@WAYS
@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://user:swordfish@127.0.0.1:9", "the proxy http://127.0.0.1:9 (HTTP_PROXY) made no connection: "),
        ("socks://127.0.0.1:9", "the proxy socks://127.0.0.1:9 (HTTP_PROXY) is no address of one: http://, https://,"),
        ("socks4://127.0.0.1:9", "is no address of one"),
        ("http://127.0.0.1:99999", "the proxy http://127.0.0.1:99999 (HTTP_PROXY) is no address of one"),
        ("http://[::1", "is no address of one"),
        ("ftp://127.0.0.1", "is no address of one"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_named(
    url: str, message: str, get: Callable[[str], httpx.Response], around: Callable[..., None]
) -> None:
    """Once it is needed, and without its password."""
    around(HTTP_PROXY=url, NO_PROXY="near.example.com")
    with pytest.raises(httpx.ProxyError) as caught:
        get("http://far.example.com")
    assert message in str(caught.value)
    assert "swordfish" not in str(caught.value)
    assert "\n" not in str(caught.value)


@WAYS
@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_what_a_proxy_of_socks_needs_is_named(
    scheme: str, get: Callable[[str], httpx.Response], around: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    true = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "socksio":
            raise ImportError(name)
        return true(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    around(ALL_PROXY=f"{scheme}://127.0.0.1:9")
    with pytest.raises(httpx.ProxyError, match=rf"the proxy {scheme}://127.0.0.1:9 \(ALL_PROXY\) needs socksio"):
        get("https://far.example.com")


@WAYS
def test_a_proxy_that_wants_a_password_or_refuses_is_named(
    get: Callable[[str], httpx.Response], around: Callable[..., None]
) -> None:
    with proxy(407) as (_, url):
        around(ALL_PROXY=url)
        for target in ("http://far.example.com", "https://far.example.com"):
            with pytest.raises(httpx.ProxyError, match=r"the proxy http://127.0.0.1:\d+ \(ALL_PROXY\)"):
                get(target)
    with proxy(502) as (_, url):
        around(ALL_PROXY=url)
        with pytest.raises(httpx.ProxyError, match=r"\(ALL_PROXY\) made no connection: 502"):
            get("https://far.example.com")


def test_an_error_that_no_proxy_is_in_stays_as_it_is(around: Callable[..., None]) -> None:
    around()
    with pytest.raises(httpx.ConnectError):
        blocking("http://127.0.0.1:9")


async def socks(asked: list[tuple[str, int]], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection of a SOCKS5 proxy (RFC 1928) that wants user and password (RFC 1929); it resolves every name."""
    with suppress(OSError, asyncio.IncompleteReadError):
        _, methods = await reader.readexactly(2)
        assert 2 in await reader.readexactly(methods)
        writer.write(b"\x05\x02")
        words = [await reader.readexactly((await reader.readexactly(n))[-1]) for n in (2, 1)]
        assert words == [b"user", b"swordfish"]
        writer.write(b"\x01\x00")
        kind = (await reader.readexactly(4))[-1]
        size = (await reader.readexactly(1))[0] if kind == 3 else {1: 4, 4: 16}[kind]
        host, port = await reader.readexactly(size), int.from_bytes(await reader.readexactly(2))
        asked.append((host.decode() if kind == 3 else str(ip_address(host)), port))
        writer.write(b"\x05\x00\x00\x01" + bytes(6))
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
        await writer.drain()
    writer.close()


@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
async def test_a_proxy_of_socks_is_used(scheme: str, library: Any, around: Callable[..., None]) -> None:
    """It resolves the name, and gets user and password."""
    asked = list[tuple[str, int]]()
    async with await asyncio.start_server(partial(socks, asked), "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        around(ALL_PROXY=f"{scheme}://user:swordfish@127.0.0.1:{port}", NO_PROXY="10.0.0.0/8")
        async with library.AsyncClient(transport=AsyncEnvironmentTransport(library=library), timeout=5) as client:
            assert (await client.get("http://far.example.com/a")).text == "ok"
        blocked = await asyncio.to_thread(blocking, "http://192.0.2.7:81/b")
        assert blocked.text == "ok"
    assert asked == [("far.example.com", 80), ("192.0.2.7", 81)]
