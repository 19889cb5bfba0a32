"""Sessions: the conversations of the newest jobs, and one of them as its messages.

A list reads a hundred jobs: a session's further jobs are counted by their rows, and not read. The newest page of a
conversation changes while it is open (static/console.js); older ones stay as they are.
"""

import asyncio
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from starlette.datastructures import QueryParams
from starlette.responses import Response

from baton.engine.all_jobs.job_list import Query
from baton.engine.transitions import JobStatus
from baton.sdk.memory.entries import question_of
from baton.server.api.jobs.listing import JobPage, page_of_jobs
from baton.server.api.jobs.query import MOST_ROWS, read_page_query
from baton.server.api.session_line import Sessions
from baton.server.console.conversation import answer_of, conversation
from baton.server.console.form import field
from baton.server.console.gate import Visit
from baton.store.records.all_jobs import Scanned
from baton.store.records.jobs import Snapshot
from baton.worker.container import Container
from baton.worker.runtime.job_view import job_row
from baton.worker.runtime.usage_view import job_cost

# The exchanges of one page; the rows counted of one session.
EXCHANGES, _COUNTED_ROWS = 20, 200


@dataclass(frozen=True)
class Row:
    """A session: its first question, and its last text.

    Attributes:
        jobs: the number of its jobs; `more`: there are older ones.
        cost_usd: the cost of the jobs that were read; `whole`: these are all of them.
    """

    id: str
    tenant: str
    agent: str
    first: str
    last: str
    status: str
    used_ms: int
    jobs: int
    more: bool
    cost_usd: float
    whole: bool


class SessionsPage:
    """Shows sessions."""

    def __init__(self, container: Container, sessions: Sessions) -> None:
        self._ports, self._prices = container.ports, container.settings.prices
        self._container = container
        self._sessions = sessions

    async def show(self, visit: Visit) -> Response:
        """List the sessions whose newest job is on this page of jobs, the last used first.

        Those that nobody has named are no conversation: they are of one job, or of a handler's, and shown on request.
        """
        page = await self._page(visit, {}, MOST_ROWS)
        groups: dict[tuple[str, str], list[Snapshot]] = {}
        everything = bool(visit.query("all"))
        for found in page.jobs:
            if not everything and "chat" not in found.task:
                continue
            groups.setdefault((found.job.tenant, found.job.session_id), []).append(found)
        rows = await self._rows(list(groups.values()), visit.now_ms)
        return visit.page("sessions.html", rows=rows, cursor=page.cursor, everything=everything)

    async def _rows(self, groups: list[list[Snapshot]], now_ms: int) -> list[Row]:
        """Build the rows of sessions whose newest job is on this page; a group is a session's jobs, newest first."""
        queries = [Query(jobs[0].job.tenant, jobs[0].job.session_id) for jobs in groups]
        scans = await asyncio.gather(*(self._ports.listing.scan(one, "", _COUNTED_ROWS) for one in queries))
        oldest = await self._ports.reader.jobs([scan.found[-1].job_id for scan in scans if scan.found])
        pairs = [(jobs, scan) for jobs, scan in zip(groups, scans, strict=True) if _is_here(jobs, scan)]
        return [self._row(jobs, scan, oldest, now_ms) for jobs, scan in pairs]

    def _row(self, jobs: list[Snapshot], scan: Scanned, oldest: dict[str, Snapshot], now_ms: int) -> Row:
        exchanges = [one for one in jobs if not one.job.is_operation] or jobs
        first = oldest.get(scan.found[-1].job_id, exchanges[-1]) if scan.found else exchanges[-1]
        live = [job_row(one, now_ms)["status"] for one in jobs if not one.job.ended]
        count = max(len(scan.found), len(jobs))
        return Row(
            id=exchanges[0].job.session_id,
            tenant=exchanges[0].job.tenant,
            agent=exchanges[0].job.agent,
            first=question_of(first.task),
            last=_last_text(exchanges[0]),
            status=live[-1] if live else exchanges[0].job.status,
            used_ms=jobs[0].job.created_at_ms,
            jobs=count,
            more=bool(scan.next),
            cost_usd=sum(job_cost(one.usage, one.job.used, self._prices)["totalUsd"] for one in jobs),
            whole=len(jobs) == count and not scan.next,
        )

    async def one(self, visit: Visit) -> Response:
        """Show the conversation, the oldest exchange first."""
        session_id, tenant = visit.request.path_params["session_id"], visit.query("tenant")
        page = await self._page(visit, {"sessionId": session_id} | ({"tenant": tenant} if tenant else {}), EXCHANGES)
        jobs = page.jobs[::-1]
        parts = await asyncio.gather(*(self._ports.reader.parts(one.job.id, 0, one.job) for one in jobs))
        exchanges = conversation(jobs, parts, self._prices, visit.now_ms)
        return visit.page(
            "session.html",
            session_id=session_id,
            tenant=tenant,
            exchanges=exchanges,
            cost_usd=sum(one.job["cost_usd"] for one in exchanges),
            before=visit.query("cursor"),
            cursor=page.cursor,
            live=any(not one.job.ended for one in jobs),
        )

    async def cancel(self, visit: Visit) -> Response:
        """Cancel the running job and those in line."""
        session_id, tenant = visit.request.path_params["session_id"], field(visit.form, "tenant")
        line = [found.job for found in await self._sessions.line(tenant, session_id)]
        stopped = await self._sessions.stop(line, f"admin of {visit.principal.tenant}")
        cancelled = sum(job.status is JobStatus.CANCELLED for job in stopped)
        query = urlencode({"tenant": tenant})
        return visit.go(f"/console/sessions/{quote(session_id)}?{query}", f"{cancelled} jobs are cancelled.")

    async def _page(self, visit: Visit, given: dict[str, str], limit: int) -> JobPage:
        cursor = {"cursor": visit.query("cursor")} if visit.query("cursor") else {}
        query = read_page_query(QueryParams({**given, **cursor, "limit": str(limit)}))
        return await page_of_jobs(self._container, visit.principal, query)


def _last_text(snapshot: Snapshot) -> str:
    error = snapshot.job.error
    return answer_of(snapshot) or (f"{error.type}: {error.message}" if error else question_of(snapshot.task))


def _is_here(jobs: list[Snapshot], scan: Scanned) -> bool:
    """Return whether no job of the session is newer than those on this page."""
    return not scan.found or scan.found[0].created_ms <= jobs[0].job.created_at_ms
