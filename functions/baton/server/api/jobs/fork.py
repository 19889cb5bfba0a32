"""`POST /api/agent-jobs/{id}/fork`: a job that takes over an ended one's turns, with edits, up to one turn."""

from typing import Annotated, Any

from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.engine.commit.codec import dump
from baton.engine.fork import Edits, Ended, Fork, Source, ToolsRun, forked_task
from baton.engine.state import Job
from baton.sdk.agents.agent import Agent
from baton.sdk.agents.registry import Registry, UnknownAgentError, UnknownToolError
from baton.sdk.agents.runner import CodeRunner
from baton.sdk.models.catalog import model_fault
from baton.sdk.records.any_json import AnyJson, JsonObject
from baton.sdk.tools.arguments import InvalidArguments
from baton.server.api.auth import Principal
from baton.server.api.jobs.context import Context
from baton.server.api.jobs.job import idempotency_key_of, new_ids
from baton.server.api.problem import ApiError, limited_body, parsed
from baton.store.records.objects import objects_in, results_of
from baton.worker.commands.kept_files import KeptFiles
from baton.worker.executors.forked import files_named_in
from baton.worker.runtime.new_jobs import fork_job_of
from baton_events.ids import digest, is_child


class EditsBody(BaseModel):
    """Differences from the ended job; results and arguments by the ids of its calls."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)

    task_description: str | None = None
    instructions: str | None = None
    model: Annotated[str, Field(min_length=1)] | None = None
    tool_results: dict[str, AnyJson] = Field(default_factory=dict)
    arguments: dict[str, JsonObject] = Field(default_factory=dict)


class ForkBody(BaseModel):
    """A fork; `turn` is the first one that is asked anew."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)

    turn: Annotated[int, Field(ge=1, strict=True)]
    edits: EditsBody = EditsBody()
    tools_run: ToolsRun = "recorded"


async def post_fork(context: Context, request: Request) -> Response:
    """Answer 202 with the new job; 409 for a job that is not over or is another's child; 422 for unknown turns."""
    principal = await context.keys.authenticate(request)
    body = parsed(ForkBody, await limited_body(request))
    job = await forked(context, principal, request.path_params["job_id"], body, idempotency_key_of(request))
    return JSONResponse(job, 202)


async def forked(
    context: Context, principal: Principal, job_id: str, body: ForkBody, idempotency_key: str = ""
) -> dict[str, Any]:
    """Fork a job; return the new one as JSON.

    Raises ApiError: 404, 403, 410; 409 for a job that has not ended, or was started by another one; 422 for what does
    not fit the job.
    """
    snapshot = await context.jobs.snapshot(principal, job_id)
    job, registry = snapshot.job, context.container.registry
    agent = _agent_of(job, registry)
    transcript = await context.container.ports.reader.transcript(job.id)
    job_id, session_id, now_ms = new_ids(context.container, principal, idempotency_key)
    own = results_of(job.tenant, job_id, snapshot.results)
    source = Source(job, snapshot.calls, own, transcript)
    edits, ended, text = Edits(**body.edits.model_dump()), Ended(source), dump(source)
    fork = Fork(
        job.id,
        body.turn,
        f"source-{digest(text)}",
        edits,
        body.tools_run,
        asks=principal.role != "admin",
        first_own=ended.number_of(body.turn),
    )
    faults = [*ended.faults(fork), *_misfits(registry, agent, ended, fork)]
    if faults:
        raise ApiError(422, f"job {job.id!r} cannot be forked like that: {faults[0][1]}", faults)
    task = forked_task(transcript[0], fork)
    made = fork_job_of(registry, job, job_id=job_id, session_id=session_id, now_ms=now_ms)
    model = replace(made.model, name=body.edits.model or made.model.name)
    made = replace(made, request_digest=digest(task), model=model)
    ports, quota = context.container.ports, context.container.commands.quota
    texts = {fork.source: text}
    texts |= await files_named_in(ports.chats, source, context.container.settings.files_limit_bytes)
    copies = objects_in(snapshot.results.values())
    attached = KeptFiles(ports.chats, quota, made, texts, copies, ports.objects)
    return await context.jobs.submitted(principal, made, task, idempotency_key, attached=attached)


def _agent_of(job: Job, registry: Registry) -> Agent:
    """Return the agent of a job that can be forked. Raises ApiError 409."""
    if is_child(job.id) or job.is_operation:
        raise ApiError(409, f"job {job.id!r} was started by another job: fork that one")
    if not job.ended:
        raise ApiError(409, f"job {job.id!r} is {job.status}: only a job that has ended can be forked")
    try:
        return registry.agent(job.agent)
    except UnknownAgentError as error:
        raise ApiError(409, f"job {job.id!r} cannot be forked: {error}") from error


def _misfits(registry: Registry, agent: Agent, ended: Ended, fork: Fork) -> list[tuple[str, str]]:
    """List the fields of the edits that the agent cannot take, each with its fault."""
    edits, faults = fork.edits, list[tuple[str, str]]()
    is_code = isinstance(agent.runner, CodeRunner)
    fixed = f"the plan of agent {agent.name!r} is fixed: it" if agent.plan else ""
    silent = f"workflow {agent.name!r}" if is_code else fixed
    if edits.model is not None and (fault := model_fault(edits.model)):
        faults.append(("edits.model", fault))
    for name, value in (("instructions", edits.instructions), ("model", edits.model)):
        if value is not None and silent:
            faults.append((f"edits.{name}", f"{silent} asks no model"))
    edited = [("toolResults", edits.tool_results), ("arguments", edits.arguments)] if is_code else []
    for name, call in ((name, ended.calls.get(call_id)) for name, by_id in edited for call_id in by_id):
        if call is not None and call.turn + 1 < fork.turn:
            turns = f"turn {ended.job.first_turn} or {call.turn + 1}"
            faults.append(
                (f"edits.{name}.{call.id}", f"the code has gone on with what this call gave: fork at {turns}")
            )
    if edits.task_description is not None and agent.runner is not None and fork.turn > ended.job.first_turn:
        first = f"its messages are recorded with the task: fork at turn {ended.job.first_turn}"
        faults.append(("edits.taskDescription", first))
    for call_id, arguments in edits.arguments.items():
        call = ended.calls.get(call_id)
        try:
            if call is not None:
                registry.check(agent.name, call.tool, arguments)
        except (InvalidArguments, UnknownToolError) as error:
            faults.append((f"edits.arguments.{call_id}", str(error)))
    return faults
