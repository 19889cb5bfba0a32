"""Jobs, the newest first, by status, agent, tenant and session, and one change of all jobs that a filter means.

A bulk change first shows how many jobs there are, and is made with a second form. A job's id leads to its page.
"""

from typing import Any

from pydantic import ValidationError
from starlette.datastructures import QueryParams
from starlette.responses import Response

from baton.api.jobs.bulk_change import BulkBody, BulkChangeApi
from baton.api.jobs.listing import JobListingApi
from baton.api.jobs.query import read_page_query
from baton.api.problem import ApiError, invalid
from baton.console.form import field
from baton.console.gate import Visit
from baton.container import Container
from baton.engine.transitions import JobStatus
from baton.runtime.job_view import job_row

# Of a hundred jobs each: more at once would outlast a request.
_ROUNDS = 10
FILTERS = ("status", "jobType", "tenant", "sessionId", "createdAfter", "createdBefore", "parentJobId")


class BulkPage:
    """Changes many jobs."""

    def __init__(self, bulk: BulkChangeApi) -> None:
        self._bulk = bulk

    async def form(self, visit: Visit) -> Response:
        """How many are meant, and whether that is meant."""
        action = visit.query("action")
        given = {name: text for name in FILTERS if (text := visit.query(name))}
        matched, _, more = await self._all(visit, action, given, dry_run=True)
        return visit.page("bulk.html", action=action, given=given, matched=matched, more=more)

    async def change(self, visit: Visit) -> Response:
        """Change them; how many were, and how many could not be."""
        action = field(visit.form, "action")
        given = {name: text for name in FILTERS if (text := field(visit.form, name))}
        matched, changed, more = await self._all(visit, action, given, dry_run=False)
        notice = f"{action}: {changed} of {matched} jobs were changed."
        if more:
            notice += " There may be more: do it again."
        return visit.go("/console/jobs", notice)

    async def _all(self, visit: Visit, action: str, given: dict[str, str], *, dry_run: bool) -> tuple[int, int, bool]:
        matched, changed, cursor = 0, 0, ""
        for _ in range(_ROUNDS):
            answer = await self._bulk.changed(visit.principal, _body(action, given, cursor, dry_run=dry_run))
            matched, changed, cursor = (
                matched + answer["matched"],
                changed + answer["changed"],
                answer.get("cursor", ""),
            )
            if not cursor:
                break
        return matched, changed, bool(cursor)


def _body(action: str, given: dict[str, str], cursor: str, *, dry_run: bool) -> BulkBody:
    query: dict[str, Any] = {"action": action, "filter": given, "dryRun": dry_run}
    try:
        return BulkBody.model_validate(query | ({"cursor": cursor} if cursor else {}))
    except ValidationError as error:
        raise invalid(error, "form") from error


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
        query = {name: text for name, text in {**given, "cursor": visit.query("cursor")}.items() if text}
        rows: list[dict[str, Any]] = []
        cursor, faults, status = "", dict[str, str](), 200
        try:
            page = await self._listing.page(visit.principal, read_page_query(QueryParams({**query, "limit": ROWS})))
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
            filtered=bool(query),
            statuses=list(JobStatus),
            agents=[agent.name for agent in self._container.registry.agents],
        )
