"""Sessions: the conversations of the newest jobs, and what was said in one of them."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from starlette.responses import Response

from baton.api.jobs.listing import JobListingApi
from baton.api.jobs.query import MOST_ROWS, PageQuery
from baton.api.session_line import Sessions
from baton.console.form import field
from baton.console.gate import Visit
from baton.engine.transitions import JobStatus
from baton.runtime.job_view import job_row
from baton.storage.ports.jobs import Snapshot


@dataclass(frozen=True)
class Row:
    """A session with its newest job, and how many of its jobs are among those looked at."""

    tenant: str
    last: dict[str, Any]
    jobs: int


class SessionsPage:
    """Shows sessions."""

    def __init__(self, listing: JobListingApi, sessions: Sessions) -> None:
        self._listing = listing
        self._sessions = sessions

    async def show(self, visit: Visit) -> Response:
        """Of the newest jobs."""
        page = await self._listing.page(visit.principal, PageQuery(limit=MOST_ROWS))
        rows: dict[tuple[str, str], Row] = {}
        for found in page.jobs:
            key = (found.job.tenant, found.job.session_id)
            known = rows.get(key)
            last = known.last if known else job_row(found, visit.now_ms)
            rows[key] = Row(found.job.tenant, last, known.jobs + 1 if known else 1)
        return visit.page("sessions.html", rows=list(rows.values()), more=bool(page.cursor))

    async def one(self, visit: Visit) -> Response:
        """What was said, the oldest first."""
        session_id = visit.request.path_params["session_id"]
        tenant = visit.query("tenant")
        given = {"sessionId": session_id, "limit": MOST_ROWS} | ({"tenant": tenant} if tenant else {})
        page = await self._listing.page(visit.principal, PageQuery.model_validate(given))
        jobs = [_row(found, visit.now_ms) for found in reversed(page.jobs)]
        live = bool(tenant) and any(not found.job.ended for found in page.jobs)
        return visit.page(
            "session.html", session_id=session_id, tenant=tenant, jobs=jobs, more=bool(page.cursor), live=live
        )

    async def cancel(self, visit: Visit) -> Response:
        """Cancel the running job and those in line."""
        session_id, tenant = visit.request.path_params["session_id"], field(visit.form, "tenant")
        line = [found.job for found in await self._sessions.line(tenant, session_id)]
        stopped = await self._sessions.stop(line, f"admin of {visit.principal.tenant}")
        cancelled = sum(job.status is JobStatus.CANCELLED for job in stopped)
        query = urlencode({"tenant": tenant})
        return visit.go(f"/console/sessions/{quote(session_id)}?{query}", f"{cancelled} jobs are cancelled.")


def _row(found: Snapshot, now_ms: int) -> dict[str, Any]:
    return job_row(found, now_ms) | {"tenant": found.job.tenant}
