"""Jobs, the newest first, by status, agent, tenant and session; a job's page by its id."""

from typing import Any

from starlette.datastructures import QueryParams
from starlette.responses import Response

from baton.api.job_listing import JobListingApi
from baton.api.job_query import read_page_query
from baton.api.job_view import job_row
from baton.api.problem import ApiError
from baton.console.gate import Visit
from baton.container import Container
from baton.core.transitions import JobStatus

ROWS = "50"
_FILTERS = ("status", "jobType", "tenant", "sessionId", "createdAfter", "createdBefore", "parentJobId")


class JobsPage:
    """Lists jobs."""

    def __init__(self, container: Container, listing: JobListingApi) -> None:
        self._container = container
        self._listing = listing

    async def show(self, visit: Visit) -> Response:
        """A page of the list, or the page of the job whose id was asked for."""
        wanted = visit.query("id")
        if wanted:
            return visit.go(f"/console/jobs/{wanted}")
        given = {name: visit.query(name) for name in _FILTERS}
        asked = {name: text for name, text in {**given, "cursor": visit.query("cursor")}.items() if text}
        rows: list[dict[str, Any]] = []
        cursor, faults, status = "", dict[str, str](), 200
        try:
            page = await self._listing.page(visit.principal, read_page_query(QueryParams({**asked, "limit": ROWS})))
        except ApiError as error:
            if not error.faults:
                raise
            faults, status = dict(error.faults), error.status
        else:
            rows = [job_row(job, visit.now_ms) | {"tenant": job.job.tenant} for job in page.jobs]
            cursor = page.cursor
        return visit.page(
            "jobs.html",
            status,
            rows=rows,
            cursor=cursor,
            given=given,
            faults=faults,
            filtered=bool(asked),
            statuses=list(JobStatus),
            agents=[agent.name for agent in self._container.registry.agents],
        )
