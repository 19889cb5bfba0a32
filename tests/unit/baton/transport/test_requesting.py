"""A request by its parts is the same, and is answered the same, whoever speaks HTTP."""

import gzip

import httpx
import pytest

from baton.transport.http import requesting
from baton.transport.http1 import Http1Transport
from tests.unit.baton.transport.test_http1 import serving
from tests.unit.baton.transport.test_posting import transports

HEADERS = {"Authorization": "Bearer t", "Upstash-Label": "one"}
BODY = b'{"messageId":"m1"}'
PACKED = gzip.compress(BODY)
WIRES = {
    "plain": b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY),
    "packed": b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(PACKED), PACKED),
    "nothing": b"HTTP/1.1 204 No Content\r\n\r\n",
}
REFUSED = b"HTTP/1.1 429 Too Many\r\nRateLimit-Limit: 5\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (
    len(PACKED),
    PACKED,
)


class RefusedError(Exception):
    """What the asker makes of an answer that is no success."""


def refuse(response: httpx.Response) -> None:
    raise RefusedError(response.status_code, response.headers["ratelimit-limit"], response.content)


def test_one_of_them_has_a_way_of_its_own() -> None:
    """Else both sides of these tests would be the same."""
    plain, own = transports()
    assert isinstance(own, Http1Transport)
    assert requesting(own) == own.request
    assert not hasattr(plain, "request")


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("wire", WIRES)
async def test_a_success_is_its_body(wire: str, number: int) -> None:
    async with serving(WIRES[wire]) as served, transports()[number] as through:
        body = await requesting(through)("POST", httpx.URL(served.url), HEADERS, b"[1]", refuse)
        assert body == (b"" if wire == "nothing" else BODY)


@pytest.mark.parametrize("number", [0, 1])
async def test_anything_else_goes_to_the_caller_as_a_response(number: int) -> None:
    async with serving(REFUSED) as served, transports()[number] as through:
        with pytest.raises(RefusedError) as raised:
            await requesting(through)("POST", httpx.URL(served.url), HEADERS, b"[1]", refuse)
    assert raised.value.args == (429, "5", BODY)


@pytest.mark.parametrize("number", [0, 1])
async def test_a_caller_who_raises_nothing_has_the_body(number: int) -> None:
    """Whatever the status."""
    async with serving(REFUSED) as served, transports()[number] as through:
        assert await requesting(through)("GET", httpx.URL(served.url), {}, b"", lambda _: None) == BODY


async def test_what_is_sent_is_the_same() -> None:
    """Line by line, in whatever order; a body that is not there has the length 0, or none."""
    sent: list[set[bytes]] = []
    for through in transports():
        async with serving() as served, through:
            address = httpx.URL(f"{served.url}/v2/publish/https://a.example/b?c=d")
            for method, content in (("POST", b"[1]"), ("POST", "é".encode()), ("DELETE", b"")):
                await requesting(through)(method, address, HEADERS, content, refuse)
            sent += [
                {line for line in request.splitlines() if not line.startswith(b"Host")} for request in served.requests
            ]
            assert all(f"Host: {address.netloc.decode()}".encode() in request for request in served.requests)
    assert sent[:2] == sent[3:5]
    assert {b"POST /v2/publish/https://a.example/b?c=d HTTP/1.1", b"Content-Length: 3", b"Upstash-Label: one"} < sent[0]
    assert sent[2] - {b"Content-Length: 0"} == sent[5] - {b"Content-Length: 0"}


@pytest.mark.parametrize("headers", [{"A": "b\r\nC: d"}, {"A\nB": "c"}])
async def test_a_header_that_would_break_the_request_apart_is_refused(headers: dict[str, str]) -> None:
    """Before anything is sent."""
    async with transports()[1] as through:
        with pytest.raises(httpx.LocalProtocolError, match="line break"):
            await requesting(through)("POST", httpx.URL("http://127.0.0.1:1"), headers, b"", refuse)
