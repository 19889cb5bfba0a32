"""Faults of the network that tests of users plan, and events of Lambda that are none of a request."""

import socket
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest

from baton.worker.entry import LambdaHandler
from baton.worker.lambda_requests import NoRequestError
from baton_local.dev import dead_address
from baton_local.fixtures.network import DeadAddress, LocalProxy
from baton_local.fixtures.servers import QStashFaults, RequestFaults


class Echo(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.path} ".encode() + body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Print nothing."""


@pytest.fixture
def echo() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_dead_address_drops_what_comes_and_only_its_name_has_it(monkeypatch: pytest.MonkeyPatch, echo: str) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", socket.getaddrinfo)  # as it was, after the test
    dead = DeadAddress(echo)
    assert not dead_address.resolve_if_named()
    for name, text in dead.settings("STORE_URL").items():
        monkeypatch.setenv(name, text)
    assert dead_address.resolve_if_named()
    port = int(echo.rpartition(":")[2])
    found = socket.getaddrinfo(httpx.URL(dead.url).host, port, type=socket.SOCK_STREAM)
    assert [place[4][0] for place in found] == ["127.0.0.2", "127.0.0.1"]
    assert [place[4][0] for place in socket.getaddrinfo("127.0.0.3", port, type=socket.SOCK_STREAM)] == ["127.0.0.3"]
    with pytest.raises(TimeoutError):
        socket.create_connection((dead_address.DEAD, port), 0.3)
    dead.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((dead_address.DEAD, port), 0.3)


def test_a_dead_address_is_gone_with_the_other_faults(redis_faults: RequestFaults, qstash_faults: QStashFaults) -> None:
    for faults in (redis_faults, qstash_faults):
        settings = faults.first_address_dead()
        assert faults.first_address_dead() == settings
        faults.clear()
        faults.clear()
        port = int(next(iter(settings.values())).rpartition(":")[2])
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((dead_address.DEAD, port), 0.3)


def test_a_proxy_forwards_refuses_and_hangs_as_it_is_told(local_proxy: LocalProxy, echo: str) -> None:
    url = local_proxy.behind(echo)
    with httpx.Client(proxy=local_proxy.url, timeout=0.5) as client:
        for _ in range(2):
            assert client.post(f"{url}/a?b=1", content=b"x" * 100_000).text == "/a?b=1 " + "x" * 100_000
        local_proxy.hang()
        with pytest.raises(httpx.ReadTimeout):
            client.post(url, content=b"x")
        local_proxy.off()
        with pytest.raises(httpx.ConnectError):
            client.post(url, content=b"x")
        local_proxy.on()
        assert client.post(url, content=b"x").text == "/ x"
        assert client.post("http://127.0.0.1:9/", content=b"x").status_code == 502
    assert local_proxy.requests.count(f"POST {url}/a?b=1") == 2


def test_a_tunnel_through_a_proxy_is_cut_where_the_proxy_goes(local_proxy: LocalProxy, echo: str) -> None:
    proxy, name = httpx.URL(local_proxy.url), httpx.URL(local_proxy.behind(echo)).host
    connection = HTTPConnection(proxy.host, proxy.port or 0, timeout=5)
    connection.set_tunnel(name, 443)
    connection.request("POST", "/", b"x")
    assert connection.getresponse().read() == b"/ x"
    assert local_proxy.requests == [f"CONNECT {name}:443"]
    other = HTTPConnection(proxy.host, proxy.port or 0, timeout=5)
    other.set_tunnel(name, 443)
    other.connect()
    local_proxy.off()
    assert other.sock.recv(1) == b""
    other.close()
    connection.close()


def test_odd_events_are_refused_by_a_function(odd_lambda_events: Mapping[str, Any]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError

    handler = LambdaHandler(app)
    for event in odd_lambda_events.values():
        with pytest.raises(NoRequestError):
            handler(event, None)
    handler.loop.close()
