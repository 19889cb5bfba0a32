"""Posts to one address are the same, and are answered the same, whoever speaks HTTP."""

import gzip

import httpx
import pytest

from baton.transport.http import posting
from baton.transport.http1 import Http1Transport
from baton.transport.http_transport import tls_context
from tests.unit.baton.transport.test_http1 import serving

HEADERS = [(b"Host", b"store.example.com"), (b"Authorization", b"Bearer t")]
TOKEN = b"X-Token"
BODY = b'{"result":1}'
PACKED = gzip.compress(BODY)
WIRES = {
    "plain": b"HTTP/1.1 200 OK\r\nx-token: 7\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY),
    "refused": b"HTTP/1.1 400 Bad Request\r\nX-Token: 7\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY),
    "packed": b"HTTP/1.1 200 OK\r\nX-Token: 7\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
    % (len(PACKED), PACKED),
}


def transports() -> list[httpx.AsyncBaseTransport]:
    """Those that HTTP_TRANSPORT chooses among."""
    return [httpx.AsyncHTTPTransport(), Http1Transport(tls_context(), httpx.Limits(max_connections=1))]


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("number", [0, 1])
async def test_a_post_is_answered_with_its_body_and_what_a_header_says(wire: str, number: int) -> None:
    """Whatever its status, packed or not."""
    async with serving(WIRES[wire]) as served, transports()[number] as through:
        post = posting(through, httpx.URL(served.url), HEADERS)
        assert await post(b"[1]", (TOKEN, b"6")) == (BODY, b"7")


async def test_what_is_sent_is_the_same() -> None:
    """Line by line, in whatever order, with an empty token as well."""
    sent: list[set[bytes]] = []
    for through in transports():
        async with serving() as served, through:
            post = posting(through, httpx.URL(f"{served.url}/pipeline?a=b"), HEADERS)
            for content, token in ((b"[1]", b"6"), ("é".encode(), b"")):
                assert await post(content, (TOKEN, token)) == (b"ok", b"")
            sent += [set(request.splitlines()) for request in served.requests]
    assert sent[:2] == sent[2:]
    assert {b"POST /pipeline?a=b HTTP/1.1", b"X-Token: 6", b"Content-Length: 3", b"[1]"} < sent[0]


async def test_a_header_that_would_break_requests_apart_is_refused_at_once() -> None:
    """Before anything is sent."""
    async with transports()[1] as through:
        with pytest.raises(httpx.LocalProtocolError, match="line break"):
            posting(through, httpx.URL("http://127.0.0.1:1"), [(b"Authorization", b"Bearer t\r\nA: b")])
