"""A job's parts as server-sent events: AI SDK UI message stream v1, resumable by `Last-Event-ID` (CONTRACT, Streams).

`POST /api/stream-tokens` gives a short-lived token for it. A part's id is `<ms>-<n>`: the job's creation time and the
part's number, from 1. Reading is by position, so a client that comes back gets each part once. Stop is not disconnect:
nothing here changes the job. A host that cannot stream sends the parts that exist, without the end, and the delay until
the next request. Where time costs (STREAM_SILENCE_SECONDS), a stream also ends once its job only waits.
"""

import asyncio
import contextlib
import logging
import math
import re
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from baton.engine.state import Job
from baton.server.api.auth import Principal
from baton.server.api.jobs.context import Context
from baton.server.api.jobs.job import no_job
from baton.server.api.problem import ApiError, limited_body, parsed
from baton.server.api.stream_form import UI_MESSAGES, Form
from baton.server.api.stream_token import TOKEN_SECONDS, Grant, Permit, StreamTokens, check_capacity, must_cover
from baton.settings.limits import SESSION_LIMIT_CHARS
from baton.store.records.jobs import StoredParts
from baton.worker.commands.follow import RETRY_MS, ReadPace, come_back_ms, noticed_within, status_of, waits_for_long
from baton.worker.container import Container
from baton.worker.entry import UNTIL_MS
from baton_events.errors import BatonError, StoreError
from baton_events.timestamps import rfc3339

_log = logging.getLogger("baton.api")

_ID = re.compile(r"[0-9]{1,15}-([0-9]{1,15})")
HEARTBEAT_SECONDS = 10.0
# The size of one page of a long stream where a host sends answers whole: hosts allow 6 MB.
ANSWER_BYTES = 2_000_000
# The interval of checks whether the process stops or a follower's permit has ended; they need no store.
_STEP_SECONDS = 1.0


async def show_stream(context: Context, request: Request) -> Response:
    """Answer `GET /api/agent-jobs/{id}/stream` with all parts after the last one that the client has, then live."""
    principal, ports = await context.keys.authenticate(request), context.container.ports
    job_id, after = request.path_params["job_id"], position_of(request)
    first = await ports.reader.parts(job_id, after)
    if first.job is None:
        raise await no_job(ports.archive, principal, job_id)
    if not principal.may_see(first.job.tenant):
        raise ApiError(403, f"job {job_id!r} belongs to another tenant")
    must_cover(request, first.job.tenant, job_id, first.job.session_id)
    return streamed(context, request, principal, first, after)


def streamed(
    context: Context,
    request: Request,
    principal: Principal,
    first: StoredParts,
    after: int = 0,
    form: Form = UI_MESSAGES,
) -> StreamingResponse:
    """Stream a job's parts after the first `after` ones. `first`: the parts read already, of a known job.

    `form`: the format of the events.

    Raises ApiError: 429, the key follows as many streams as allowed.
    """
    if first.job is None:
        raise ValueError("only a known job's parts can be streamed")
    check_capacity(context.container, principal)
    permit = Permit(context.container, context.keys, request, principal)
    reader = StreamReader(context.container, permit, first.job.id, after, form)
    first = reader.mine(first)
    if not first.parts:
        reader.expects_silence()
    return ReaderResponse(reader, reader.events(first))


def is_live(scope: Scope) -> bool:
    """Return whether the host sends an answer while it is made; Mangum, which marks the scope, does not."""
    return UNTIL_MS in scope or "aws.event" not in scope


class ReaderResponse(StreamingResponse):
    """A live stream where the host allows it; otherwise one whole answer."""

    def __init__(self, reader: "StreamReader", events: AsyncIterator[str]) -> None:
        self._reader = reader
        super().__init__(events, headers=reader.form.headers, media_type="text/event-stream")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._reader.live = is_live(scope)
        self._reader.until_ms = scope.get(UNTIL_MS, math.inf)
        with self._reader.reading(), contextlib.suppress(ClientDisconnect):  # a client that disconnects may come back
            await super().__call__(scope, receive, send)


class StreamReader:
    """One reader of a job's parts, as far as its audience gets them.

    `after`: how many it has. `live`: whether it reads on until the job has ended. `until_ms`: the time when the host
    ends the answer.
    """

    def __init__(self, container: Container, permit: Permit, job_id: str, after: int, form: Form = UI_MESSAGES) -> None:
        self._reader, self._clock = container.ports.reader, container.ports.clock
        self._stopping, self._notices = container.stopping, container.notices
        self._followers, self._permit = container.followers, permit
        self._job_id, self.form, self.after = job_id, form, after
        self._left_bytes, self._advanced, self._complete = ANSWER_BYTES, False, False
        self.live, self.until_ms = True, math.inf
        self._longest_silence_seconds = container.settings.stream_silence_seconds or math.inf
        self._pace, self._noticed, self._silent_seconds = ReadPace(), asyncio.Event(), 0.0
        self._permitted, self._only_waits = True, False

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Count the reader among its key's followers, and wake it when its job continues in this process."""
        if not self.live:
            yield
            return
        with self._followers.following(self._permit.key_id), self._notices.of(self._job_id) as self._noticed:
            yield

    def expects_silence(self) -> None:
        """Let the next read check at once whether the job waits, where time costs: nothing new is stored yet."""
        if self._longest_silence_seconds < math.inf:
            self._pace.checks_at_once()

    def mine(self, stored: StoredParts) -> StoredParts:
        """Leave out the last parts, as far as they are not for the audience: nothing new has come by them."""
        part, parts = self._permit.audience.shown_part, stored.parts
        count = next((at for at in range(len(parts), 0, -1) if part(self._job_id, parts[at - 1])), 0)
        if parts and not count:
            self.after = stored.first + len(parts) - 1
        return stored if count == len(parts) else replace(stored, parts=parts[:count])

    async def events(self, stored: StoredParts) -> AsyncIterator[str]:
        stored = self.mine(stored)
        if not self.live:
            yield f"retry: {await self._come_back_ms(stored)}\n\n"
        while stored.job is not None:
            for text in self._written(stored.job, stored):
                yield text
            if self._complete:
                return
            if stored.job.ended or self.form.over:
                yield self.form.ending(stored.job)
                return
            if self.stopped or not self.live:  # the client comes back for more, to a process that stays
                break
            if not stored.parts and self._silent_seconds >= HEARTBEAT_SECONDS:
                yield ": heartbeat\n\n"
            try:
                stored = await self.next(stored)
            except BatonError as error:  # the store, or a text whose key is not there
                # The answer has begun, so there is no status left to give: it ends, and the client comes back.
                _log.warning("the stream of %s ends before the job: %s", self._job_id, error)
                return
        if self.let_go:
            yield f"retry: {await self._come_back_ms(stored)}\n\n"

    def _written(self, job: Job, stored: StoredParts) -> Iterator[str]:
        """Yield the events of these parts, or only as many as fit in one answer where the host sends it whole."""
        audience = self._permit.audience
        shown = audience.shown_job(job)
        for number, part in enumerate(stored.parts, stored.first):
            text = self.form.part(shown, number, mine) if (mine := audience.shown_part(job.id, part)) else ""
            self._left_bytes -= len(text)
            if not self.live and self._left_bytes < 0 and self._advanced:
                self._complete = True  # the client comes back for the next page
                return
            # Parts that the reader has give no event: behind them a part larger than a page is sent, too.
            self._advanced = self._advanced or text.startswith("id: ") or "\nid: " in text
            gone = f": the parts before {number} are gone\n" if number > self.after + 1 else ""
            self.after = number
            if text or gone:
                yield gone + (text or "\n")

    @property
    def stopped(self) -> bool:
        """Whether reading ends here: with the process, or with the follower's key or time."""
        return self._stopping.begun or not self._permitted or self.let_go

    @property
    def let_go(self) -> bool:
        """Whether the stream is released: its job only waits, it was silent for long, or the host's time is up."""
        waits = self._only_waits and self._longest_silence_seconds < math.inf
        silent = self._pace.silent_seconds >= self._longest_silence_seconds
        return waits or silent or self._clock.now_ms() >= self.until_ms

    async def next(self, stored: StoredParts) -> StoredParts:
        """Read again after a while. `stored`: the last read's parts. An empty result means to call it again.

        Raises StoreError.
        """
        return await self._read(stored) if await self.is_due(came=bool(stored.parts)) else StoredParts(stored.job)

    async def is_due(self, *, came: bool) -> bool:
        """Wait until a read is due; False: the stream stops before, or owes a heartbeat. `came`: the last had parts."""
        pace = self._pace
        if came:
            pace.arrived()
            self._silent_seconds, self._only_waits = 0.0, False
        elif self._silent_seconds >= HEARTBEAT_SECONDS:
            self._silent_seconds = 0.0
        while pace.until_read_seconds:
            seconds = min(_STEP_SECONDS, pace.until_read_seconds, HEARTBEAT_SECONDS - self._silent_seconds)
            if await noticed_within(self._noticed, seconds):
                pace.arrived()
            else:
                pace.passed(seconds)
                self._silent_seconds += seconds
            self._permitted = await self._permit.lasts()
            if self.stopped or self._silent_seconds >= HEARTBEAT_SECONDS:
                return False
        return True

    async def _read(self, stored: StoredParts) -> StoredParts:
        pace = self._pace
        if pace.checks_whether_it_waits:
            snapshot = (await self._reader.jobs([self._job_id])).get(self._job_id)
            now_ms = self._clock.now_ms()
            pace.learned(status_of(snapshot, now_ms) if snapshot else None)
            self._only_waits = snapshot is not None and waits_for_long(snapshot, now_ms)
        pace.read_again()
        job = stored.job
        if job and not pace.needs_whole_read and not await self._reader.parts_after(job, self.after):
            return StoredParts(job)
        pace.reads_whole()
        return self.mine(await self._reader.parts(self._job_id, self.after, job))

    async def _come_back_ms(self, stored: StoredParts) -> int:
        """Return when the client should come back, in ms, where no stream is held open."""
        if stored.job is None or stored.parts or stored.job.ended:
            return RETRY_MS
        try:
            snapshot = (await self._reader.jobs([self._job_id])).get(self._job_id)
        except StoreError as error:
            _log.warning("how long job %s has waited is not known: %s", self._job_id, error)
            snapshot = None
        return come_back_ms(snapshot, self._clock.now_ms()) if snapshot else RETRY_MS


def position_of(request: HTTPConnection) -> int:
    """Return how many parts the client has. Raises ApiError: 400, the header is no position."""
    text = request.headers.get("last-event-id") or request.query_params.get("last_message_id") or "0-0"
    match = _ID.fullmatch(text)
    if match is None:
        raise ApiError(400, f"Last-Event-ID {text!r} is not of the form <ms>-<n>; 0-0 is the beginning")
    return int(match[1])


class StreamTokenBody(BaseModel):
    """The job or the session to follow, one of both."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)

    job_id: Annotated[str, Field(min_length=1, max_length=400)] | None = None
    session_id: Annotated[str, Field(min_length=1, max_length=SESSION_LIMIT_CHARS)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "StreamTokenBody":
        if (self.job_id is None) == (self.session_id is None):
            raise ValueError("give jobId or sessionId, one of both")
        return self


async def make_token(context: Context, request: Request) -> Response:
    """Answer 200 with `{"token", "expiresAt"}`; 404 and 403 for a job that is unknown, or another tenant's."""
    principal = await context.keys.authenticate(request)
    body = parsed(StreamTokenBody, await limited_body(request))
    expires_ms = context.container.ports.clock.now_ms() + TOKEN_SECONDS * 1000
    tenant = await _tenant(context, principal, body)
    token = StreamTokens(context.container.settings).make(
        Grant(tenant, body.job_id or "", body.session_id or "", expires_ms)
    )
    return JSONResponse({"token": token, "expiresAt": rfc3339(expires_ms)}, headers={"cache-control": "no-store"})


async def _tenant(context: Context, principal: Principal, body: StreamTokenBody) -> str:
    if body.job_id is None:
        return principal.tenant
    return (await context.jobs.snapshot(principal, body.job_id)).job.tenant
