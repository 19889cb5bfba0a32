"""The HTTP clients of providers' libraries: bounded answers, and the proxies that all of Baton heeds."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from itertools import repeat
from typing import Any

import pytest

from baton.sdk.models.catalog import ProviderModel
from baton.sdk.models.model import ModelError, ModelRequest, UserMessage
from baton.sdk.models.through_pydantic_ai.background_responses import RESPONSES, Responses
from baton.sdk.records.transcript import HttpRequest
from baton_events.bounded import HTTP_LIMIT_BYTES

MB = b"x" * 1_000_000
JSON, STREAM = b"content-type: application/json\r\n", b"content-type: text/event-stream\r\n"
PACKED = gzip.compress(b'{"id": "' + b"x" * 60_000_000, compresslevel=1, mtime=0)
QUESTION = ModelRequest("", (UserMessage("Hello"),), (), 1)


class Sending:
    """A server that sends one answer, and counts what it could send; `asked`: its requests' first lines."""

    def __init__(self, headers: bytes, pieces: Callable[[], Any]) -> None:
        self.url, self.sent_bytes, self.asked = "", 0, list[str]()
        self._headers, self._pieces = headers, pieces

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            self.asked.append((await reader.readuntil(b"\r\n\r\n")).decode().partition(" HTTP")[0])
            writer.write(b"HTTP/1.1 200 OK\r\n" + self._headers + b"connection: close\r\n\r\n")
            for piece in self._pieces():
                writer.write(piece)
                await writer.drain()
                self.sent_bytes += len(piece)
        writer.transport.abort()


@asynccontextmanager
async def sending(headers: bytes, pieces: Callable[[], Any]) -> AsyncIterator[Sending]:
    made = Sending(headers, pieces)
    async with await asyncio.start_server(made.handle, "127.0.0.1", 0) as server:
        made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield made


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def at(server: str, monkeypatch: pytest.MonkeyPatch, model: str) -> ProviderModel:
    for provider in ("OPENAI", "ANTHROPIC"):
        monkeypatch.setenv(f"{provider}_BASE_URL", server)
    return ProviderModel(model)


ENDLESS = [
    pytest.param(JSON, lambda: repeat(MB, 60), id="an answer of 60 MB"),
    pytest.param(JSON + b"content-encoding: gzip\r\n", lambda: [PACKED], id="a bomb of gzip"),
    pytest.param(STREAM, lambda: [b"data: ", *repeat(MB, 60)], id="an event of 60 MB"),
]


@pytest.mark.parametrize("model", ["openai-chat:gpt-4o", "anthropic:claude-sonnet-5"])
@pytest.mark.parametrize(("headers", "pieces"), ENDLESS)
async def test_an_answer_of_a_model_is_bounded_while_it_arrives(
    model: str, headers: bytes, pieces: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sending(headers, pieces) as server:
        with pytest.raises(ModelError, match=f"more than {HTTP_LIMIT_BYTES} bytes") as caught:
            await at(server.url, monkeypatch, model).answer(QUESTION)
    assert not caught.value.retryable
    assert server.sent_bytes < 2 * HTTP_LIMIT_BYTES


async def test_so_is_an_answer_of_background_mode() -> None:
    async with sending(JSON, lambda: repeat(MB, 60)) as server:
        answer = await RESPONSES.polled(HttpRequest(server.url, {}, ""), "response", 1)
    assert (answer.status, b"more than" in answer.body) == (0, True)
    assert server.sent_bytes < 2 * HTTP_LIMIT_BYTES


@pytest.mark.parametrize("charset", ["punycode", "IDNA", "utf-8"])
async def test_no_answer_is_decoded_in_the_square_of_its_length(charset: str) -> None:
    """Libraries decode the text of an error, and the lines of a stream, as the answer says."""
    async with sending(f"content-type: text/plain; charset={charset}\r\n".encode(), lambda: [b"a-b"]) as server:
        answer = await RESPONSES.polled(HttpRequest(server.url, {}, ""), "response", 1)
    assert answer.headers["content-type"] == ("text/plain; charset=utf-8" if charset == "utf-8" else "text/plain")


async def test_an_answer_of_background_mode_that_comes_byte_by_byte_is_given_up() -> None:
    hung_up = asyncio.Event()

    async def trickles(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        with suppress(OSError):
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.01)
        writer.transport.abort()
        hung_up.set()

    async with asyncio.timeout(30), await asyncio.start_server(trickles, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        answer = await Responses(seconds=0.3).polled(HttpRequest(url, {}, ""), "response", 1)
        await hung_up.wait()
    assert (answer.status, answer.body) == (0, b"TimeoutError")


async def test_models_heed_the_networks_of_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """As every other client does; the library's own would ask the proxy."""
    async with sending(JSON, lambda: [b"{}"]) as proxy, sending(JSON, lambda: [b"{}"]) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        for no_proxy in ("127.0.0.0/8", "10.0.0.0/8"):
            monkeypatch.setenv("NO_PROXY", no_proxy)
            with pytest.raises(ModelError):
                await at(server.url, monkeypatch, "openai-chat:gpt-4o").answer(QUESTION)
    assert server.asked == ["POST /chat/completions"]
    assert proxy.asked == [f"POST {server.url}/chat/completions"]


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:9", "socks4://127.0.0.1:9", "http://[::1"])
async def test_a_proxy_that_cannot_be_used_is_named(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(ModelError) as caught:
        await at("https://model.invalid", monkeypatch, "openai-chat:gpt-4o").answer(QUESTION)
    assert f"the proxy {proxy} (ALL_PROXY)" in caught.value.message
