"""`GET /api/sessions/{id}/stream`: the parts of all jobs of a session, as they come, so that a page needs no polling.

An event is `{"jobId", "part"}`, with a part as the chat gets it, or of a job that is new `{"jobId", "message"}`, with
what its user has written. Invariant: an event's id names the newest job, and how many parts the reader has of each that
has not ended. So a reader that comes back misses nothing, and gets nothing twice. Must not: change a job.
"""

import json
import logging
import re
from collections.abc import AsyncIterator, Iterator

from starlette.requests import Request
from starlette.responses import Response

from baton.engine.all_jobs.job_list import Query, position_of
from baton.engine.state import Job
from baton.engine.transitions import JobStatus
from baton.server.api.jobs.context import Context
from baton.server.api.problem import ApiError
from baton.server.api.session_line import notice_of
from baton.server.api.sessions.sessions import must_exist, question_in, session_of
from baton.server.api.sessions.ui_message import Asked
from baton.server.api.stream import ANSWER_BYTES, HEARTBEAT_SECONDS, ReaderResponse, StreamReader
from baton.server.api.stream_token import Permit, check_capacity, must_cover
from baton.store.records.jobs import StoredParts
from baton.worker.commands.follow import RETRY_MS, RETRY_WAITING_MS, status_of, waits_for_long
from baton_events.errors import BatonError
from baton_events.ids import canonical_json

_log = logging.getLogger("baton.api")

_ROWS, _MOST_OPEN = 100, 50
_PLACE = re.compile(rf"[0-9]{{13}}:[^;=\s]{{0,400}}(;[^;=\s]{{1,400}}=[0-9]{{1,9}}){{0,{_MOST_OPEN}}}")


async def follow_session(context: Context, request: Request) -> Response:
    """Answer 200 with the events after `Last-Event-ID`, or of what has not ended; 404, nobody knows the session."""
    principal = await context.keys.authenticate(request)
    tenant, session_id = session_of(request, principal)
    must_cover(request, tenant, "", session_id)
    check_capacity(context.container, principal)
    place = request.headers.get("last-event-id") or request.query_params.get("last_message_id") or ""
    if place and not _PLACE.fullmatch(place):
        raise ApiError(400, f"Last-Event-ID {place[:80]!r} is none that this stream, or `lastEventId`, has named")
    await must_exist(context, tenant, session_id)
    permit = Permit(context.container, context.keys, request, principal)
    reader = _SessionReader(context, permit, tenant, session_id, place)
    first = [text async for text in reader.new_events()]  # what cannot be read has a status
    return ReaderResponse(reader, reader.all_events(first))


class _SessionReader(StreamReader):
    """One reader of a session. `place`: up to where it has it; empty: only what has not ended is told."""

    def __init__(self, context: Context, permit: Permit, tenant: str, session_id: str, place: str) -> None:
        super().__init__(context.container, permit, notice_of(tenant, session_id), 0)
        self._container, self._mine = context.container, (tenant, session_id)
        self._query = Query(tenant=tenant, session_id=session_id)
        self._newest, *known = place.split(";")
        self._has = {name: int(count) for name, _, count in (each.rpartition("=") for each in known)}
        self._asked, self._jobs = dict[str, Asked](), dict[str, Job]()
        self._came = self._reads_at_once = False

    async def all_events(self, first: list[str]) -> AsyncIterator[str]:
        """Yield the first events, then later ones; a store away, or a lost key, ends them: the client comes back."""
        size_bytes = 0
        for text in first:
            size_bytes += len(text)
            yield text
            if not self.live and size_bytes > ANSWER_BYTES:
                return
        try:
            while self.live:
                with self._notices.of(self._job_id, *self._has) as self._noticed:
                    async for text in self._while_followed():
                        yield text
                if self.stopped:
                    break
        except BatonError as error:
            _log.warning("the stream of session %r ends: %s", self._mine[1], error)
            return
        if self.let_go or not self.live:
            yield f"retry: {RETRY_MS if self._has and not self._only_waits else RETRY_WAITING_MS}\n\n"

    async def _while_followed(self) -> AsyncIterator[str]:
        """Yield events as long as notices come of the jobs that are followed, and of no others."""
        followed, is_due, self._reads_at_once = set(self._has), self._reads_at_once, True
        while followed == self._has.keys():
            if is_due:
                self._came = False
                async for text in self.new_events():
                    self._came = True
                    yield text
            elif self._silent_seconds >= HEARTBEAT_SECONDS:
                yield ": heartbeat\n\n"
            if self.stopped:
                return
            is_due = await self.is_due(came=self._came and is_due)

    async def new_events(self) -> AsyncIterator[str]:
        """Yield what is new: jobs that nobody knew, then the parts of each one that has not ended."""
        rows = (await self._container.ports.listing.scan(self._query, "", _ROWS)).found
        names = {row.job_id for row in rows}
        fresh = [row for row in reversed(rows) if row.position > self._newest]
        found = await self._reader.jobs([row.job_id for row in fresh])
        if not self._newest:
            fresh = [row for row in fresh if row.job_id in found and not found[row.job_id].job.ended]
            self._newest = max((row.position for row in rows), default=position_of(0, ""))
        for row in fresh[-_MOST_OPEN:]:
            self._has.setdefault(row.job_id, 0)
            self._newest = max(self._newest, row.position)
            snapshot = found.get(row.job_id)
            if snapshot and "apart" in snapshot.task:
                snapshot = await self._reader.job(row.job_id)
            for message in question_in(snapshot) if snapshot else ():
                yield self._event(row.job_id, {"message": message})
        missing = [job_id for job_id in self._has if job_id not in self._jobs]
        self._jobs |= {job.id: job for job in await self._reader.records(missing)}
        known = [(self._jobs[job_id], after) for job_id, after in self._has.items() if job_id in self._jobs]
        read = {job.id: each for (job, _), each in zip(known, await self._reader.new_parts(known), strict=True)}
        for job_id in list(self._has):
            stored = read.get(job_id, StoredParts(None))
            if stored.job is None or (stored.job.tenant, stored.job.session_id) != self._mine:
                if stored.job is not None or job_id not in names:  # else it is accepted, and not stored yet
                    del self._has[job_id]
                continue
            for text in self._of_job(job_id, stored):
                yield text
        await self._learn()

    def _of_job(self, job_id: str, stored: StoredParts) -> Iterator[str]:
        job, last = stored.job, stored.first + len(stored.parts) - 1
        assert job is not None, "it was read"
        asked = self._asked.setdefault(job_id, Asked())
        for number, part in enumerate(stored.parts, stored.first):
            self._has[job_id] = number
            if not (mine := self._permit.audience.shown_part(job_id, part)):
                continue
            *before, shown = asked.with_questions(json.loads(mine))
            yield from (self._event(job_id, {"part": one}, numbered=False) for one in before)
            if job.ended and number == last:
                del self._has[job_id]
            yield self._event(job_id, {"part": shown})
        if job.ended:
            self._has.pop(job_id, None)
            self._asked.pop(job_id, None)
            self._jobs.pop(job_id, None)

    def _event(self, job_id: str, about: dict[str, object], *, numbered: bool = True) -> str:
        place = ";".join([self._newest, *(f"{name}={count}" for name, count in self._has.items())])
        return f"id: {place}\n" * numbered + f"data: {canonical_json({'jobId': job_id, **about})}\n\n"

    async def _learn(self) -> None:
        """Learn now and then whether all that has not ended waits: then reads are rare."""
        if self._pace.checks_whether_it_waits:
            now_ms = self._clock.now_ms()
            found = [*(await self._reader.jobs(list(self._has))).values()] if self._has else []
            waiting = all(status_of(one, now_ms) is JobStatus.WAITING for one in found)
            self._pace.learned(JobStatus.WAITING if waiting else JobStatus.PROCESSING)
            self._only_waits = all(waits_for_long(one, now_ms) for one in found)
        self._pace.read_again()
