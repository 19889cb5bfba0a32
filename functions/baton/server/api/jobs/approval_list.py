"""Approvals as people see them: those of one job, and those of all jobs, page by page, pending or decided.

Invariant: an approval is shown in its state at the read. A waiting job is live, so pending approvals are found in the
admission's slot table, which has every live job. Others are found in the list of all jobs and below them. A page costs
a bounded number of reads: where few match it may be short, or empty, and has a cursor. Must not: know HTTP, or decide
anything.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from msgspec.structs import replace

from baton.engine.all_jobs.job_list import Query, cursor_of, position_from, position_of
from baton.engine.state import CallRecord
from baton.engine.waits import APPROVALS, LIMIT_APPROVAL, approval_view
from baton.sdk.clock import Clock
from baton.store.records.jobs import Snapshot
from baton.store.redis.admission import AdmissionControl
from baton.store.redis.listing import Listing
from baton.store.redis.reader import Reader
from baton.worker.commands.audience import Audience
from baton.worker.runtime.job_view import job_summary
from baton_events.ids import call_of_operation, job_of_call


def questions_of(snapshot: Snapshot) -> list[CallRecord]:
    """List a job's questions, in order; where its key is lost nobody here can say what is asked."""
    return [call for call in snapshot.calls if call.tool in APPROVALS and not snapshot.unreadable]


def view_of(approval: CallRecord, snapshot: Snapshot, now_ms: int) -> dict[str, Any]:
    """Return one question of the job, with its decision, as the API shows it."""
    decision, ended = snapshot.results.get(approval.id, {}), snapshot.job.ended
    return approval_view(approval, snapshot.job.id, decision, ended=ended, now_ms=now_ms)


def approvals_of(snapshot: Snapshot, now_ms: int) -> list[dict[str, Any]]:
    return [view_of(approval, snapshot, now_ms) for approval in questions_of(snapshot)]


@dataclass(frozen=True, slots=True)
class SeenJob:
    """A job that the caller may see. `asked`: its pending approvals; `decided`: the ids of the others."""

    snapshot: Snapshot
    asked: Sequence[dict[str, Any]]
    decided: frozenset[str]
    now_ms: int


def seen_job(snapshot: Snapshot, now_ms: int, audience: Audience) -> SeenJob:
    """Return a job with its approvals as they are now, as its audience gets them."""
    views = approvals_of(snapshot, now_ms)
    asked = [view for view in views if view["status"] == "pending"]
    snapshot = replace(snapshot, job=audience.shown_job(snapshot.job))
    return SeenJob(snapshot, asked, frozenset(view["id"] for view in views if view not in asked), now_ms)


ApprovalStatus = Literal["pending", "approved", "rejected", "expired", "cancelled"]
# Jobs read at once, and for one page.
_AT_ONCE, _MOST_READ = 50, 100
_PLACE_DASHES = 3  # of an id: job, turn, position, digest


@dataclass(frozen=True, slots=True)
class ApprovalPage:
    """Approvals: those of newer jobs first. `cursor`: the beginning of the next page; empty: there is none.

    `jobs`: the agent, tenant and task of each job, by its id.
    """

    checkpoints: tuple[dict[str, Any], ...]
    cursor: str = ""
    jobs: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])


@dataclass(frozen=True, slots=True)
class _Begin:
    """The beginning of a page: behind the jobs up to `position`, and in the next one behind checkpoint `shown`."""

    position: str = ""
    shown: str = ""

    @classmethod
    def at(cls, cursor: str) -> "_Begin":
        position, dot, shown = cursor.partition(".")
        if dot:
            _place({"id": shown})
        return cls(position_from(position) if position or not dot else "", shown)

    @property
    def cursor(self) -> str:
        position = cursor_of(self.position) if self.position else ""
        return f"{position}.{self.shown}" if self.shown else position


class ApprovalList:
    def __init__(self, listing: Listing, admission_control: AdmissionControl, reader: Reader, clock: Clock) -> None:
        self._listing, self._admission_control, self._reader = listing, admission_control, reader
        self._clock = clock

    async def page(self, status: ApprovalStatus, limit: int, cursor: str) -> ApprovalPage:
        """Read a page of the approvals with this status. Raises ValueError: the cursor is none."""
        begin = _Begin.at(cursor) if cursor else _Begin()
        jobs = self._waiting(begin.position) if status == "pending" else self._all(begin.position)
        page, known, read = list[dict[str, Any]](), dict[str, dict[str, str]](), 0
        async for position, families in jobs:
            jobs_read = ((one.job, job_summary(one)) for one in families)
            family = {job.id: {"agent": job.agent, "tenant": job.tenant, "task": task} for job, task in jobs_read}
            known |= family
            if job_of_call(call_of_operation(begin.shown)) not in family:  # the job of the cursor is listed no more
                begin = _Begin(begin.position)
            views = (view for one in families for view in approvals_of(one, self._clock.now_ms()))
            for view in sorted((view for view in views if view["status"] == status), key=_place, reverse=True):
                if begin.shown and _place(view) >= _place({"id": begin.shown}):
                    continue
                if len(page) == limit:
                    return ApprovalPage(tuple(page), begin.cursor, known)
                page.append(view)
                begin = _Begin(begin.position, str(view["id"]))
            begin, read = _Begin(position), read + 1
            if read >= _MOST_READ:
                return ApprovalPage(tuple(page), begin.cursor, known)
        return ApprovalPage(tuple(page), jobs=known)

    async def _waiting(self, after: str) -> AsyncIterator[tuple[str, list[Snapshot]]]:
        """Yield the live jobs that wait for a decision, newer ones first."""
        slot_table = await self._admission_control.live()
        places = sorted(
            ((position_of(entry.created_ms, name), name) for name, entry in slot_table.items()), reverse=True
        )
        left = [(position, name) for position, name in places if not after or position < after]
        for start in range(0, len(left), _AT_ONCE):
            chunk = left[start : start + _AT_ONCE]
            known = await self._reader.jobs([name for _, name in chunk])
            for position, name in chunk:
                items = known[name].items if name in known else ()
                if any(item.approval_of_call or item.tool == LIMIT_APPROVAL for item in items):
                    yield position, await self._family(name, below=False)

    async def _all(self, after: str) -> AsyncIterator[tuple[str, list[Snapshot]]]:
        position = after
        while True:
            scanned = await self._listing.scan(Query(), position, _AT_ONCE)
            for one in scanned.found:
                yield one.position, await self._family(one.job_id, below=True)
            position = scanned.next
            if not position:
                return

    async def _family(self, job_id: str, *, below: bool) -> list[Snapshot]:
        snapshot = await self._reader.job(job_id, partly=True)
        if snapshot is None:
            return []
        children = [call.child for call in snapshot.calls if call.child and below]
        families = await asyncio.gather(*(self._family(child, below=True) for child in children))
        return [snapshot, *(one for family in families for one in family)]


def _place(view: dict[str, Any]) -> tuple[str, int, int]:
    """Return the sort key of an approval among those of a job and the jobs below it."""
    job_id, turn, position, _ = str(view["id"]).rsplit("-", _PLACE_DASHES)
    return job_id, int(turn), int(position)
