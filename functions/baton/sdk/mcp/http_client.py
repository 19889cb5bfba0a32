"""What the HTTP of an MCP server may do here: its answers are bounded as they arrive, its metadata leads nowhere else.

Invariants: a request goes only to the hosts of the server and of its issuer, whatever OAuth metadata says; a refusal
with a wait becomes an error that names it. Imports the SDK's HTTP library: only calls do. Must not: retry.
"""

import json
from codecs import BOM_UTF8
from collections.abc import AsyncIterator, Collection
from typing import Any, cast
from urllib.parse import urlsplit

import httpx2

from baton.sdk.clock import SystemClock
from baton_events.bounded import ACCEPTED, HTTP_LIMIT_BYTES, too_large_message
from baton_events.proxies import AsyncEnvironmentTransport
from baton_events.values.text import storable_json, text_of
from baton_events.values.waits import requested_wait_seconds

# The server's streams of a connection, with those that go on after a break.
_MOST_STREAMS = 20
# As the SDK's own client has them: a server may hold a stream open.
_SECONDS, _STREAM_SECONDS = 30.0, 300.0
_BUSY_STATUSES = frozenset({429, 503})
# The code of our own error for a refusal, and the name of its wait.
BUSY, WAIT_SECONDS = -32_029, "retryAfterSeconds"
# Our own error for a request whose session is over, so it has not run; and the name of a status in any other error.
SESSION_OVER, STATUS = -32_030, "status"
_SESSION, _INTERNAL_ERROR, _REFUSED = "mcp-session-id", -32_603, -32_600


class AnswerTooLargeError(httpx2.SSEError, httpx2.StreamError):
    """An answer is over the limit: an error that the SDK takes for the end of one request, whatever its form."""

    def __init__(self) -> None:
        httpx2.SSEError.__init__(self, too_large_message(HTTP_LIMIT_BYTES))


class StorableLines(httpx2.AsyncByteStream):
    """An answer in JSON, or its events, with storable texts: the SDK refuses an answer with half a character whole."""

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Pass on whole lines: a chunk may end within a text."""
        held, is_first = list[bytes](), True
        async for piece in self._stream:
            if is_first and piece:
                piece, is_first = piece.removeprefix(BOM_UTF8), False  # noqa: PLW2901 - which JSON has not
            lines, end, rest = piece.rpartition(b"\n" if b"\n" in piece else b"\r")
            if end:
                yield _storable(b"".join((*held, lines, end)))
                held.clear()
            held.append(rest)
        if rest := b"".join(held):
            yield _storable(rest)

    async def aclose(self) -> None:
        """Close the answer's own."""
        await self._stream.aclose()


class NamedAnswer(StorableLines):
    """An answer in JSON, whose error has its request's id: with another one, such as null, the SDK waits for ever."""

    def __init__(self, stream: httpx2.AsyncByteStream, request: httpx2.Request) -> None:
        super().__init__(stream)
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield _named(b"".join([piece async for piece in super().__aiter__()]), self._request)


def _named(answer: bytes, request: httpx2.Request) -> bytes:
    """Return an error with the id of its request, a code and a message; anything else as it is."""
    if b'"error"' not in answer:
        return answer
    try:
        found, asked = json.loads(answer), json.loads(request.content)
    except (httpx2.RequestNotRead, ValueError, RecursionError):
        return answer
    error = found.get("error") if isinstance(found, dict) else None
    if (
        not isinstance(error, dict)
        or found.get("result") is not None
        or not isinstance(asked, dict)
        or "id" not in asked
    ):
        return answer
    code, message = error.get("code"), error.get("message")
    error["code"] = code if type(code) is int else _REFUSED
    error["message"] = message if isinstance(message, str) else text_of(error if message is None else message)
    return json.dumps({"jsonrpc": "2.0", "id": asked["id"], "error": error}).encode()


def _storable(lines: bytes) -> bytes:
    return storable_json(lines.decode(errors="replace").encode())


class Guard:
    """The hooks of one connection's HTTP client. `hosts`: those that requests may go to."""

    def __init__(self, hosts: Collection[str]) -> None:
        self._hosts = frozenset(map(str.lower, hosts))
        self._streams = 0

    @property
    def hooks(self) -> dict[str, list[Any]]:
        return {"request": [self._check], "response": [self._answer]}

    async def _check(self, request: httpx2.Request) -> None:
        if request.url.host not in self._hosts:
            raise httpx2.UnsupportedProtocol(
                f"its OAuth metadata leads to {request.url.host!r}, which is neither its own host nor its issuer's:"
                " name it in ClientCredentials(hosts=…) if it is right"
            )
        self._streams += request.method == "GET" and "text/event-stream" in request.headers.get("accept", "")
        if self._streams > _MOST_STREAMS:
            raise httpx2.ConnectError(f"the server has broken off {_MOST_STREAMS} streams")

    async def _answer(self, response: httpx2.Response) -> None:
        assert isinstance(response.stream, httpx2.AsyncByteStream), "of an asynchronous client"
        status, wait_seconds = response.status_code, None
        if status in _BUSY_STATUSES:
            wait_seconds = requested_wait_seconds(response.headers, SystemClock().now_ms())
        if wait_seconds is not None:
            await _answer_instead(response, BUSY, {WAIT_SECONDS: wait_seconds})
        elif status == httpx2.codes.NOT_FOUND and _SESSION in response.request.headers:
            await _answer_instead(response, SESSION_OVER, {})
        elif response.is_error and status != httpx2.codes.NOT_FOUND and not await _has_protocol_error(response):
            await _answer_instead(response, _INTERNAL_ERROR, {STATUS: status})
        elif response.headers.get("content-type", "").lower().startswith("application/json"):
            response.stream = NamedAnswer(response.stream, response.request)
        else:
            response.stream = StorableLines(response.stream)


async def _has_protocol_error(response: httpx2.Response) -> bool:
    """Return whether an error of the protocol is in the answer, which stays unread."""
    headers = response.headers
    if not headers.get("content-type", "").lower().startswith("application/json") or "content-encoding" in headers:
        return False
    assert isinstance(response.stream, httpx2.AsyncByteStream), "of an asynchronous client"
    try:
        body = b"".join([piece async for piece in response.stream])  # the transport bounds it
        found = json.loads(body)
    except (httpx2.HTTPError, httpx2.StreamError, ValueError, RecursionError):
        return False
    response.stream = httpx2.ByteStream(body)
    return isinstance(found, dict) and isinstance(found.get("error"), dict)


async def _answer_instead(response: httpx2.Response, code: int, data: dict[str, Any]) -> None:
    """Put an error that names the status into the place of an answer which names nothing, or nothing that is read."""
    error = {"code": code, "message": f"the server answered {response.status_code}", "data": data}
    assert isinstance(response.stream, httpx2.AsyncByteStream), "as above"
    await response.stream.aclose()  # not the answer, which is read once more
    response.stream = httpx2.ByteStream(json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode())
    response.headers["content-type"] = "application/json"


def guarded_client(
    headers: dict[str, str], auth: Any, hosts: Collection[str], call_seconds: float
) -> httpx2.AsyncClient:
    """Make the HTTP client of one connection: through the environment's proxies, with bounded answers.

    `call_seconds`: the limit of a call, which may be silent for all of it.
    """
    return httpx2.AsyncClient(
        headers={"accept-encoding": ACCEPTED, **headers},
        auth=auth,
        timeout=httpx2.Timeout(_SECONDS, read=max(_STREAM_SECONDS, call_seconds)),
        transport=cast("Any", AsyncEnvironmentTransport(library=httpx2, too_large=AnswerTooLargeError)),
        event_hooks=Guard(hosts).hooks,
    )


def host_of(url: str) -> str:
    return urlsplit(url).hostname or ""
