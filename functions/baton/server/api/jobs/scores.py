"""`POST /api/agent-jobs/{id}/scores`: feedback on a job, while it runs or long after its end.

A score counts in the deployment's metrics, and is a span of the job's trace. Invariant: a score never changes its job's
outcome, and failing counters and traces do not fail the score.
"""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.engine.all_jobs.scores import COMMENT_CHARS, LARGEST, MOST_OF_A_JOB, NAME, Score, counts_of
from baton.observability.tracing import job_scored
from baton.server.api.auth import Principal
from baton.server.api.jobs.context import Context
from baton.server.api.jobs.job import no_job
from baton.server.api.problem import ApiError, limited_body, parsed
from baton.store.redis.totals import count
from baton.worker.runtime.gen_ai import score_attributes
from baton.worker.runtime.job_view import score_view
from baton_events.errors import StoreError
from baton_events.ids import canonical_json


def _number(value: object) -> object:
    if not isinstance(value, bool | int | float) or not abs(value) <= LARGEST:  # NaN is neither less nor greater
        raise ValueError(f"a score is true, false, or a number from -{LARGEST} to {LARGEST}")
    return value


class ScoreBody(BaseModel):
    """A score."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=NAME)]
    value: Annotated[bool | int | float, BeforeValidator(_number)]
    comment: Annotated[str, Field(max_length=COMMENT_CHARS)] = ""


async def post_score(context: Context, request: Request) -> Response:
    principal = await context.keys.authenticate(request)
    body = parsed(ScoreBody, await limited_body(request))
    return JSONResponse(await scored(context, principal, request.path_params["job_id"], body), 201)


async def scored(context: Context, principal: Principal, job_id: str, body: ScoreBody) -> dict[str, Any]:
    """Score a job; return the score as JSON.

    Raises ApiError: 404, 403, 410; 409 for one more name than a job may have. StorageFullError: the tenant is full.
    """
    snapshot, ports = await context.jobs.snapshot(principal, job_id), context.container.ports
    before = {score.name: score for score in snapshot.scores}
    if body.name not in before and len(before) >= MOST_OF_A_JOB:
        detail = f"job {job_id!r} has {MOST_OF_A_JOB} scores, the most a job may have: send one of their names"
        raise ApiError(409, detail)
    by = principal.name
    score = Score(body.name, body.value, body.comment, ports.clock.now_ms(), by)
    quota, size_bytes = context.container.commands.quota, len(canonical_json(score_view(score)).encode())
    await quota.check(snapshot.job.tenant, size_bytes)
    if not await ports.archive.keep_score(snapshot.job, score):
        raise await no_job(ports.archive, principal, job_id)
    await quota.stored(snapshot.job.tenant, "score", size_bytes)
    job_scored(snapshot.job, score_attributes(score, context.container.secrets.hide))
    await _count(context, snapshot.job.agent, score, before.get(score.name))
    return score_view(score)


async def _count(context: Context, agent: str, score: Score, before: Score | None) -> None:
    counters = context.container.ports.counters
    try:
        sums = await counters.sums()
    except StoreError:
        return  # the score is stored, so an unavailable counter is no error
    await count(counters, counts_of(agent, score, before, sums))
