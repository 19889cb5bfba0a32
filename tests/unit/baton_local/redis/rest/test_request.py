import httptools
import pytest

from baton_local.redis.rest.http_connection import Request, RequestReader


def reading(limit_bytes: int = 1000) -> tuple[RequestReader, list[Request]]:
    """A reader, and what comes out of it."""
    requests: list[Request] = []
    return RequestReader(limit_bytes, requests.append, lambda: None), requests


POST = b"POST /a%2Fb?x=1 HTTP/1.1\r\nHost: h\r\nUpstash-Encoding: base64\r\nContent-Length: 5\r\n\r\nhello"


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_a_request_is_complete_however_it_is_cut(step: int) -> None:
    reader, requests = reading()
    for start in range(0, len(POST), step):
        reader.feed(POST[start : start + step])
    (request,) = requests
    assert (request.method, request.target, request.body) == (b"POST", b"/a%2Fb?x=1", b"hello")
    assert request.headers[b"upstash-encoding"] == b"base64"
    assert request.keep_alive
    assert not request.too_large


def test_requests_may_follow_each_other() -> None:
    reader, requests = reading()
    reader.feed(POST + b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
    first, second = requests
    assert (first.body, second.body) == (b"hello", b"")
    assert second.headers == {b"connection": b"close"}
    assert not second.keep_alive


def test_a_chunked_body_is_put_together() -> None:
    reader, requests = reading(limit_bytes=60)
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    reader.feed(head + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    reader.feed(head + b"3c\r\n" + b"x" * 60 + b"\r\n1\r\ny\r\n0\r\n\r\n")
    whole, too_large = requests
    assert whole.body == b"abcde"
    assert (too_large.too_large, too_large.size_bytes, too_large.body) == (True, 61, b"")


@pytest.mark.parametrize("start", [b"GET /", b"GET / HTTP/1.1\r\nA: ", b"POST / HTTP/1.1\r\nContent-Length: 0\r\nA"])
def test_a_head_without_end_is_an_error(start: bytes) -> None:
    reader, _ = reading(limit_bytes=100)
    reader.feed(POST)
    for piece in (start, b"x" * 40, b"x" * 20):
        reader.feed(piece)
    with pytest.raises(httptools.HttpParserError, match="no end of the head"):
        reader.feed(b"x" * 60)


def test_an_offer_to_switch_protocols_is_ignored() -> None:
    """The request itself is served (RFC 9110 7.8)."""
    reader, requests = reading()
    upgrade = b"GET /a HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n"
    reader.feed(upgrade + b"GET /b HTTP/1.1\r\n\r\n")
    assert [request.target for request in requests] == [b"/a", b"/b"]
