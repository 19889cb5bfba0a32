"""One job: its status, what it waits for, its timeline as it happens, its tool calls, and what it has cost."""

from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from baton.api.jobs import JobsApi
from baton.api.problem import ApiError
from baton.api.step_usage import step_usage
from baton.console.gate import Visit
from baton.console.job_shown import calls_shown, job_shown
from baton.console.timeline import Line, Timeline
from baton.container import Container

NEWEST_LINES, NEWEST_STEPS = 80, 200


@dataclass(frozen=True)
class Shown:
    """A job as its page shows it."""

    job: dict[str, Any]
    lines: list[Line]
    position: int
    steps: list[dict[str, Any]]
    beside: dict[str, Any]


class JobPage:
    """Shows jobs."""

    def __init__(self, container: Container, jobs: JobsApi) -> None:
        self._reader = container.ports.reader
        self._prices = container.settings.prices
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
        shown = await self.shown(visit)
        job = shown.job
        wanted = visit.request.path_params["call_id"]
        for call in job["toolCalls"]:
            if call["id"] == wanted:
                steps = [step for step in shown.steps if step["callId"] == wanted]
                return visit.page("call.html", job=job, call=call, steps=steps)
        raise ApiError(404, f"job {job['id']!r} has no tool call {wanted!r}")

    async def steps(self, visit: Visit) -> Response:
        """What each step has used, and what came beside them."""
        shown = await self.shown(visit)
        steps = shown.steps if visit.query("all") else shown.steps[-NEWEST_STEPS:]
        left_out = len(shown.steps) - len(steps)
        return visit.page("steps.html", job=shown.job, steps=[*steps, shown.beside], left_out=left_out)

    async def shown(self, visit: Visit) -> Shown:
        """The job and its lines so far.

        Raises:
            ApiError: 404, there is no such job.
        """
        job_id = visit.request.path_params["job_id"]
        parts = (
            await self._reader.parts(job_id, 0)
        ).parts  # before the job, whose usage ledger then have all that they tell
        snapshot = await self._jobs.snapshot(visit.principal, job_id)
        timeline = Timeline()
        timeline.take(parts)
        used = step_usage(snapshot, parts, self._prices)
        job, lines = job_shown(snapshot, visit.now_ms, self._prices), list(timeline.lines.values())
        return Shown(job, lines, timeline.position, used["steps"], used["besideSteps"])
