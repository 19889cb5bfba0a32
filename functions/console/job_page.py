"""One job: its status, what it waits for, its timeline as it happens, its tool calls, and what it has cost."""

from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from functions.api.jobs import JobsApi
from functions.api.problem import ApiError
from functions.console.gate import Visit
from functions.console.job_shown import calls_shown, job_shown
from functions.console.timeline import Line, Timeline
from functions.container import Container

NEWEST_LINES = 80


@dataclass(frozen=True)
class Shown:
    """A job as its page shows it."""

    job: dict[str, Any]
    lines: list[Line]
    position: int


class JobPage:
    """Shows jobs."""

    def __init__(self, container: Container, jobs: JobsApi) -> None:
        self._reader = container.ports.reader
        self._jobs = jobs

    async def show(self, visit: Visit) -> Response:
        """The whole page."""
        shown = await self.shown(visit)
        everything = bool(visit.query("all"))
        lines = shown.lines if everything else shown.lines[-NEWEST_LINES:]
        return visit.page(
            "job.html",
            job=shown.job,
            lines=lines,
            left_out=len(shown.lines) - len(lines),
            calls=shown.job["toolCalls"] if everything else calls_shown(shown.job),
            position=shown.position,
        )

    async def call(self, visit: Visit) -> Response:
        """One tool call with all of its arguments and its result."""
        job = (await self.shown(visit)).job
        wanted = visit.request.path_params["call_id"]
        for call in job["toolCalls"]:
            if call["id"] == wanted:
                return visit.page("call.html", job=job, call=call)
        raise ApiError(404, f"job {job['id']!r} has no tool call {wanted!r}")

    async def shown(self, visit: Visit) -> Shown:
        """The job and its lines so far.

        Raises:
            ApiError: 404, there is no such job.
        """
        job_id = visit.request.path_params["job_id"]
        snapshot = await self._jobs.snapshot(visit.principal, job_id)
        timeline = Timeline()
        timeline.take((await self._reader.parts(job_id, 0)).parts)
        return Shown(job_shown(snapshot, visit.now_ms), list(timeline.lines.values()), timeline.position)
