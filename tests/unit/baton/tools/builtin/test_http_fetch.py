"""Fetching over HTTP, from a real server on this machine, and with a resolver that lies."""

import asyncio
import gzip
import zlib
from typing import Any

import httpx
import pytest

from baton.tools.arguments import InvalidArguments
from baton.tools.builtin.http_fetch import http_fetch
from baton.tools.context import ToolContext
from baton.tools.tool_error import ToolError
from tests.unit.baton.tools.builtin.web_server import Answer, answer, web_server

PUBLIC = "93.184.216.34"


async def fetch(answers: Answer, path: str = "/", options: dict[str, Any] | None = None, **arguments: Any) -> Any:
    """Fetch from a server of its own that answers so."""
    async with web_server(answers) as server:
        tool = http_fetch([f"127.0.0.1:{server.port}"], **{"allow_private": True, **(options or {})})
        return await tool.run({"url": server.url + path, **arguments}, ToolContext.for_test())


async def fails(answers: Answer, path: str = "/", options: dict[str, Any] | None = None, **arguments: Any) -> ToolError:
    """How a fetch fails."""
    with pytest.raises(ToolError) as caught:
        await fetch(answers, path, options, **arguments)
    return caught.value


async def test_json_is_given_as_json() -> None:
    """With status, URL and the headers that matter; cookies are not shown."""
    found = await fetch(
        lambda *_: answer(200, b'{"a": 1}', content_type="application/json", etag="x", set_cookie="session=1"), "/p?q=1"
    )
    assert found["json"] == {"a": 1}
    assert found["status"] == 200
    assert found["url"].endswith("/p?q=1")
    assert set(found["headers"]) == {"content-type", "content-length", "etag"}


@pytest.mark.parametrize(
    ("body", "headers", "text"),
    [
        ("grüß".encode(), {"content_type": "text/plain"}, "grüß"),
        ("grüß".encode("latin-1"), {"content_type": "text/html; charset=latin-1"}, "grüß"),
        (b"{not json", {"content_type": "application/json"}, "{not json"),
        (gzip.compress(b"packed", mtime=0), {"content_encoding": "gzip"}, "packed"),
        (zlib.compress(b"packed"), {"content_encoding": "deflate"}, "packed"),
        (b"", {}, ""),
        (b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", {"transfer_encoding": "chunked"}, "abcde"),
    ],
)
async def test_text_is_given_as_text(body: bytes, headers: dict[str, str], text: str) -> None:
    """However it is encoded."""
    assert (await fetch(lambda *_: answer(200, body, **headers)))["text"] == text


async def test_head_reads_no_body() -> None:
    """The headers say enough."""
    found = await fetch(lambda *_: answer(200, content_length="5000000"), method="HEAD", options={"max_bytes": 10})
    assert (found["headers"]["content-length"], found["text"]) == ("5000000", "")


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"x" * 101, {}),
        (b"", {"content_length": "101"}),
        (b"65\r\n" + b"x" * 101 + b"\r\n0\r\n\r\n", {"transfer_encoding": "chunked"}),
        (gzip.compress(b"x" * 1_000_000, mtime=0)[:100], {"content_encoding": "gzip"}),
    ],
)
async def test_too_much_is_not_read_to_its_end(body: bytes, headers: dict[str, str]) -> None:
    """By what is announced, what comes, and what a few packed bytes unpack to."""
    error = await fails(lambda *_: answer(200, body, **headers), options={"max_bytes": 100})
    assert (error.type, error.retryable) == ("TooLarge", False)


@pytest.mark.parametrize(("status", "retryable"), [(404, False), (400, False), (429, True), (500, True), (503, True)])
async def test_an_error_status_is_an_error_and_says_whether_to_try_again(status: int, retryable: bool) -> None:
    """With the beginning of what the server said."""
    error = await fails(lambda *_: answer(status, b"what  it\nsaid", retry_after="7"))
    assert (error.type, error.retryable) == (f"http_{status}", retryable)
    assert f"answered {status}, to be asked again after 7: what it said" in error.message


async def test_a_server_that_does_not_answer_is_left_in_time() -> None:
    """And may be asked again."""

    async def hang(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.sleep(30)
        finally:
            writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        tool = http_fetch([f"127.0.0.1:{port}"], allow_private=True, timeout_seconds=0.2)
        with pytest.raises(ToolError, match=r"did not answer within 0\.2 s") as caught:
            await tool.run({"url": f"http://127.0.0.1:{port}"}, ToolContext.for_test())
    assert (caught.value.type, caught.value.retryable) == ("Timeout", True)


async def test_nobody_at_the_address_may_be_tried_again() -> None:
    """A port on which nobody listens."""
    async with web_server(lambda *_: b"") as server:
        port = server.port
    tool = http_fetch([f"127.0.0.1:{port}"], allow_private=True)
    with pytest.raises(ToolError) as caught:
        await tool.run({"url": f"http://127.0.0.1:{port}"}, ToolContext.for_test())
    assert (caught.value.type, caught.value.retryable) == ("NotReached", True)


async def test_an_answer_that_is_no_http_may_be_requested_again() -> None:
    """A connection that breaks looks the same."""
    assert (await fails(lambda *_: b"SSH-2.0\r\n")).type == "NotReached"


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
    """A resolver that says something else the second time, and a network that notes who is connected to."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)
        self.requested: list[str] = []
        self.requests: list[httpx.Request] = []

    async def resolve(self, host: str, port: int) -> list[str]:
        """The next answer."""
        self.requested.append(f"{host}:{port}")
        return self._answers.pop(0)

    def network(self, *responses: httpx.Response | Exception) -> httpx.MockTransport:
        """Answers in turn."""
        left = list(responses)

        def handle(request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            response = left.pop(0)
            if isinstance(response, Exception):
                raise response
            return response

        return httpx.MockTransport(handle)


async def run_lying(lying: Lying, transport: httpx.MockTransport, **arguments: Any) -> Any:
    """Fetch over a resolver that lies."""
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


async def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    """As with a machine that has no IPv6."""
    lying = Lying(["2606:4700::1111", PUBLIC])
    await run_lying(lying, lying.network(httpx.ConnectError("no route"), ok()))
    assert [request.url.host for request in lying.requests] == ["2606:4700::1111", PUBLIC]


async def test_a_redirect_is_judged_like_the_first_request() -> None:
    """Its address, too."""
    lying = Lying([PUBLIC], ["192.168.0.1"])
    with pytest.raises(ToolError, match=r"host 'b\.test' leads to 192"):
        await run_lying(lying, lying.network(httpx.Response(302, headers={"location": "https://b.test/"})))
    assert len(lying.requests) == 1


async def test_a_redirect_elsewhere_loses_the_authors_headers() -> None:
    """And the key of the call; on the same origin it keeps them."""
    lying = Lying([PUBLIC], [PUBLIC], ["1.1.1.1"])
    redirects = [httpx.Response(307, headers={"location": to}) for to in ("/q", "https://b.test/r")]
    found = await run_lying(lying, lying.network(*redirects, ok()), method="POST", body="b")
    assert found["url"] == "https://b.test/r"
    assert [request.headers.get("authorization") for request in lying.requests] == ["Bearer x", "Bearer x", None]
    assert [request.headers.get("idempotency-key") for request in lying.requests] == ["key-test", "key-test", None]
    assert [request.method for request in lying.requests] == ["POST"] * 3
    assert lying.requests[2].content == b"b"


async def test_a_redirect_after_a_post_is_a_get() -> None:
    """303, and what browsers made of 302."""
    lying = Lying([PUBLIC], [PUBLIC])
    redirect = httpx.Response(303, headers={"location": "/done"})
    await run_lying(lying, lying.network(redirect, ok()), method="POST", body="b")
    assert (lying.requests[1].method, lying.requests[1].content) == ("GET", b"")


async def test_a_redirect_to_plain_http_is_not_followed() -> None:
    """What was asked for in secret stays so."""
    lying = Lying([PUBLIC])
    with pytest.raises(ToolError, match="from https to http"):
        await run_lying(lying, lying.network(httpx.Response(301, headers={"location": "http://a.test/"})))


async def test_redirects_in_a_circle_end() -> None:
    """After as many as the author allows."""
    error = await fails(lambda *_: answer(302, location="/again"), options={"max_redirects": 2})
    assert (error.type, error.retryable) == ("TooManyRedirects", False)
    assert "more than 2 redirects" in error.message


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http://127.0.0.1:1/", "http://other.test/"])
async def test_a_redirect_that_leaves_the_list_is_refused(location: str) -> None:
    """Other schemes, ports and hosts."""
    assert (await fails(lambda *_: answer(302, location=location))).type == "UrlRefused"


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
        assert f"host: 127.0.0.1:{server.port}" in server.heads[0].lower()


@pytest.mark.parametrize("header", ["Authorization", "Cookie", "Host", "Content-Length", "X-Forwarded-For"])
async def test_a_model_may_not_set_every_header(header: str) -> None:
    """None that speaks for somebody or frames the request."""
    error = await fails(lambda *_: answer(), headers={header: "x"})
    assert (error.type, error.retryable) == ("HeaderRefused", False)


async def test_a_header_with_a_line_break_is_refused() -> None:
    """It would smuggle in another one."""
    assert (await fails(lambda *_: answer(), headers={"accept": "a\r\nx: y"})).type == "RequestRefused"


async def test_methods_are_those_that_the_author_allows() -> None:
    """POST only by option, and no body otherwise."""
    with pytest.raises(InvalidArguments):
        await fetch(lambda *_: answer(), method="POST")
    assert (await fails(lambda *_: answer(), body="x")).type == "BodyRefused"
    with pytest.raises(TypeError, match="methods="):
        http_fetch(["a.test"], methods=("DELETE",))


async def test_what_is_not_text_is_reported() -> None:
    """A picture, or an encoding that was not asked for."""
    assert (await fails(lambda *_: answer(200, b"\xff\xd8\xff", content_type="image/jpeg"))).type == "NotText"
    assert "'br'" in (await fails(lambda *_: answer(200, b"x", content_encoding="br"))).message
    assert (await fails(lambda *_: answer(200, b"no gzip", content_encoding="gzip"))).retryable


async def test_a_host_without_an_address_may_be_tried_again() -> None:
    """Name servers fail, too."""

    async def nobody(_host: str, _port: int) -> list[str]:
        raise OSError("no such host")

    tool = http_fetch(["a.test"], resolver=nobody)
    with pytest.raises(ToolError, match="cannot be resolved") as caught:
        await tool.run({"url": "https://a.test"}, ToolContext.for_test())
    assert (caught.value.type, caught.value.retryable) == ("HostNotFound", True)
