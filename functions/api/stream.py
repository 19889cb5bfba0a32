"""A job's parts as server-sent events: AI SDK UI message stream v1, resumable by `Last-Event-ID` (CONTRACT, Streams).

A part's id is `<ms>-<n>`: the job's creation time and the part's number, from 1. Reading is by position, so a client
that comes back gets each part once. Stop is not disconnect: nothing here touches the job.
"""

import asyncio
import re
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from events.ports import Reader, StoredParts
from functions.api.auth import Keys
from functions.api.problem import ApiError
from functions.container import Container

_ID = re.compile(r"\d{1,15}-(\d{1,15})")
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS, _HEARTBEAT_SECONDS = 0.03, 1.0, 15.0
HEADERS = {"cache-control": "no-cache, no-transform", "x-vercel-ai-ui-message-stream": "v1", "x-accel-buffering": "no"}


class StreamApi:
    """`GET /api/agent-jobs/{id}/stream`."""

    def __init__(self, container: Container, keys: Keys) -> None:
        self._container = container
        self._keys = keys

    async def stream(self, request: Request) -> Response:
        """All parts after the last one that the client has, then live until the job has ended."""
        principal = await self._keys.authenticate(request)
        job_id, after = request.path_params["job_id"], _after(request)
        reader = self._container.ports.reader
        first = await reader.parts(job_id, after)
        if first.job is None:
            raise ApiError(404, f"there is no job {job_id!r}")
        if not principal.may_see(first.job.tenant):
            raise ApiError(403, f"job {job_id!r} belongs to another tenant")
        return stream_response(reader, job_id, first, after)


def stream_response(reader: Reader, job_id: str, first: StoredParts, after: int = 0) -> Response:
    """A job's parts after the first `after` ones, of which `first` are read already."""
    return StreamingResponse(_events(reader, job_id, first, after), headers=HEADERS, media_type="text/event-stream")


async def _events(reader: Reader, job_id: str, stored: StoredParts, after: int) -> AsyncIterator[str]:
    pause_seconds, silent_seconds = _FIRST_PAUSE_SECONDS, 0.0
    while stored.job is not None:
        for part in stored.parts:
            after += 1
            yield f"id: {stored.job.created_at_ms}-{after}\ndata: {part}\n\n"
        if stored.job.ended:
            yield "data: [DONE]\n\n"
            return
        if stored.parts:
            pause_seconds, silent_seconds = _FIRST_PAUSE_SECONDS, 0.0
        elif silent_seconds >= _HEARTBEAT_SECONDS:
            silent_seconds = 0.0
            yield ": heartbeat\n\n"
        await asyncio.sleep(pause_seconds)
        silent_seconds += pause_seconds
        # Each look is a billed request: look less often while nothing comes.
        pause_seconds = min(_LONGEST_PAUSE_SECONDS, pause_seconds * 1.3)
        stored = await reader.parts(job_id, after)


def _after(request: Request) -> int:
    text = request.headers.get("last-event-id") or request.query_params.get("last_message_id") or "0-0"
    match = _ID.fullmatch(text)
    if match is None:
        raise ApiError(400, f"Last-Event-ID {text!r} is not of the form <ms>-<n>; 0-0 is the beginning")
    return int(match[1])
