"""HTTP/1.1 itself, over plain sockets: what clients of other languages, and broken ones, may send."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.contract.redis_rest.local_redis import TOKEN, LocalRedis

HEAD = f"Authorization: Bearer {TOKEN}\r\n".encode()
NOT_HTTP = b'{"error":"ERR the HTTP request could not be parsed"}'


class Raw:
    """A connection, and what comes back on it."""

    def __init__(self, plain: socket.socket) -> None:
        self.plain, self._file = plain, plain.makefile("rb")

    def answer(self, *, body: bool = True) -> tuple[int, dict[str, str], bytes]:
        status = int(self._file.readline().split()[1])
        lines = iter(lambda: self._file.readline().decode().strip(), "")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return status, headers, self._file.read(int(headers.get("content-length", 0))) if body else b""

    def has_ended(self) -> bool:
        return self._file.read() == b""


@pytest.fixture
def raw(redis: LocalRedis) -> Iterator[Raw]:
    with connected(redis) as connection:
        yield connection


@contextmanager
def connected(redis: LocalRedis) -> Iterator[Raw]:
    with socket.create_connection(("127.0.0.1", int(redis.url.rpartition(":")[2])), timeout=60) as plain:
        yield Raw(plain)


def echo(text: bytes, more: bytes = b"", method: bytes = b"GET") -> bytes:
    return b"%b /echo/%b HTTP/1.1\r\n%b%b\r\n" % (method, text, HEAD, more)


def test_pipelined_requests_are_answered_in_order(raw: Raw) -> None:
    """However they are cut, and more of them than wait at once."""
    sent = b"".join(echo(b"%d" % number) for number in range(200))
    for start in range(0, len(sent), 1_000):
        raw.plain.sendall(sent[start : start + 1_000])
    assert [raw.answer()[2] for _ in range(200)] == [b'{"result":"%d"}' % number for number in range(200)]


def test_a_chunked_body_is_put_together(raw: Raw) -> None:
    head = b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    raw.plain.sendall(head + b'7\r\n["ECHO"\r\n6\r\n,"ab"]\r\n0\r\n\r\n')
    assert raw.answer()[2] == b'{"result":"ab"}'


@pytest.mark.parametrize("request_", [b"GET /ping HTTP/1.0\r\n" + HEAD + b"\r\n", echo(b"x", b"Connection: close\r\n")])
def test_a_client_that_wants_the_connection_closed_gets_it_closed(raw: Raw, request_: bytes) -> None:
    raw.plain.sendall(request_)
    status, headers, _ = raw.answer()
    assert (status, headers["connection"]) == (200, "close")
    assert raw.has_ended()


def test_what_is_not_http_is_answered_in_json(raw: Raw) -> None:
    """And does not spoil the answer to what came before it."""
    raw.plain.sendall(echo(b"x") + b"\x00garbage\r\n\r\n")
    assert raw.answer()[2] == b'{"result":"x"}'
    status, headers, body = raw.answer()
    assert (status, headers["connection"], body) == (400, "close", NOT_HTTP)
    assert raw.has_ended()


def test_an_expectant_client_gets_100_continue(raw: Raw) -> None:
    raw.plain.sendall(b"POST / HTTP/1.1\r\n" + HEAD + b"Expect: 100-continue\r\nContent-Length: 8\r\n\r\n")
    assert raw.answer()[0] == 100
    raw.plain.sendall(b'["PING"]')
    assert raw.answer()[2] == b'{"result":"PONG"}'


def test_a_head_request_gets_no_body(raw: Raw) -> None:
    """But the length that it would have had."""
    raw.plain.sendall(echo(b"x", method=b"HEAD") + echo(b"y"))
    assert raw.answer(body=False)[1]["content-length"] == "14"
    assert raw.answer()[2] == b'{"result":"y"}'


def test_an_offer_to_switch_protocols_is_ignored(raw: Raw) -> None:
    """The request itself is served (RFC 9110 7.8)."""
    raw.plain.sendall(echo(b"a", b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n") + echo(b"b"))
    assert [raw.answer()[2] for _ in range(2)] == [b'{"result":"a"}', b'{"result":"b"}']


def test_a_client_that_does_not_read_is_not_answered_further(redis: LocalRedis, raw: Raw) -> None:
    """Its later requests do not run before it has taken what it asked for."""
    redis.command("SET", "large", "x" * 9_000_000)
    raw.plain.sendall(b"GET /get/large HTTP/1.1\r\n" + HEAD + b"\r\nGET /set/late/v HTTP/1.1\r\n" + HEAD + b"\r\n")
    for _ in range(20):
        assert redis.command("EXISTS", "late") == 0
    assert len(raw.answer()[2]) > 9_000_000
    assert raw.answer()[2] == b'{"result":"OK"}'


def test_the_header_wins_over_the_query_and_without_either_nothing_opens(redis: LocalRedis) -> None:
    for line, query, status in (
        (f"Authorization: BEARER  {TOKEN} \r\n", "", 200),
        (f"Authorization: Bearer {TOKEN}\r\n", "?_token=wrong", 200),
        ("Authorization: Bearer wrong\r\n", f"?_token={TOKEN}", 401),
        ("Authorization: \r\n", f"?_token={TOKEN}", 401),
        ("", f"?_token={TOKEN}", 200),
        ("", "?_token=", 401),
        ("", "", 401),
    ):
        with connected(redis) as raw:
            raw.plain.sendall(f"GET /ping{query} HTTP/1.1\r\n{line}\r\n".encode())
            assert raw.answer()[0] == status, (line, query)
