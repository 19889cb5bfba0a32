"""Requests to the API: sent, repeated where a repeat does no harm, and their answers read.

A request that is repeatable is sent again after a lost connection, a 429 and a 5xx, with growing pauses, and not before
the `Retry-After` of an answer. A stream continues after its last part by itself. Invariants: no other request is sent
twice; every part is yielded once and in order; an error names no key.
"""

import json
import re
import secrets
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from baton.client.errors import ApiError, UnreachableError, refusal
from baton.client.exchange import Exchange
from baton.client.results import Json, Part, Taken

Answer = TypeVar("Answer")

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 5.0
_COME_BACK_SECONDS = 0.5  # where a stream has ended before its job, without a delay of its own
_RETRY_DIGITS = 5  # of milliseconds: a hundred seconds at most
_TOO_MANY, _SERVER_ERROR = 429, 500
STREAM_END = "[DONE]"
KEY_HEADERS = ("Authorization", "x-api-key")
_NO_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def seconds_sent(given: "float | timedelta | None", name: str, *, above: float = -1) -> Any:
    """Return a duration in seconds; None: there is none. Raises ValueError: it is no such number."""
    from baton_events.values.durations import seconds_of  # noqa: PLC0415 - importing the client loads nothing of it

    return None if given is None else seconds_of(given, name, above=above)


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `query`, and `body` unless `whole`, leave out what is None; `repeatable`: it may arrive twice."""

    method: str
    path: str
    body: Json | None = None
    query: Mapping[str, Any] = field(default_factory=dict[str, Any])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    repeatable: bool = False
    whole: bool = False


def once(key: str = "") -> dict[str, str]:
    """Return the header by which a repeated request has one effect: the caller's key, or a new one."""
    return {"Idempotency-Key": key or secrets.token_urlsafe(16)}


class Pauses:
    """The pauses before a request is sent again: longer each time, and `left_seconds` of them in all."""

    def __init__(self, most_seconds: float) -> None:
        self._most_seconds = most_seconds
        self.reset()

    def reset(self) -> None:
        """Forget earlier failures."""
        self._left_seconds, self._next_seconds = self._most_seconds, _FIRST_PAUSE_SECONDS

    def pause_seconds(self, error: ApiError) -> float:
        """Return the seconds before the next try.

        Raises ApiError: the time is up, or the API requests a longer wait.
        """
        # Random, so that clients which were refused together come back one by one.
        spread_seconds = self._next_seconds * (0.5 + secrets.randbelow(500) / 1000)
        seconds = max(spread_seconds, error.retry_after_seconds or 0)
        if seconds > self._left_seconds:
            raise error
        self._left_seconds -= seconds
        self._next_seconds = min(_LONGEST_PAUSE_SECONDS, self._next_seconds * 2)
        return seconds


@dataclass(slots=True)
class Events:
    """Server-sent events of a text that comes in pieces; comments are dropped.

    `retry_seconds`: the delay after which the server expects its reader back. `_rest`: a line that has not ended.
    """

    retry_seconds: float = 0.0
    _rest: str = ""
    _data: list[str] = field(default_factory=list[str])
    _id: str = ""

    def take(self, text: str) -> list[tuple[str, str]]:
        """Return (id, data) of the events that end in this piece."""
        # Not `splitlines`: a text may have other line separators, which JSON leaves as they are.
        *lines, self._rest = (self._rest + text).split("\n")
        return [event for line in lines if (event := self._line(line.removesuffix("\r")))]

    def _line(self, line: str) -> tuple[str, str] | None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "id":
            self._id = value
        elif name == "retry" and value.isascii() and value.isdecimal():
            self.retry_seconds = int(value[:_RETRY_DIGITS]) / 1000
        if line:
            return None
        event = (self._id, "\n".join(self._data)) if self._data else None
        self._data, self._id = [], ""
        return event


class Requests:
    """A deployment's address, keys and transport; keys are not shown."""

    def __init__(self, exchange: Exchange, url: str, headers: Mapping[str, str], retry_seconds: float) -> None:
        self.exchange, self.url, self._headers, self._retry_seconds = exchange, url, headers, retry_seconds

    async def fetch_record(self, call: Call, kind: type[Answer]) -> Answer:
        """Send a request; return its JSON as a record of this kind.

        Raises ApiError: it was refused, or nothing answers.
        """
        return self._decoded(call, await self.response(call), kind)

    async def response(self, call: Call, *, stream: bool = False) -> httpx.Response:
        """Send a request; return its successful answer. Raises ApiError: it was refused, or nothing answers."""
        pauses = Pauses(self._retry_seconds if call.repeatable else 0)
        while True:
            try:
                return await self._once(call, stream=stream)
            except ApiError as error:
                if error.status and error.status != _TOO_MANY and error.status < _SERVER_ERROR:
                    raise
                seconds = pauses.pause_seconds(error)
            await self.exchange.sleep(seconds)

    async def parts(self, call: Call, after: str | None = None) -> AsyncGenerator[Part, None]:
        """Yield the parts of a stream to its end, after the one at this position.

        A chat's stream has its job's parts, so after a lost connection the job's own stream is read, which can be
        continued. A chat whose message is sent to a running job yields that job's parts.

        Raises ApiError: it was refused, or nothing has answered for too long.
        """
        position, pauses = after or "", Pauses(self._retry_seconds)
        while True:
            response, events = await self.response(_continued(call, position), stream=True), Events()
            try:
                if not str(response.headers.get("content-type")).startswith("text/event-stream"):
                    await self.exchange.read(response)
                    if not response.content:  # nothing runs in this session
                        return
                    call = job_stream(self._decoded(call, response, Taken).job_id)
                    continue
                async for text in self.exchange.texts(response):
                    for at, data in events.take(text):
                        if data == STREAM_END:
                            return
                        pauses.reset()
                        position, part = at, self._part(call, at, data)
                        if part.type == "start" and part.message_id:
                            call = job_stream(part.message_id)
                        yield part
                seconds = max(events.retry_seconds, _COME_BACK_SECONDS)
            except httpx.TransportError as error:
                seconds = pauses.pause_seconds(self._unreachable(call, error))
            finally:
                await self.exchange.hang_up(response)
            await self.exchange.sleep(seconds)

    async def _once(self, call: Call, *, stream: bool) -> httpx.Response:
        headers = {**self._headers, **call.headers}
        options: dict[str, Any] = {"headers": {name: _header(name, value) for name, value in headers.items()}}
        if call.query:
            options["params"] = {name: _sent(value) for name, value in call.query.items() if value is not None}
        if call.body is not None:
            body = call.body if call.whole else {k: v for k, v in call.body.items() if v is not None}
            options["content"] = _json(body)
            options["headers"]["Content-Type"] = b"application/json"
        try:
            request = self.exchange.build(call.method, self.url + call.path, **options)
            response = await self.exchange.send(request, stream=stream)
            if not response.is_success:
                await self.exchange.read(response)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unreachable(call, error) from error
        if response.is_success:
            return response
        raise refusal(response)

    def _unreachable(self, call: Call, error: Exception) -> ApiError:
        return UnreachableError(f"no answer from {self.url}{call.path}: {str(error) or type(error).__name__}")

    def _decoded(self, call: Call, response: httpx.Response, kind: type[Answer]) -> Answer:
        try:
            return msgspec.json.decode(response.content or b"null", type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._foreign(call, error) from error

    def _part(self, call: Call, position: str, data: str) -> Part:
        try:
            return part_of(position, data)
        except (ValueError, TypeError, RecursionError) as error:  # of another server, or half of one
            raise self._foreign(call, error) from error

    def _foreign(self, call: Call, error: Exception) -> ApiError:
        place = f"{self.url}{call.path}"
        return UnreachableError(f"{place} did not answer as Baton does: is this its address? ({error})")


def _header(name: str, value: str) -> bytes:
    """Return a header's value as it is sent: any text, as UTF-8.

    Raises ValueError: no header holds it; a key is not shown.
    """
    if value != value.strip(" \t") or _NO_HEADER.search(value):
        shown = "the key" if name in KEY_HEADERS else f"{name} {value!r}"
        raise ValueError(f"{shown} has a line break, another control character or a blank at an end: take it out")
    return value.encode("utf-8", "replace")


def in_path(one: str) -> str:
    """Return an id as a part of a path: any text, also one of dots, which would lead to another path."""
    text = quote(_sent(one), safe="")
    return text.replace(".", "%2E") if text in (".", "..") else text


def _sent(value: Any) -> Any:
    """Return a text as UTF-8 can hold it, and anything else as it is."""
    from baton_events.values.text import storable  # noqa: PLC0415 - importing the client loads nothing of it

    return storable(value) if isinstance(value, str) else value


def _json(body: Json) -> str:
    """Return the body's JSON.

    Raises ValueError: it cannot hold a value, whose place is named: NaN would become null.
    """
    from baton_events.values.json_value import recorded_json  # noqa: PLC0415 - as above

    return recorded_json(body, "body")


def job_stream(job_id: str) -> Call:
    return Call("GET", f"/api/agent-jobs/{in_path(job_id)}/stream", repeatable=True)


def part_of(position: str, data: str) -> Part:
    raw: Json = json.loads(data)
    return msgspec.convert({**raw, "position": position, "raw": raw}, Part)


def _continued(call: Call, position: str) -> Call:
    return replace(call, headers={**call.headers, "Last-Event-ID": position}) if position else call
