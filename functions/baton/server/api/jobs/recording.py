"""`GET /api/agent-jobs/{id}/recording`: an ended job, and the jobs below it, as one document that can be replayed.

The document is `{"v": 1, "job": JOB, "texts": {digest: its text}}`; a JOB has its calls, and a call the JOB
that it started (`child`). Times are milliseconds since 1970 (`…Ms`); `…/results/{call}` gives one large result alone.
Invariant: secrets under their names are redacted.
A digest that is not among the texts comes from code that has changed since. Must not: shorten anything, or wait for
or change a job.
"""

import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct, to_builtins
from msgspec.structs import replace
from pydantic.alias_generators import to_camel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.engine.state import CallRecord
from baton.engine.transitions import CallStatus
from baton.sdk.agents.registry import Registry, UnknownAgentError
from baton.sdk.models.fingerprint import fingerprint, parts_of
from baton.sdk.models.model import ModelRequest
from baton.sdk.records.redaction import redacted
from baton.server.api.jobs.context import Context
from baton.server.api.jobs.job import no_job
from baton.server.api.jobs.result import answer_of, with_results
from baton.server.api.problem import ApiError
from baton.store.records.jobs import Snapshot
from baton.store.redis.reader import Reader
from baton.worker.executors.plan_turns import PlannerTurn
from baton.worker.runtime.job_view import shown_result
from baton_events.ids import is_child, root_of
from baton_events.schema import EventType


def requested_texts(registry: Registry, agent_name: str) -> dict[str, Any]:
    """Return instructions, tools, settings and output type by their digests; none for an agent that is gone."""
    try:
        agent = registry.agent(agent_name)
    except UnknownAgentError:
        return {}
    output = agent.output.spec if agent.output else None
    request = ModelRequest(
        agent.instructions, (), registry.specs_of(agent), 1, settings=agent.request_settings, output=output
    )
    requests = [request]
    if agent.mode == "plan":  # the instructions of its last turn include this
        tools, specs = registry.tools_of(agent), request.tools
        requests = [
            PlannerTurn(agent, tools, specs, made, agent.limits.tool_calls).request(request)
            for made in (0, agent.max_rounds)
        ]
    return {fingerprint(value): value for requested in requests for value in parts_of(requested).values()}


RECORDING_VERSION = 1
# The only entries of a stream that a recording needs: handled events, and waits.
_HANDLED, _OPERATION = "data-event", "data-operation"


class JobSource(Struct, frozen=True):
    """All that is stored of one job; `parts`: its stream's entries, as JSON texts."""

    snapshot: Snapshot
    transcript: tuple[dict[str, Any], ...]
    parts: tuple[str, ...]


def recording(root_id: str, sources: Mapping[str, JobSource], texts: Mapping[str, Any]) -> dict[str, Any]:
    """Build the document of a job and all jobs below it.

    `root_id`: the job. `sources`: by job id; one that is missing (it has expired) is left out. `texts`: the texts of
    digests; those that no turn names are left out.
    """
    named = {
        digest
        for source in sources.values()
        for entry in source.transcript
        for digest in (entry.get("requestDigests") or {}).values()
    }
    return {
        "v": RECORDING_VERSION,
        "job": _job(root_id, sources),
        "texts": {digest: text for digest, text in sorted(texts.items()) if digest in named},
    }


def _job(job_id: str, sources: Mapping[str, JobSource]) -> dict[str, Any]:
    source = sources[job_id]
    job, task = source.snapshot.job, source.snapshot.task
    parts = [part for part in map(json.loads, source.parts) if part["type"] in (_HANDLED, _OPERATION)]
    return {
        "id": job.id,
        "jobType": job.agent,
        "taskDescription": task.get("text", ""),
        "inputData": redacted(task.get("data") or {}),
        "sessionId": job.session_id,
        "tenant": job.tenant,
        "priority": job.priority,
        "limits": camel(job.limits),
        "model": camel(job.model),
        "createdAtMs": job.created_at_ms,
        "startedAtMs": job.started_at_ms,
        "finishedAtMs": job.finished_at_ms,
        "status": job.status,
        "result": job.result,
        "error": {"type": job.error.type, "message": job.error.message} if job.error else None,
        "usage": camel(job.used),
        # The task's data is stored as it came; all else is redacted before it is stored.
        "transcript": [
            {**each, "data": redacted(each["data"])} if "data" in each else each for each in source.transcript
        ],
        "modelCalls": [_attempt(part["data"]) for part in parts if _is(part, EventType.LOOP_INIT)],
        "toolCalls": [_call(call, source, parts, sources) for call in source.snapshot.calls],
    }


def _call(
    call: CallRecord, source: JobSource, parts: list[dict[str, Any]], sources: Mapping[str, JobSource]
) -> dict[str, Any]:
    mine = [part for part in parts if part["data"].get("callId") == call.id]
    stored = source.snapshot.results.get(call.id, {})
    view: dict[str, Any] = {
        "id": call.id,
        "turn": call.turn,
        "position": call.position,
        "tool": call.tool,
        "arguments": redacted(call.arguments),
        "status": call.status,
        "attempts": [_attempt(part["data"]) for part in mine if _is(part, EventType.TOOL_CALL)],
    }
    if call.step:
        view |= {"step": call.step, "dependsOn": sorted(call.after), "onFailure": call.on_failure}
    if "ok" in stored:
        view["result"] = stored["ok"]  # of one that is too large for it, what a model gets
        view |= shown_result(source.snapshot.job.id, call.id, stored) if "apart" in stored else {}
    error = stored.get("error") or (call.error and {"type": call.error.type, "message": call.error.message})
    if error:
        view["error"] = error
    waits = next((part["data"] for part in mine if part["type"] == _OPERATION), None)
    if waits is not None:
        view["wait"] = {
            name: waits[shown]
            for name, shown in (("event", "event"), ("operationId", "operationId"), ("untilMs", "until"))
            if shown in waits
        }
    if call.child in sources:
        view["child"] = _job(call.child, sources)
    return view


def _attempt(data: Mapping[str, Any]) -> dict[str, Any]:
    view: dict[str, Any] = {
        "turn": data["turn"],
        "attempt": data["attempt"] + data.get("questions", 0),
        "startedAtMs": data["at"] - data["durationMs"],
        "finishedAtMs": data["at"],
        "outcome": data["outcome"],
    }
    if "failure" in data:
        view["failure"] = data["failure"]
    return view


def _is(part: Mapping[str, Any], kind: EventType) -> bool:
    return bool(part["type"] == _HANDLED and part["data"]["type"] == kind)


def camel(record: Any) -> dict[str, Any]:
    """Convert a flat record to JSON with the names of the wire, defaults included."""
    values = {name: getattr(record, name) for name in record.__struct_fields__}
    return {to_camel(name): value for name, value in to_builtins(values).items()}


async def collect(reader: Reader, job_id: str) -> dict[str, JobSource]:
    """Read everything stored, by job id; a job that does not exist (any more) is left out.

    Raises StoreError: the store does not answer.
    """
    found: dict[str, JobSource] = {}
    todo = [job_id]
    while todo:
        name = todo.pop()
        snapshot = await reader.job(name)
        if snapshot is None:
            continue
        parts = (await reader.parts(name, 0)).parts
        found[name] = JobSource(snapshot, await reader.transcript(name), parts)
        todo += [call.child for call in snapshot.calls if call.child]
    return found


async def show_recording(context: Context, request: Request) -> Response:
    """Answer 200 with the document; 409 for a job that has not ended, was retried, or has a parent job."""
    principal = await context.keys.authenticate(request)
    job = (await context.jobs.snapshot(principal, request.path_params["job_id"])).job
    if is_child(job.id):
        raise ApiError(409, f"job {job.id!r} was started by another job: it is in the recording of {root_of(job.id)!r}")
    if not job.ended:
        raise ApiError(409, f"job {job.id!r} is {job.status}: only a job that has ended has a recording")
    if job.run > 1:
        raise ApiError(409, f"job {job.id!r} was retried: only a job that ran once has a recording")
    sources = await collect(context.container.ports.reader, job.id)
    if job.id not in sources:
        raise ApiError(404, f"job {job.id!r} has expired meanwhile")
    for name, source in sources.items():
        sources[name] = replace(source, snapshot=await with_results(context.container, source.snapshot))
    texts = {
        digest: text
        for agent in {source.snapshot.job.agent for source in sources.values()}
        for digest, text in requested_texts(context.container.registry, agent).items()
    }
    return JSONResponse(context.container.secrets.hide_in(recording(job.id, sources, texts)))


async def show_result(context: Context, request: Request) -> Response:
    """Answer `GET …/results/{call}`; 404 for a call without a result (yet), 410 for one that is gone."""
    principal, ports = await context.keys.authenticate(request), context.container.ports
    job_id, call_id = request.path_params["job_id"], request.path_params["call_id"]
    job, call, stored = await ports.reader.result(job_id, call_id)
    if job is None:
        raise await no_job(ports.archive, principal, job_id)
    if not principal.may_see(job.tenant):
        raise ApiError(403, f"job {job_id!r} belongs to another tenant")
    if call is None or call.status is not CallStatus.COMPLETED or "ok" not in stored:
        raise ApiError(404, f"job {job_id!r} has no result of a tool call {call_id!r}")
    return await answer_of(context.container, request, (job_id, call_id), stored)
