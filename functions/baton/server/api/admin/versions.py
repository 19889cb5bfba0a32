"""Two versions of an agent side by side, over their newest stored runs; and the list of versions.

A run is a job that a client submitted, that has ended, and whose data is still stored: neither a fork nor a job below
another. Invariant: the rows read for a side are bounded, however many jobs there are.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from math import ceil
from statistics import fmean
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.engine.all_jobs.days import VersionSeen
from baton.engine.all_jobs.ends import run_ms
from baton.engine.all_jobs.job_list import Query
from baton.engine.state import CallRecord
from baton.engine.transitions import CallStatus, JobStatus
from baton.engine.waits import APPROVALS
from baton.server.api.jobs.context import Context
from baton.server.api.problem import ApiError, parsed_query
from baton.store.records.jobs import Snapshot
from baton.worker.runtime.usage_view import job_cost
from baton_events.timestamps import rfc3339

USUAL_RUNS, MOST_RUNS = 50, 100
_ROWS, _MOST_ROWS = 100, 600
# Below this, a difference between two sides is not more than a hint.
FEW_RUNS = 30


class VersionsQuery(BaseModel):
    """The versions to compare; by default the newest, and the one before it. `limit`: of runs, on each side."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    left: str = ""
    right: str = ""
    limit: Annotated[int, Field(ge=1, le=MOST_RUNS)] = USUAL_RUNS


async def show_versions(context: Context, request: Request) -> Response:
    """Answer 200; 404 for an agent neither registered nor ever begun; 422 for a version that was not seen."""
    query = parsed_query(VersionsQuery, request.query_params)
    return JSONResponse(await compared_versions(context, request.path_params["agent"], query))


async def compared_versions(context: Context, agent: str, query: VersionsQuery) -> dict[str, Any]:
    """Return the versions, and two of them side by side, or as many as there are. Raises ApiError: 404, 422."""
    control = context.container.ports.admission_control
    versions, known = await control.versions(agent), {each.name for each in context.container.registry.agents}
    if not versions and agent not in known and agent not in {one.agent for one in (await control.live()).values()}:
        raise ApiError(404, f"there is no agent {agent!r}")
    right = _chosen(versions, query.right, "right") or next(iter(versions), None)
    others = [each for each in versions if each is not right]
    left = _chosen(versions, query.left, "left") or next(iter(others), None)
    sides = await asyncio.gather(*(_side(context, agent, each, query.limit) for each in (left, right)))
    seen = [
        {"version": each.version, "model": each.model, "runs": each.runs}
        | {"firstAt": rfc3339(each.first_ms), "lastAt": rfc3339(each.last_ms)}
        for each in versions
    ]
    return {"agent": agent, "versions": seen, "left": sides[0], "right": sides[1]}


async def _side(context: Context, agent: str, version: VersionSeen | None, limit: int) -> dict[str, Any] | None:
    if version is None:
        return None
    runs = await _runs(context, agent, version, limit)
    calls = await context.container.ports.reader.calls([run.job.id for run in runs])
    return {"version": version.version, "model": version.model, **_measured(context, runs, calls)}


async def _runs(context: Context, agent: str, version: VersionSeen, limit: int) -> list[Snapshot]:
    """Read the newest runs of a version: none began after its last one ended."""
    query, position, found = Query(agent=agent, before_ms=version.last_ms + 1), "", list[Snapshot]()
    for _ in range(0, _MOST_ROWS, _ROWS):
        page = await context.container.ports.listing.scan(query, position, _ROWS)
        jobs = await context.container.ports.reader.jobs([row.job_id for row in page.found])
        of_version = (one for one in jobs.values() if one.job.agent == agent)
        found += [one for one in of_version if one.job.agent_version == version.version and one.job.ended]
        position = page.next
        if not position or len(found) >= limit:
            break
    return found[:limit]


def _measured(context: Context, runs: Sequence[Snapshot], calls: dict[str, tuple[CallRecord, ...]]) -> dict[str, Any]:
    jobs = [run.job for run in runs]
    made = [call for job in jobs for call in calls.get(job.id, ()) if call.tool not in APPROVALS]
    durations = sorted(run_ms(job) for job in jobs)
    return {
        "runs": len(runs),
        "completed": sum(job.status is JobStatus.COMPLETED for job in jobs),
        "failed": sum(job.status is JobStatus.FAILED for job in jobs),
        "cancelled": sum(job.status is JobStatus.CANCELLED for job in jobs),
        "stopped": sum("stoppedBy" in (job.result or {}) for job in jobs),
        "p50Ms": _at(durations, 0.5),
        "p95Ms": _at(durations, 0.95),
        "turns": _mean([job.used.turns for job in jobs]),
        "toolCalls": len(made),
        "toolFailures": sum(call.status is CallStatus.FAILED for call in made),
        "tokens": _mean([job.used.input_tokens + job.used.output_tokens for job in jobs]),
        "costUsd": _mean(
            [job_cost(run.usage, run.job.used, context.container.settings.prices)["totalUsd"] for run in runs]
        ),
        "scores": _scores(runs),
        "jobs": [job.id for job in jobs],
    }


def _chosen(versions: Sequence[VersionSeen], wanted: str, field: str) -> VersionSeen | None:
    found = next((each for each in versions if each.version == wanted), None)
    if wanted and found is None:
        known = ", ".join(each.version for each in versions) or "none yet"
        detail = f"no job of version {wanted!r} has ended; versions: {known}"
        raise ApiError(422, detail, [(field, detail)])
    return found


def _at(values: Sequence[int], share: float) -> int | None:
    """Return the smallest value that at least this share of them does not exceed: one of them, never interpolated."""
    return values[max(0, ceil(len(values) * share) - 1)] if values else None


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def _scores(runs: Sequence[Snapshot]) -> dict[str, dict[str, Any]]:
    found: defaultdict[str, list[float]] = defaultdict(list)
    for run in runs:
        for score in run.scores:
            found[score.name].append(float(score.value))
    return {name: {"mean": fmean(values), "runs": len(values)} for name, values in sorted(found.items())}
