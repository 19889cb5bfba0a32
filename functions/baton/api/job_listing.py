"""`GET /api/agent-jobs`: lists of jobs over HTTP, and for whoever asks on somebody's behalf."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.api.auth import Keys, Principal
from baton.api.job_list import JobList, JobPage
from baton.api.job_query import PageQuery, read_page_query
from baton.api.job_view import job_row
from baton.api.problem import ApiError
from baton.container import Container


class JobListingApi:
    """The one endpoint."""

    def __init__(self, container: Container, keys: Keys) -> None:
        self._container = container
        self._keys = keys
        ports = container.ports
        self._list = JobList(ports.listing, ports.admission_control, ports.reader)

    async def show(self, request: Request) -> Response:
        """200 and `{"jobs", "cursor"}`."""
        principal = await self._keys.authenticate(request)
        page = await self.page(principal, read_page_query(request.query_params))
        now_ms = self._container.ports.clock.now_ms()
        view: dict[str, Any] = {"jobs": [job_row(job, now_ms) | {"tenant": job.job.tenant} for job in page.jobs]}
        return JSONResponse(view | ({"cursor": page.cursor} if page.cursor else {}))

    async def page(self, principal: Principal, asked: PageQuery) -> JobPage:
        """A page of the jobs that are theirs to see.

        Raises:
            ApiError: 403, another tenant's; 404, no such parent; 422, no such agent.
        """
        query = asked.query(principal, self._container.registry)
        if asked.parent_job_id is not None:
            await self._may_see(principal, asked.parent_job_id)
        return await self._list.page(query, asked.limit, asked.cursor or "", self._container.ports.clock.now_ms())

    async def _may_see(self, principal: Principal, parent_id: str) -> None:
        parent = (await self._container.ports.reader.jobs([parent_id])).get(parent_id)
        if parent is None:
            raise ApiError(404, f"there is no job {parent_id!r}")
        if not principal.may_see(parent.job.tenant):
            raise ApiError(403, f"job {parent_id!r} belongs to another tenant")
