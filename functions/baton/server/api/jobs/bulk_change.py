"""`POST /api/admin/agent-jobs/bulk`: one change of many jobs, found by a filter (CONTRACT, Jobs).

Invariant: each job is changed exactly as `PATCH /api/agent-jobs/{id}` changes it. A call looks at a bounded number of
jobs; where there may be more, its answer has a cursor. Jobs that others started end with those.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.engine.transitions import END_STATUSES, JobStatus
from baton.server.api.auth import Principal
from baton.server.api.jobs.context import Context
from baton.server.api.jobs.job import ChangeBody, JobsApi
from baton.server.api.jobs.listing import JobPage, page_of_jobs
from baton.server.api.jobs.query import MOST_ROWS, JobFilter, PageQuery, checked_cursor
from baton.server.api.problem import ApiError, invalid, limited_body, parsed
from baton.store.records.jobs import Snapshot
from baton_events.errors import BatonError

_AT_ONCE = 8
# The statuses that an action can change: a job of another status does not match, even if the filter includes it.
_MEANT: dict[str, frozenset[JobStatus]] = {
    "cancel": frozenset(JobStatus) - END_STATUSES,
    "retry": frozenset({JobStatus.FAILED, JobStatus.CANCELLED}),
}


class BulkBody(BaseModel):
    """An operator's request. `dryRun`: count the jobs that match, and change none."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)

    action: Literal["cancel", "retry"]
    begin: Annotated[Literal["failure", "start"] | None, Field(alias="from")] = None
    force: Annotated[bool, Field(strict=True)] | None = None
    filter: JobFilter
    dry_run: Annotated[bool, Field(strict=True)] = False
    limit: Annotated[int, Field(ge=1, le=MOST_ROWS, strict=True)] = MOST_ROWS
    cursor: Annotated[str, AfterValidator(checked_cursor)] | None = None

    def change(self) -> ChangeBody:
        """Return the change to make to each job. Raises ApiError: 422, there is no such change."""
        given = {"action": self.action, "from": self.begin, "force": self.force}
        try:
            return ChangeBody.model_validate(given)
        except ValidationError as error:
            raise invalid(error, "body") from error

    def page(self) -> PageQuery | None:
        """Return the query for the jobs to look at; None if the filter includes no job that the action can change."""
        query = {JobStatus(name) for name in self.filter.status.split(",")} if self.filter.status else set(JobStatus)
        if not (meant := sorted(_MEANT[self.action] & query)):
            return None
        given = self.filter.model_dump(exclude={"status"})
        # Checked before: fields that are left out are None.
        return PageQuery.model_construct(**given, status=",".join(meant), limit=self.limit, cursor=self.cursor)


async def change_many(context: Context, request: Request) -> Response:
    """Answer 200 with `{"matched", "changed", "refused", "cursor"}`."""
    principal = await context.keys.authenticate(request)
    body = parsed(BulkBody, await limited_body(request))
    return JSONResponse(await changed_in_bulk(context, principal, body))


async def changed_in_bulk(
    context: Context, principal: Principal, body: BulkBody, only: Callable[[JobPage], Awaitable[JobPage]] | None = None
) -> dict[str, Any]:
    """Change the jobs of one page; return how many matched and changed, and each refused one with its reason.

    `only`: leaves out jobs of a page that no filter can tell apart. Raises ApiError: 403, 404, 422, as for a list.
    """
    change, query = body.change(), body.page()
    if query is None:
        return {"matched": 0, "changed": 0}
    page = await page_of_jobs(context.container, principal, query)
    page = await only(page) if only else page
    answer: dict[str, Any] = {"matched": len(page.jobs), "changed": 0}
    if not body.dry_run:
        refused = await _each(context.jobs, principal, page.jobs, change)
        answer["changed"] = len(page.jobs) - len(refused)
        if refused:
            answer["refused"] = refused
    return answer | ({"cursor": page.cursor} if page.cursor else {})


async def _each(
    jobs: JobsApi, principal: Principal, found: Sequence[Snapshot], change: ChangeBody
) -> list[dict[str, Any]]:
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(job_id: str) -> dict[str, Any] | None:
        async with places:
            try:
                await jobs.changed(principal, job_id, change)
            except BatonError as error:
                away = "the store or the queue did not answer; send it again"
                detail = str(error) if isinstance(error, ApiError) else away
                return {"id": job_id, "status": error.status, "detail": detail}
        return None

    answers = await asyncio.gather(*(one(snapshot.job.id) for snapshot in found))
    return [answer for answer in answers if answer]
