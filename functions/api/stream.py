"""A job's parts as server-sent events: AI SDK UI message stream v1, resumable by `Last-Event-ID` (CONTRACT, Streams).

A part's id is `<ms>-<n>`: the job's creation time and the part's number, from 1. Reading is by position, so a client
that comes back gets each part once. Stop is not disconnect: nothing here touches the job. A host that cannot stream
gets what is there, or what comes within a few seconds, without the end: the client comes back for more.
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from events.errors import StoreError
from events.ports import Reader, StoredParts
from functions.api.auth import Keys
from functions.api.no_job import no_job
from functions.api.problem import ApiError
from functions.api.stream_token import must_cover
from functions.container import Container
from functions.stopping import Stopping

_log = logging.getLogger("baton.api")

_ID = re.compile(r"\d{1,15}-(\d{1,15})")
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS, _HEARTBEAT_SECONDS = 0.03, 1.0, 15.0
# Where nothing can be streamed: how long a client waits for the next part, and before it comes back.
_BUFFERED_SECONDS, _RETRY_MS = 5.0, 500
HEADERS = {"cache-control": "no-cache, no-transform", "x-vercel-ai-ui-message-stream": "v1", "x-accel-buffering": "no"}


class StreamApi:
    """`GET /api/agent-jobs/{id}/stream`."""

    def __init__(self, container: Container, keys: Keys) -> None:
        self._container = container
        self._keys = keys

    async def stream(self, request: Request) -> Response:
        """All parts after the last one that the client has, then live until the job has ended."""
        principal = await self._keys.authenticate(request)
        job_id, after = request.path_params["job_id"], position_of(request)
        reader = self._container.ports.reader
        first = await reader.parts(job_id, after)
        if first.job is None:
            raise await no_job(self._container.ports.archive, principal, job_id)
        if not principal.may_see(first.job.tenant):
            raise ApiError(403, f"job {job_id!r} belongs to another tenant")
        must_cover(request, first.job.tenant, job_id, first.job.session_id)
        return stream_response(reader, self._container.stopping, job_id, first, after)


def stream_response(reader: Reader, stopping: Stopping, job_id: str, first: StoredParts, after: int = 0) -> Response:
    """A job's parts after the first `after` ones, of which `first` are read already."""
    return _PartsResponse(Looks(reader, stopping, job_id, after), first)


class _PartsResponse(StreamingResponse):
    """Live, but where the host keeps an answer back until it is whole: Mangum, which says so in the scope."""

    def __init__(self, looks: "Looks", first: StoredParts) -> None:
        self._looks = looks
        super().__init__(looks.events(first), headers=HEADERS, media_type="text/event-stream")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        self._looks.live = "aws.event" not in scope
        with contextlib.suppress(ClientDisconnect):  # who goes away comes back, or not: nothing is wrong
            await super().__call__(scope, receive, send)


class Looks:
    """One reader's looks at a job's parts. `after`: how many it has. `live`: they go on until the job has ended."""

    def __init__(self, reader: Reader, stopping: Stopping, job_id: str, after: int) -> None:
        self._reader = reader
        self._stopping = stopping
        self._job_id = job_id
        self.after = after
        self._pause_seconds, self._silent_seconds = _FIRST_PAUSE_SECONDS, 0.0
        self.live = True

    async def events(self, stored: StoredParts) -> AsyncIterator[str]:
        """The events of these parts and of those that come."""
        if not self.live:
            yield f"retry: {_RETRY_MS}\n\n"
        while stored.job is not None:
            for part in stored.parts:
                self.after += 1
                yield f"id: {stored.job.created_at_ms}-{self.after}\ndata: {part}\n\n"
            if stored.job.ended:
                yield "data: [DONE]\n\n"
                return
            if not self.live and (stored.parts or self._silent_seconds >= _BUFFERED_SECONDS):
                return
            if self.stopped:  # the client comes back for more, to a process that stays
                return
            if not stored.parts and self._silent_seconds >= _HEARTBEAT_SECONDS:
                self._silent_seconds = 0.0
                yield ": heartbeat\n\n"
            try:
                stored = await self.next(stored)
            except StoreError as error:
                # The answer has begun, so there is no status left to give: it ends, and the client comes back.
                _log.warning("the stream of %s ends before the job: %s", self._job_id, error)
                return

    @property
    def stopped(self) -> bool:
        """Whether there are no more looks here, since the process ends."""
        return self._stopping.begun

    async def next(self, stored: StoredParts) -> StoredParts:
        """Look again, a little later; `stored` is what the last look has found. Raises StoreError."""
        if stored.parts:
            self._pause_seconds, self._silent_seconds = _FIRST_PAUSE_SECONDS, 0.0
        await asyncio.sleep(self._pause_seconds)
        self._silent_seconds += self._pause_seconds
        # Each look is a billed request: look less often while nothing comes.
        self._pause_seconds = min(_LONGEST_PAUSE_SECONDS, self._pause_seconds * 1.3)
        return await self._reader.parts(self._job_id, self.after)


def position_of(request: HTTPConnection) -> int:
    """How many parts the client has.

    Raises:
        ApiError: 400, what it says is no position.
    """
    text = request.headers.get("last-event-id") or request.query_params.get("last_message_id") or "0-0"
    match = _ID.fullmatch(text)
    if match is None:
        raise ApiError(400, f"Last-Event-ID {text!r} is not of the form <ms>-<n>; 0-0 is the beginning")
    return int(match[1])
