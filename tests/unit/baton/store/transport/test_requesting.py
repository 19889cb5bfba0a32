"""A request by its parts, and a post to one address, are the same and answered the same, whoever speaks HTTP."""

import gzip

import httpx
import pytest

from baton.store.transport.http import Answered, posting, requesting
from baton.store.transport.http1 import Http1Transport
from baton_events.proxies import tls_context
from tests.unit.baton.store.transport.test_http1 import serving

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


def transports() -> list[httpx.AsyncBaseTransport]:
    """Those that `http_transport` chooses among."""
    return [httpx.AsyncHTTPTransport(), Http1Transport(tls_context(), httpx.Limits(max_connections=1))]


class RefusedError(Exception):
    """What the asker makes of an answer that is no success."""


def refuse(response: httpx.Response) -> None:
    raise RefusedError(response.status_code, response.headers["ratelimit-limit"], response.content)


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("wire", WIRES)
async def test_a_success_is_its_body(wire: str, number: int) -> None:
    async with serving(WIRES[wire]) as served, transports()[number] as through:
        body = await requesting(through)("POST", httpx.URL(served.url), HEADERS, b"[1]", refuse)
        assert body == (b"" if wire == "nothing" else BODY)


@pytest.mark.parametrize("number", [0, 1])
async def test_anything_else_goes_to_the_caller_as_a_response(number: int) -> None:
    """One who raises nothing has the body, whatever the status."""
    async with serving(REFUSED) as served, transports()[number] as through:
        with pytest.raises(RefusedError) as raised:
            await requesting(through)("POST", httpx.URL(served.url), HEADERS, b"[1]", refuse)
        assert await requesting(through)("GET", httpx.URL(served.url), {}, b"", lambda _: None) == BODY
    assert raised.value.args == (429, "5", BODY)


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
    url = httpx.URL("http://127.0.0.1:1")
    async with transports()[1] as through:
        with pytest.raises(httpx.LocalProtocolError, match="line break"):
            await requesting(through)("POST", url, headers, b"", refuse)
        with pytest.raises(httpx.LocalProtocolError, match="line break"):
            posting(through, url, [(name.encode(), text.encode()) for name, text in headers.items()])


def test_one_of_the_transports_has_a_way_of_its_own() -> None:
    """Else both sides of these tests would be the same."""
    plain, own = transports()
    assert isinstance(own, Http1Transport)
    assert requesting(own) == own.request
    assert not hasattr(plain, "request")


POST_HEADERS = [(b"Host", b"store.example.com"), (b"Authorization", b"Bearer t")]


TOKEN = b"X-Token"


def _token(answer: Answered) -> bytes:
    return next((value for name, value in answer.headers if name.lower() == TOKEN.lower()), b"")


POST_WIRES = {
    "plain": b"HTTP/1.1 200 OK\r\nx-token: 7\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY),
    "refused": b"HTTP/1.1 400 Bad Request\r\nX-Token: 7\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY),
    "packed": b"HTTP/1.1 200 OK\r\nX-Token: 7\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
    % (len(PACKED), PACKED),
}


@pytest.mark.parametrize("wire", POST_WIRES)
@pytest.mark.parametrize("number", [0, 1])
async def test_a_post_is_answered_with_its_body_and_what_a_header_says(wire: str, number: int) -> None:
    async with serving(POST_WIRES[wire]) as served, transports()[number] as through:
        post = posting(through, httpx.URL(served.url), POST_HEADERS)
        answer = await post(b"[1]", (TOKEN, b"6"))
    assert (b"".join(answer.body), _token(answer)) == (BODY, b"7")


async def test_what_is_posted_is_the_same() -> None:
    """Line by line, in whatever order, with an empty token as well."""
    sent: list[set[bytes]] = []
    for through in transports():
        async with serving() as served, through:
            post = posting(through, httpx.URL(f"{served.url}/pipeline?a=b"), POST_HEADERS)
            for content, token in ((b"[1]", b"6"), ("é".encode(), b"")):
                answer = await post(content, (TOKEN, token))
                assert (b"".join(answer.body), _token(answer)) == (b"ok", b"")
            sent += [set(request.splitlines()) for request in served.requests]
    assert sent[:2] == sent[2:]
    assert {b"POST /pipeline?a=b HTTP/1.1", b"X-Token: 6", b"Content-Length: 3", b"[1]"} < sent[0]
