"""Fetching over HTTP, from a real server on this machine, and with a resolver that lies."""

import asyncio
import gzip
import zlib
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from baton.sdk.tools.arguments import InvalidArguments
from baton.sdk.tools.builtin.http_fetch import http_fetch
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.tool_error import ToolError
from tests.unit.baton.sdk.tools.builtin.web_server import Answer, answer, web_server

PUBLIC = "93.184.216.34"


async def fetch(answers: Answer, path: str = "/", options: dict[str, Any] | None = None, **arguments: Any) -> Any:
    async with web_server(answers) as server:
        tool = http_fetch([f"127.0.0.1:{server.port}"], **{"allow_private": True, **(options or {})})
        return await tool.run({"url": server.url + path, **arguments}, ToolContext.for_test())


async def fails(answers: Answer, path: str = "/", options: dict[str, Any] | None = None, **arguments: Any) -> ToolError:
    with pytest.raises(ToolError) as caught:
        await fetch(answers, path, options, **arguments)
    return caught.value


async def test_json_is_given_as_json() -> None:
    headers = {"content_type": "application/json", "etag": "x", "set_cookie": "session=1"}
    found = await fetch(lambda *_: answer(200, b'{"a": 1}', **headers), "/p?q=1")
    assert (found["json"], found["status"]) == ({"a": 1}, 200)
    assert found["url"].endswith("/p?q=1")
    assert set(found["headers"]) == {"content-type", "content-length", "etag"}
    found = await fetch(lambda *_: answer(200, content_length="5000000"), method="HEAD", options={"max_bytes": 10})
    assert (found["headers"]["content-length"], found["text"]) == ("5000000", "")


@pytest.mark.parametrize(
    ("error", "type_"),
    [
        (httpx.ReadTimeout("slow"), "Timeout"),
        (httpx.ConnectError("nobody"), "NotReached"),
        (httpx.RemoteProtocolError("no HTTP"), "NotReached"),
    ],
)
async def test_a_server_that_does_not_answer_may_be_asked_again(error: Exception, type_: str) -> None:
    lying = Lying([PUBLIC])
    with pytest.raises(ToolError) as caught:
        await run_lying(lying, lying.network(error))
    assert (caught.value.type, caught.value.retryable) == (type_, True)


async def test_a_host_without_an_address_may_be_tried_again() -> None:
    """As may one that takes too long, wherever it is in the request."""

    async def nobody(_host: str, _port: int) -> list[str]:
        raise OSError("no such host")

    async def hanging(_host: str, _port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    for resolver, kind, message in (
        (nobody, "HostNotFound", "cannot be resolved"),
        (hanging, "Timeout", r"did not answer within 0\.2 s"),
    ):
        tool = http_fetch(["a.test"], resolver=resolver, timeout_seconds=0.2)
        with pytest.raises(ToolError, match=message) as caught:
            await tool.run({"url": "https://a.test"}, ToolContext.for_test())
        assert (caught.value.type, caught.value.retryable) == (kind, True)


@pytest.mark.parametrize(
    ("body", "headers", "text"),
    [
        ("grüß".encode(), {"content_type": "text/plain"}, "grüß"),
        ("grüß".encode("latin-1"), {"content_type": "text/html; charset=latin-1"}, "grüß"),
        (b"costs-n2", {"content_type": "text/plain; charset=punycode"}, "costs-n2"),
        (b"xn--n2", {"content_type": "text/plain; charset=idna"}, "xn--n2"),
        (b"unknown", {"content_type": "text/plain; charset=no-such"}, "unknown"),
        (b"{not json", {"content_type": "application/json"}, "{not json"),
        (gzip.compress(b"packed", mtime=0), {"content_encoding": "gzip"}, "packed"),
        (gzip.compress(b"packed", mtime=0), {"content_encoding": "x-gzip"}, "packed"),
        (
            gzip.compress(b"pack", mtime=0) + gzip.compress(b"ed", mtime=0) + b"\0\0",
            {"content_encoding": "gzip"},
            "packed",
        ),
        (zlib.compress(b"packed"), {"content_encoding": "deflate"}, "packed"),
        (b"", {}, ""),
        (b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", {"transfer_encoding": "chunked"}, "abcde"),
    ],
)
async def test_text_is_given_as_text(body: bytes, headers: dict[str, str], text: str) -> None:
    assert (await fetch(lambda *_: answer(200, body, **headers)))["text"] == text


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"x" * 101, {}),
        (b"", {"content_length": "101"}),
        (b"65\r\n" + b"x" * 101 + b"\r\n0\r\n\r\n", {"transfer_encoding": "chunked"}),
        (gzip.compress(b"x" * 1_000_000, mtime=0)[:100], {"content_encoding": "gzip"}),
        (gzip.compress(b"x" * 60, mtime=0) * 2, {"content_encoding": "gzip"}),
    ],
)
async def test_too_much_is_not_read_to_its_end(body: bytes, headers: dict[str, str]) -> None:
    error = await fails(lambda *_: answer(200, body, **headers), options={"max_bytes": 100})
    assert (error.type, error.retryable) == ("TooLarge", False)


@pytest.mark.parametrize(("status", "retryable"), [(404, False), (400, False), (429, True), (500, True), (503, True)])
async def test_an_error_status_is_an_error_and_says_whether_to_try_again(status: int, retryable: bool) -> None:
    error = await fails(lambda *_: answer(status, b"what  it\nsaid", retry_after="7"))
    assert (error.type, error.retryable, error.retry_after_seconds) == (f"http_{status}", retryable, 7)
    assert f"answered {status}, to be asked again after 7: what it said" in error.message


@pytest.mark.parametrize("encoding", [{}, {"content_encoding": "gzip"}])
async def test_an_error_that_says_very_much_keeps_its_status_and_its_wait(encoding: dict[str, str]) -> None:
    """Only its beginning is read, however large it is once unpacked."""
    said = b"slow down " * 1_000_000
    body = gzip.compress(said, mtime=0) if encoding else said
    error = await fails(lambda *_: answer(429, body, retry_after="2.5", **encoding), options={"max_bytes": 100})
    assert (error.type, error.retryable, error.retry_after_seconds) == ("http_429", True, 2.5)
    assert "slow down slow down" in error.message
    assert len(error.message) < 500


async def test_a_private_address_is_not_fetched_without_permission() -> None:
    """Though its host is on the list; nothing is sent."""
    async with web_server(lambda *_: answer()) as server:
        tool = http_fetch([f"127.0.0.1:{server.port}", f"localhost:{server.port}"])
        for host in ("127.0.0.1", "localhost"):
            with pytest.raises(ToolError, match="a private address") as caught:
                await tool.run({"url": f"http://{host}:{server.port}/"}, ToolContext.for_test())
            assert (caught.value.type, caught.value.retryable) == ("AddressRefused", False)
        assert server.heads == []


def ok() -> httpx.Response:
    """An answer that is still to be read, as one from the network is."""
    return httpx.Response(200, stream=httpx.ByteStream(b""))


class Lying:
    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)
        self.requested: list[str] = []
        self.requests: list[httpx.Request] = []

    async def resolve(self, host: str, port: int) -> list[str]:
        self.requested.append(f"{host}:{port}")
        return self._answers.pop(0)

    def network(self, *responses: httpx.Response | Exception) -> httpx.MockTransport:
        left = list(responses)

        def handle(request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            response = left.pop(0)
            if isinstance(response, Exception):
                raise response
            return response

        return httpx.MockTransport(handle)


async def run_lying(lying: Lying, transport: httpx.MockTransport, **arguments: Any) -> Any:
    options: dict[str, Any] = {"headers": {"Authorization": "Bearer x"}, "methods": ("GET", "POST")}
    tool = http_fetch(["*"], resolver=lying.resolve, transport=transport, **options)
    return await tool.run({"url": "https://a.test/p", **arguments}, ToolContext.for_test())


async def test_a_host_is_resolved_once_and_connected_to_at_that_very_address() -> None:
    """Rebinding: the second answer, a private one, is never asked for. Host and TLS name stay those of the URL."""
    lying = Lying([PUBLIC], ["127.0.0.1"])
    await run_lying(lying, lying.network(ok()))
    assert lying.requested == ["a.test:443"]
    (request,) = lying.requests
    assert request.url.host == PUBLIC
    assert request.headers["host"] == "a.test"
    assert request.extensions["sni_hostname"] == "a.test"


@pytest.mark.parametrize("answers", [["10.0.0.1"], [PUBLIC, "10.0.0.1"], ["::ffff:169.254.169.254"]])
async def test_one_bad_address_condemns_them_all(answers: list[str]) -> None:
    """Which one is connected to would be a matter of luck."""
    lying = Lying(answers)
    with pytest.raises(ToolError, match=r"host 'a\.test' leads to"):
        await run_lying(lying, lying.network())
    assert lying.requests == []


@pytest.mark.parametrize("failure", [httpx.ConnectError("no route"), httpx.ConnectTimeout("no answer")])
async def test_the_next_address_is_tried_where_one_does_not_answer(failure: Exception) -> None:
    """Within a second; the last one has all the time there is."""
    lying = Lying(["2606:4700::1111", PUBLIC])
    await run_lying(lying, lying.network(failure, ok()))
    assert [request.url.host for request in lying.requests] == ["2606:4700::1111", PUBLIC]
    first, last = (request.extensions["timeout"]["connect"] for request in lying.requests)
    assert first == 1.0 < last
    assert len({request.extensions["timeout"]["read"] for request in lying.requests}) == 1


async def test_a_redirect_is_judged_like_the_first_request() -> None:
    """Nor does what was asked for in secret go on in plain HTTP."""
    for to, why in (("https://b.test/", r"host 'b\.test' leads to 192"), ("http://a.test/", "from https to http")):
        lying = Lying([PUBLIC], ["192.168.0.1"])
        with pytest.raises(ToolError, match=why):
            await run_lying(lying, lying.network(httpx.Response(302, headers={"location": to})))
        assert len(lying.requests) == 1


async def test_a_redirect_elsewhere_loses_the_authors_headers() -> None:
    """And the key of the call; on the same origin it keeps them. After 303, it is a GET."""
    lying = Lying([PUBLIC], [PUBLIC], ["1.1.1.1"], ["1.1.1.1"])
    redirects = [(307, "/q"), (307, "https://b.test/r"), (303, "/done")]
    responses = [httpx.Response(status, headers={"location": to}) for status, to in redirects]
    found = await run_lying(lying, lying.network(*responses, ok()), method="POST", body="b")
    assert found["url"] == "https://b.test/done"
    assert [request.headers.get("authorization") for request in lying.requests] == ["Bearer x", "Bearer x", None, None]
    keys = [request.headers.get("idempotency-key") for request in lying.requests]
    assert keys == ["key-test", "key-test", None, None]
    assert [request.method for request in lying.requests] == ["POST", "POST", "POST", "GET"]
    assert [request.content for request in lying.requests[2:]] == [b"b", b""]


async def test_a_post_sends_its_body_and_the_key_of_the_call() -> None:
    """The same on every attempt, so that a server can tell a repetition."""
    async with web_server(lambda *_: answer(201, b"ok")) as server:
        tool = http_fetch([f"127.0.0.1:{server.port}"], methods=("POST",), allow_private=True)
        arguments = {"url": server.url, "body": '{"a": 1}', "headers": {"Content-Type": "application/json"}}
        found = await tool.run(arguments, ToolContext.for_test(idempotency_key="k-7"))
        assert found["status"] == 201
        assert server.bodies == [b'{"a": 1}']
        assert "idempotency-key: k-7" in server.heads[0].lower()
        assert "content-type: application/json" in server.heads[0].lower()
        assert "accept-encoding: gzip\r\n" in server.heads[0].lower()
        with pytest.raises(ToolError, match="more than 200000 bytes") as caught:
            await tool.run({**arguments, "body": "x" * 200_001}, ToolContext.for_test())
        assert (caught.value.type, len(server.bodies)) == ("TooLarge", 1)
        assert f"host: 127.0.0.1:{server.port}" in server.heads[0].lower()


@pytest.mark.parametrize(
    ("header", "text", "type_"),
    [(name, "x", "HeaderRefused") for name in ("Authorization", "Cookie", "Host", "Content-Length", "X-Forwarded-For")]
    + [("accept", "a\r\nx: y", "RequestRefused")],
)
async def test_a_model_may_not_set_every_header(header: str, text: str, type_: str) -> None:
    error = await fails(lambda *_: answer(), headers={header: text})
    assert (error.type, error.retryable) == (type_, False)


def two_members(body: bytes) -> bytes:
    return gzip.compress(body[:9]) + gzip.compress(body[9:])


WHOLE = b"".join(b"line %d of many\n" % number for number in range(5_000))


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("gzip", two_members), ("deflate", zlib.compress)]
)
async def test_a_packed_answer_that_is_cut_off_is_not_taken_as_whole(
    encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    """Its beginning can be unpacked, and the reader would take it for all there is."""
    packed = pack(WHOLE)
    for size_bytes in (len(packed) // 2, len(packed) - 1):
        error = await fails(lambda *_, end=size_bytes: answer(200, packed[:end], content_encoding=encoding))
        assert "cut off" in error.message
        assert error.retryable


async def test_methods_are_those_that_the_author_allows() -> None:
    """POST only by option, and no body otherwise."""
    with pytest.raises(InvalidArguments):
        await fetch(lambda *_: answer(), method="POST")
    assert (await fails(lambda *_: answer(), body="x")).type == "BodyRefused"
    with pytest.raises(TypeError, match="methods="):
        http_fetch(["a.test"], methods=("DELETE",))


async def test_what_is_not_text_is_reported() -> None:
    assert (await fails(lambda *_: answer(200, b"\xff\xd8\xff", content_type="image/jpeg"))).type == "NotText"
    assert (await fails(lambda *_: answer(200, b"x", content_type="text/plain; charset=undefined"))).type == "NotText"
    assert "'br'" in (await fails(lambda *_: answer(200, b"x", content_encoding="br"))).message
    assert (await fails(lambda *_: answer(200, b"no gzip", content_encoding="gzip"))).retryable


@pytest.mark.parametrize(
    ("location", "kind", "message"),
    [
        ("/again", "TooManyRedirects", "more than 2 redirects"),
        *((url, "UrlRefused", "") for url in ("file:///etc/passwd", "http://127.0.0.1:1/", "http://other.test/")),
    ],
)
async def test_a_redirect_in_a_circle_or_off_the_list_is_refused(location: str, kind: str, message: str) -> None:
    error = await fails(lambda *_: answer(302, location=location), options={"max_redirects": 2})
    assert (error.type, error.retryable) == (kind, False)
    assert message in error.message
