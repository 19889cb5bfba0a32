"""Erases the data of a person: of whatever came with their `subjectId`, or was started by that.

What may start new work goes first, a job last: what is left is found by it, so a request that was cut off is repeated.
Must not: store or show the id itself, which the caller alone knows.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.engine.all_jobs.job_list import Query
from baton.engine.state import Job, subject_mark
from baton.server.api.app_events import job_of
from baton.server.api.jobs.context import Context
from baton.server.api.jobs.listing import job_list
from baton.server.api.jobs.submission import SUBJECT_LIMIT_CHARS
from baton.server.api.problem import invalid_by, parsed_query
from baton.server.api.schedules import drop_schedule, recurrence_in
from baton.store.records.app_events import ERASED
from baton.worker.runtime.app_events import erase_event
from baton_events.app_event import parse_app_event
from baton_events.errors import JobGoneError, UnknownJobError, UnreadablePayloadError
from baton_events.ids import subject_digest

# Well within the time limit of a request, behind any gateway.
_LONGEST_MS, _PAGE_JOBS, _AT_ONCE = 15_000, 100, 8
_COUNTED = ("jobs", "sessions", "files", "memories", "events", "objects", "running")


class SubjectQuery(BaseModel):
    """Whose subject it is; default: the key's tenant."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tenant: Annotated[str, Field(min_length=1, max_length=64)] | None = None


async def erase_subject(context: Context, request: Request) -> Response:
    """Answer 200 with how much was deleted; repeatable, also for somebody who is unknown."""
    subject_id: str = request.path_params["subject_id"]
    request.state.target = "/api/admin/subjects/"  # for the audit log, as far as it may be told
    principal = await context.keys.authenticate(request)
    tenant = parsed_query(SubjectQuery, request.query_params).tenant or principal.tenant
    if not 1 <= len(subject_id) <= SUBJECT_LIMIT_CHARS:
        message = f"an id has 1 to {SUBJECT_LIMIT_CHARS} characters, got {len(subject_id)}"
        raise invalid_by([("subjectId", message)], "path")
    subjects = context.container.sealing.names_of(subject_digest(tenant, subject_id))
    request.state.target += subjects[0]
    return JSONResponse(await erased(context, tenant, subjects))


async def erased(context: Context, tenant: str, subjects: Sequence[str]) -> dict[str, int]:
    """Erase a person's data; return how much was deleted, and how much still runs."""
    erasure = _Erasure(context, tenant, subjects)
    await erasure.run()
    return {name: erasure.counts[name] for name in _COUNTED}


class _Erasure:
    """One request. `subjects`: each name under which the person may be kept."""

    def __init__(self, context: Context, tenant: str, subjects: Sequence[str]) -> None:
        self.counts = Counter[str]()
        self._context, self._container = context, context.container
        self._tenant, self._subjects = tenant, subjects
        self._clock = context.container.ports.clock
        self._began_ms = self._clock.now_ms()
        self._sessions, self._places = set[str](), asyncio.Semaphore(_AT_ONCE)

    async def run(self) -> None:
        await self._delete_schedules()
        for subject in self._subjects:
            await self._container.ports.app_events.begin_erasure(subject, self._began_ms)
            await self._erase_events(subject)
            await self._end_jobs(subject)

    async def _end_jobs(self, subject: str) -> None:
        jobs, cursor = job_list(self._container), ""
        query = Query(tenant=self._tenant, tags=(subject_mark(subject),))
        while True:
            page = await jobs.page(query, _PAGE_JOBS, cursor, self._clock.now_ms())
            await self._end([snapshot.job for snapshot in page.jobs])
            cursor = page.cursor
            if not cursor:
                return
            if self._clock.now_ms() - self._began_ms > _LONGEST_MS:
                self.counts["running"] += 1  # nobody has counted the rest
                return

    async def _delete_schedules(self) -> None:
        for schedule in await self._container.ports.schedules.all():
            command = recurrence_in(schedule, self._container.sealing)
            if command and command.job["tenant"] == self._tenant and command.job.get("subject") in self._subjects:
                await drop_schedule(self._container, self._tenant, schedule.id)

    async def _erase_events(self, subject: str) -> None:
        records = self._container.ports.app_events
        for event_id in await records.of_subject(subject):
            try:
                record = await records.find(event_id)
            except UnreadablePayloadError:
                continue  # its key is gone, and so is its data
            if record is None or ERASED in record.notes:
                continue
            event = parse_app_event(record.event.encode())
            taken = [await job_of(self._context, event, record, handler) for handler in record.handlers]
            await self._end([snapshot.job for snapshot in taken if snapshot])
            if all(snapshot is None or snapshot.job.ended for snapshot in taken):
                await erase_event(records, event)
                self.counts["events"] += 1

    async def _end(self, jobs: Iterable[Job]) -> None:
        """Forget the jobs' sessions; then delete those that have ended, and cancel the others."""
        jobs = list(jobs)
        for session_id in dict.fromkeys(job.session_id for job in jobs):
            await self._forget(session_id)
        await asyncio.gather(*map(self._end_one, jobs))

    async def _end_one(self, job: Job) -> None:
        commands = self._container.commands
        async with self._places:
            with suppress(JobGoneError, UnknownJobError):  # another request has deleted it
                if job.ended:
                    result = await commands.delete(job)
                    self.counts += Counter(jobs=int(not result.refused), objects=result.objects)
                    self.counts["running"] += bool(result.refused)  # it was retried meanwhile
                else:
                    await commands.cancel(job, "the erasure of its data")
                    self.counts["running"] += 1

    async def _forget(self, session_id: str) -> None:
        if session_id in self._sessions:
            return
        self._sessions.add(session_id)
        forgotten = await self._container.memory.forget(self._tenant, session_id, self._clock.now_ms())
        give_back = self._container.commands.quota.given_back
        kept = await self._container.ports.chats.forget_chat(self._tenant, session_id, give_back)
        self.counts += Counter(sessions=1, files=len(kept), memories=max(forgotten.session, forgotten.long_term))
