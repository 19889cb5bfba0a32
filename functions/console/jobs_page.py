"""The jobs that have not ended, the newest first; a job's page by its id."""

from starlette.responses import Response

from functions.api.job_view import job_view
from functions.console.gate import Visit
from functions.container import Container

NEWEST_JOBS = 50


class JobsPage:
    """Lists jobs."""

    def __init__(self, container: Container) -> None:
        self._ports = container.ports

    async def show(self, visit: Visit) -> Response:
        """The list, or the page of the job whose id was asked for."""
        wanted = visit.query("id")
        if wanted:
            return visit.go(f"/console/jobs/{wanted}")
        book = await self._ports.admission.book()
        newest = sorted(book, key=lambda job_id: (book[job_id].created_ms, job_id), reverse=True)[:NEWEST_JOBS]
        found = await self._ports.reader.jobs(newest)
        rows = [
            (job_view(found[job_id], visit.now_ms), found[job_id].job.tenant) for job_id in newest if job_id in found
        ]
        return visit.page("jobs.html", rows=rows)
