"""`GET /api/agent-jobs`: lists of jobs, found in the admission's list or slot table and read from the jobs themselves.

Invariant: a job is shown in its state at the read; a row is a hint only. A page costs a bounded number of requests and
reads, and has a bounded size: under a rare filter, or of large jobs, it may be short, or empty, and has a cursor.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.engine.all_jobs.job_list import Found, Query, cursor_of, position_from, position_of
from baton.engine.all_jobs.job_texts import mentions
from baton.engine.all_jobs.slots import QueueEntry
from baton.engine.transitions import END_STATUSES, JobStatus
from baton.engine.waits import UNFIT, status_and_wait
from baton.server.api.auth import Principal
from baton.server.api.jobs.context import Context
from baton.server.api.jobs.query import PageQuery, lack_of, read_page_query
from baton.server.api.problem import ApiError, Code
from baton.settings.limits import PAGE_BYTES
from baton.store.records.jobs import Snapshot
from baton.store.redis.admission import AdmissionControl
from baton.store.redis.listing import Listing
from baton.store.redis.reader import Reader
from baton.worker.container import Container
from baton.worker.runtime.job_view import job_row
from baton_events.ids import is_child, sorted_json
from baton_events.timestamps import rfc3339

# Rows of one request where a filter may leave out many; requests of one page; jobs read for one page.
_SCANNED_ROWS, _ROUNDS, _READ_JOBS = 1_000, 4, 300
# Jobs of one read: each may have two megabytes.
READ_AT_ONCE = 21
# Of more unfinished jobs than these reads have, some are counted by their entries.
_COUNTED_JOBS = 5 * READ_AT_ONCE
_One = TypeVar("_One")
# A listed job may not exist yet for up to this long: a backup message creates it.
YOUNG_MS = 3_600_000
SEALED_TEXTS = "texts are encrypted (PAYLOAD_KEYS): search by tag, type, session or date"


@dataclass(frozen=True, slots=True)
class JobPage:
    """Jobs, newest first. `cursor`: the beginning of the next page; empty: there is none."""

    jobs: tuple[Snapshot, ...]
    cursor: str = ""

    @property
    def looked_back_to_ms(self) -> int:
        """The time down to which the page has looked for jobs; 0: down to the first one."""
        return int(position_from(self.cursor).partition(":")[0]) if self.cursor else 0


class JobList:
    def __init__(self, listing: Listing, admission_control: AdmissionControl, reader: Reader) -> None:
        self._listing, self._admission_control, self._reader = listing, admission_control, reader

    async def page(self, query: Query, limit: int, cursor: str, now_ms: int) -> JobPage:
        """Read a page of the jobs that match. Raises ValueError: the cursor is none."""
        position = position_from(cursor) if cursor else ""
        source = await self._source(query)
        jobs: list[Snapshot] = []
        read, size_bytes = 0, 0
        for _ in range(_ROUNDS):
            found, after = await source.next(position, limit + 1 - len(jobs))
            for chunk in _chunks(found, min(READ_AT_ONCE, limit + 1 - len(jobs))):
                known = await self._reader.jobs([one.job_id for one in chunk])
                read += len(chunk)
                for one in chunk:
                    snapshot = known.get(one.job_id)
                    if snapshot is not None and one.position != position and matches(query, snapshot, now_ms):
                        size_bytes += len(sorted_json((snapshot.task, snapshot.job.result)))
                        if len(jobs) == limit or (jobs and size_bytes > PAGE_BYTES):
                            return JobPage(tuple(jobs), cursor_of(position))
                        jobs.append(snapshot)
                    position = one.position
                gone = [one for one in chunk if one.job_id not in known and now_ms - one.created_ms > YOUNG_MS]
                await self._listing.forget([one for one in gone if one.member])
                if read >= _READ_JOBS:
                    return JobPage(tuple(jobs), cursor_of(position))
            position = after
            if not after:
                return JobPage(tuple(jobs))
        return JobPage(tuple(jobs), cursor_of(position))

    async def statuses(
        self, live: Mapping[str, QueueEntry], now_ms: int
    ) -> tuple[Counter[tuple[str, JobStatus]], Counter[str]]:
        """Count the jobs of the slot table by tenant and the status that the list shows, and, by agent, the unfit ones.

        Of very many the others are counted by what their entries say, which may be a minute old.
        """
        names = sorted((name for name in live if not is_child(name)), key=lambda name: not live[name].slot)
        counts = Counter((live[name].tenant, _possible(name, live[name])[0]) for name in names[_COUNTED_JOBS:])
        unfit = Counter[str]()
        for known in await asyncio.gather(*map(self._reader.jobs, _chunks(names[:_COUNTED_JOBS], READ_AT_ONCE))):
            counts.update((one.job.tenant, _status(one, now_ms)) for one in known.values())
            unfit.update(one.job.agent for one in known.values() if any(UNFIT in item.memo for item in one.items))
        return counts, unfit

    async def _source(self, query: Query) -> "_Live | _Searched | _Listed":
        if query.live:
            control, tenant = self._admission_control, query.tenant
            return _Live(await control.live(tenant), query)
        # A session and a job's children are few: each job is read, and its text is searched.
        narrow = query.session_id or query.parent_id
        return _Searched(self._listing, query) if query.words and not narrow else _Listed(self._listing, query)


class _Listed:
    def __init__(self, listing: Listing, query: Query) -> None:
        self._listing, self._query = listing, query

    async def next(self, position: str, count: int) -> tuple[Sequence[Found], str]:
        """Return rows that may match, and the position behind all rows that were looked at."""
        query = self._query
        by_tag = query.statuses if query.tags else frozenset[str]()
        rare = query.agent or query.session_id or query.words or by_tag or len(query.tags) > 1
        limit = _SCANNED_ROWS if rare else count
        scans = await asyncio.gather(*(self._listing.scan(query, position, limit) for query in self._parts()))
        # Of several lists, the first end of one that has more is where the next scan begins, so later rows are read
        # again.
        after = max((scanned.next for scanned in scans), default="")
        found = sorted((one for scanned in scans for one in scanned.found), key=lambda one: one.position, reverse=True)
        return [one for one in found if one.position >= after], after

    def _parts(self) -> list[Query]:
        """Return one query for each requested end status, else the one query for the whole list."""
        statuses = self._query.statuses
        if not statuses or not statuses <= END_STATUSES or self._query.parent_id or self._query.tags:
            return [self._query]
        return [replace(self._query, statuses=frozenset({status})) for status in sorted(statuses)]


class _Searched:
    def __init__(self, listing: Listing, query: Query) -> None:
        self._listing, self._query = listing, query

    async def next(self, position: str, count: int) -> tuple[Sequence[Found], str]:
        """Return jobs whose texts have a word of the query's, and the position down to which the list is complete."""
        scanned = await self._listing.search_texts(self._query, position, count)
        return scanned.found, scanned.next


class _Live:
    """Entries of the admission's slot table: the jobs that have not ended."""

    def __init__(self, entries: dict[str, QueueEntry], query: Query) -> None:
        found = [
            Found(name, entry.created_ms, position_of(entry.created_ms, name))
            for name, entry in entries.items()
            if not is_child(name)
            and (not query.tenant or entry.tenant == query.tenant)
            and (not query.session_id or entry.session_id in (name, query.session_id))
            and (not query.agent or entry.agent in ("", query.agent))
            and query.after_ms <= entry.created_ms < query.before_ms
            and not query.statuses.isdisjoint(_possible(name, entry))
        ]
        self._found = sorted(found, key=lambda one: one.position, reverse=True)

    async def next(self, position: str, count: int) -> tuple[Sequence[Found], str]:  # noqa: ARG002 - all of it is here
        """Return all jobs that may match, behind the position."""
        return [one for one in self._found if not position or one.position < position], ""


def _possible(name: str, entry: QueueEntry) -> list[JobStatus]:
    """Return the statuses that an entry's job may have, the likeliest first.

    An operation, in a line of its own, begins without a slot. A retried job has begun before; only a new one has never
    asked anew.
    """
    begun = entry.started or entry.session_id == name or entry.epoch > 1
    new = [JobStatus.PENDING] if not entry.started or entry.slot else []
    if not begun:
        return new
    both = [JobStatus.PROCESSING, JobStatus.WAITING]
    return [*(both if entry.slot else both[::-1]), *new]


def matches(query: Query, snapshot: Snapshot, now_ms: int) -> bool:
    job = snapshot.job
    if query.statuses and _status(snapshot, now_ms) not in query.statuses:
        return False
    return (
        (not query.tenant or job.tenant == query.tenant)
        and (not query.session_id or job.session_id == query.session_id)
        and (not query.agent or job.agent == query.agent)
        and all(tag in job.marks for tag in query.tags)
        and query.after_ms <= job.created_at_ms < query.before_ms
        and (not query.words or mentions(query.words, job, snapshot.task))
    )


def _status(snapshot: Snapshot, now_ms: int) -> JobStatus:
    return status_and_wait(snapshot.job, snapshot.items, snapshot.slot_state, now_ms)[0]


def _chunks(found: Sequence[_One], size: int) -> list[Sequence[_One]]:
    return [found[start : start + size] for start in range(0, len(found), size)]


async def list_jobs(context: Context, request: Request) -> Response:
    """Answer `GET /api/agent-jobs` with 200 and `{"jobs", "cursor"}`."""
    principal = await context.keys.authenticate(request)
    query = read_page_query(request.query_params)
    page = await page_of_jobs(context.container, principal, query)
    now_ms = context.container.ports.clock.now_ms()
    view: dict[str, Any] = {"jobs": [job_row(job, now_ms) | {"tenant": job.job.tenant} for job in page.jobs]}
    if page.cursor:
        view["cursor"] = page.cursor
        if len(page.jobs) < query.limit:
            view["lookedBackTo"] = rfc3339(page.looked_back_to_ms)
    return JSONResponse(view)


def job_list(container: Container) -> JobList:
    ports = container.ports
    return JobList(ports.listing, ports.admission_control, ports.reader)


async def page_of_jobs(container: Container, principal: Principal, wanted: PageQuery) -> JobPage:
    """Read a page of the jobs that the caller may see.

    Raises ApiError: 403, another tenant's; 404, no such parent; 422, no such agent, or texts that cannot be searched.
    """
    if wanted.q is not None and container.sealing.first:
        raise ApiError(422, "the query is not valid", [("q", SEALED_TEXTS)])
    ports, query = container.ports, wanted.query(principal)
    if query.agent and (fault := lack_of(container.registry, query.agent)):  # one that is gone may have jobs still
        live, ends = await asyncio.gather(ports.admission_control.live(), ports.admission_control.ends())
        if query.agent not in {*ends, *(entry.agent for entry in live.values())}:
            raise ApiError(422, fault, [("jobType", fault)])
    if (parent_id := wanted.parent_job_id) is not None:
        parent = (await ports.reader.jobs([parent_id])).get(parent_id)
        if parent is None:
            raise ApiError(404, f"there is no job {parent_id!r}", code=Code.TASK_NOT_FOUND)
        if not principal.may_see(parent.job.tenant):
            raise ApiError(403, f"job {parent_id!r} belongs to another tenant")
    return await job_list(container).page(query, wanted.limit, wanted.cursor or "", ports.clock.now_ms())
