"""What no well-behaved client sends harms no stand-in: it is refused, and everything else still flows.

Bodies, options, tokens and destinations that are wrong are looked at where they are read: tests/unit/baton_local.
"""

import contextlib
import itertools
import json
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from baton_local.fixtures.servers import QStashServer, RedisServer, VectorServer
from tests.contract.qstash.destination import Destination

Server = QStashServer | RedisServer | VectorServer

PATH_TRICKS = (
    "/../../etc/passwd",
    "/v2/../../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "//etc//passwd",
    "/v2/keys%00",
    "/v2/dlq/..%2f..%2fkeys",
    "/%ff%fe",
    "/" + "a" * 60_000,
)
# A server that took it by its length would see a second request, which nobody made.
AMBIGUOUS = (
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"0\r\n\r\nGET /x HTTP/1.1\r\n\r\n"
)
NOT_HTTP = (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x00" * 1_000 + b"\r\n\r\n", AMBIGUOUS)
_numbers = itertools.count(1)


@pytest.fixture(params=["qstash", "redis", "vector"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(f"{request.param}_process")
    return found


@pytest.fixture(scope="module")
def destination() -> Iterator[Destination]:
    with Destination() as running:
        yield running


def flows(server: Server, destination: Destination) -> None:
    """An ordinary caller is served."""
    if isinstance(server, QStashServer):
        path = f"/ordinary/{next(_numbers)}"
        server.call("POST", f"/v2/publish/{destination.url(path)}", "x")
        assert destination.wait(path)[0].body == b'"x"'
    elif isinstance(server, RedisServer):
        assert server.call("POST", "/", ["SET", "ordinary", "v"]) == {"result": "OK"}
        assert server.call("POST", "/", ["GET", "ordinary"]) == {"result": "v"}
    else:
        assert server.call("POST", "/upsert-data", {"id": "ordinary", "data": "v"}) == {"result": "Success"}
        assert server.call("POST", "/fetch", {"ids": ["ordinary"]}) == {"result": [{"id": "ordinary"}]}


def connected(server: Server) -> socket.socket:
    parts = urlsplit(server.url)
    return socket.create_connection((parts.hostname, parts.port), timeout=120)


def answered(server: Server, data: bytes) -> tuple[int, bytes]:
    """What comes back until the server closes; status 0 if that is no HTTP answer. It may not read everything."""
    received = b""
    with connected(server) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(data)
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(1 << 16):
                received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1:2]
    return (int(status[0]), body) if head.startswith(b"HTTP/1.") and status[0].isdigit() else (0, received)


def head(server: Server, method: str, target: str, length: int, *headers: str) -> bytes:
    lines = (f"{method} {target} HTTP/1.1", "Host: x", f"Content-Length: {length}", *headers)
    return "\r\n".join((*lines, f"Authorization: Bearer {server.token}", "", "")).encode("latin-1")


def test_paths_lead_nowhere_else(server: Server, destination: Destination) -> None:
    """No file, no other route; 4xx and JSON."""
    for path, method in itertools.product(PATH_TRICKS, ("GET", "POST", "DELETE")):
        status, body = answered(server, head(server, method, path, 2, "Connection: close") + b"{}")
        assert 400 <= status < 500, (method, path[:60], body)
        assert "error" in json.loads(body)
        assert b"root:" not in body
        assert b"sig_" not in body
    flows(server, destination)


def test_what_is_not_http_is_refused(server: Server, destination: Destination) -> None:
    """400 or a closed connection, never an answer to a request that was not made."""
    for data in NOT_HTTP:
        status, body = answered(server, data)
        assert status in {0, 400, 401, 505}, (data[:40], body)
        assert body.count(b"HTTP/1.1") <= 1
    flows(server, destination)


def test_half_a_request_holds_nobody_up(server: Server, destination: Destination) -> None:
    """Its connection is simply still open."""
    with contextlib.ExitStack() as connections:
        for _ in range(50):
            connections.enter_context(connected(server)).sendall(head(server, "POST", "/", 1_000_000) + b"[")
        flows(server, destination)
