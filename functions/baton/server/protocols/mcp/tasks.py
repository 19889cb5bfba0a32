"""MCP's tools and tasks: an exposed agent is a tool, a call of it a job; a task is read, answered and cancelled.

A tool shows only its agent's purpose, input and output; an argument that is not named here is data of the job.
Invariant: a task is a job of an exposed agent, however it was started, and shows of its inside only that it works. A
job that failed is a result with `isError`, as the protocol requires; only a fault of the server is an error. A repeated
call continues the job that is named by a state which this server has signed for the same call. Must not: know JSON-RPC.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from baton.engine.state import Job
from baton.engine.transitions import JobStatus
from baton.sdk.agents.agent import Agent
from baton.sdk.agents.registry import Registry
from baton.sdk.models.model import CUT_NOTE
from baton.sdk.planning.reference import TASK, InvalidReference, recorded, references
from baton.server.api.auth import Principal
from baton.server.api.jobs.approval_list import SeenJob, seen_job
from baton.server.api.jobs.approvals import ApprovalAnswer, decide
from baton.server.api.jobs.context import Context
from baton.server.api.jobs.job import ChangeBody
from baton.server.api.jobs.submission import SubmitBody
from baton.server.api.problem import ApiError, invalid
from baton.server.protocols.mcp.body import INTERNAL, INVALID_PARAMS, RpcError
from baton.settings.signed_texts import SignedTexts
from baton.store.records.jobs import Snapshot
from baton.worker.commands.follow import come_back_ms
from baton_events.errors import StoreError
from baton_events.ids import call_of_operation, canonical_json, digest, job_of_call
from baton_events.timestamps import rfc3339

Part = dict[str, Any]
# A client keeps the list this long: a deploy may change it.
LIST_TTL_MS = 300_000
_TASK, _SESSION = "task", "sessionId"
_PROPERTIES = {
    _TASK: {"type": "string", "description": "what it is to do, in words that make sense by themselves"},
    _SESSION: {
        "type": "string",
        "minLength": 1,
        "maxLength": 200,
        "description": "a name of your own for a conversation: calls with the same one know what was said before",
    },
}


def exposed_agents(registry: Registry) -> dict[str, Agent]:
    """Return the agents that are tools here, by name."""
    return {agent.name: agent for agent in registry.agents if "mcp" in agent.expose}


def tool_named(registry: Registry, name: str) -> Agent:
    """Return the agent behind a tool. Raises RpcError: no exposed agent has that name."""
    exposed = exposed_agents(registry)
    if name not in exposed:
        listed = ", ".join(exposed) or "none: write Agent(expose='mcp')"
        raise RpcError(INVALID_PARAMS, f"unknown tool {name[:80]!r}; there are: {listed}")
    return exposed[name]


def tool_of(agent: Agent, *, modern: bool) -> dict[str, Any]:
    tool = {
        "name": agent.name,
        "description": agent.description.strip() or f"Give a task to the agent {agent.name}.",
        "inputSchema": _schema_of(agent),
    }
    if agent.output is not None and (modern or agent.output.spec.parameters.get("type") == "object"):
        tool["outputSchema"] = dict(agent.output.spec.parameters)
    return tool if modern else tool | {"execution": {"taskSupport": "optional"}}


def _schema_of(agent: Agent) -> dict[str, Any]:
    """Return an agent's input schema: a fixed plan takes named fields; others take a text, and any data beside it."""
    taken = set[tuple[str | int, ...]]()
    for step in agent.plan:
        try:
            taken.update(found.path for _, found in references(recorded(step.arguments)) if found.step == TASK)
        except InvalidReference as error:  # the registry refuses such a plan
            raise AssertionError(error) from error
    fields = sorted({str(path[1]) for path in taken if path[0] == "data" and len(path) > 1} - _PROPERTIES.keys())
    schema = {"type": "object", "properties": _PROPERTIES | {name: {} for name in fields}}
    required = ([_TASK] if ("text",) in taken else []) + fields
    return schema | ({"required": required} if required else {} if agent.plan else {"minProperties": 1})


class ArgumentsError(ValueError):
    """The arguments of a call do not fit; a model reads why, and calls again."""


def submission_of(agent: Agent, arguments: Any) -> SubmitBody:
    """Build the submission of a call. Raises ArgumentsError: the arguments do not fit."""
    given: Mapping[str, Any] = arguments if isinstance(arguments, dict) else {}
    if not isinstance(arguments, dict | None):
        raise ArgumentsError(f"arguments must be an object, got {str(arguments)[:80]!r}")
    data = {name: value for name, value in given.items() if name not in _PROPERTIES}
    missing = [name for name in _schema_of(agent).get("required", ()) if given.get(name) is None]
    text = given.get(_TASK)
    if missing or not (text or data or agent.plan):
        raise ArgumentsError(f"the arguments lack {', '.join(missing) or _TASK}")
    fields = {"jobType": agent.name, "taskDescription": text or "", "inputData": data}
    try:
        return SubmitBody.model_validate(fields | {name: given[name] for name in (_SESSION,) if name in given})
    except ValidationError as error:
        raise ArgumentsError(str(invalid(error, "arguments")).replace("taskDescription", _TASK)) from error


# Failures of the server rather than of the agent's work: they are no answer of a tool.
_OF_SERVER = {"delivery_failed", "newer_transcript", "process_died", "storage_full", "unknown", "unknown_agent"}
QUESTION_SCHEMA = {
    "type": "object",
    "properties": {
        "approved": {"type": "boolean", "title": "Approve", "description": "false rejects it", "default": True},
        "reason": {"type": "string", "title": "Reason", "description": "why it is rejected, or a comment"},
        "editedArgs": {"type": "string", "title": "Edited arguments", "description": "JSON that replaces all of them"},
    },
}


def text_result(text: str, *, is_error: bool = False) -> Part:
    return {"content": [{"type": "text", "text": text}], "isError": is_error}


def tool_result(job: Job, *, promised: bool) -> Part:
    """Return the result of an ended job. `promised`: its tool has a schema of results, which a success must fit.

    Raises RpcError: the server is at fault.
    """
    if job.status is JobStatus.COMPLETED:
        result = job.result or {}
        value = result.get("output", result.get("answer"))
        shown = text_result(value if isinstance(value, str) else canonical_json(value))
        if result.get("cut"):
            shown["content"].append({"type": "text", "text": CUT_NOTE})
        if promised and "output" not in result:
            stopped = f"there is no answer of the promised form: {result.get('stoppedBy', 'the job')} ended before it"
            return text_result("\n".join(filter(None, (shown["content"][0]["text"], stopped))), is_error=True)
        return shown | {"structuredContent": value} if isinstance(value, dict) else shown
    if job.error is not None and job.error.type in _OF_SERVER:
        raise RpcError(INTERNAL, job.error.message)
    return text_result(job.error.message if job.error else f"job {job.id} is {job.status}", is_error=True)


def related(result: Part, job: Job) -> Part:
    """Add the task's id to a result, as revision 2025-11-25 requires."""
    return result | {"_meta": {"io.modelcontextprotocol/related-task": {"taskId": job.id}}}


def question_of(view: Mapping[str, Any]) -> Part:
    """Convert an approval to a form for people; a tool's question has a form of its own."""
    if "form" in view:
        return {"mode": "form", "message": view["title"], "requestedSchema": view["form"]}
    asked = f"{view['tool']} {canonical_json(view['arguments'])}" if view["tool"] else canonical_json(view["arguments"])
    return {"mode": "form", "message": f"{view['title']}\n{asked}", "requestedSchema": QUESTION_SCHEMA}


def requests_of(asked: Sequence[Mapping[str, Any]]) -> Part:
    """Convert pending approvals to requests to the client, by id."""
    return {view["id"]: {"method": "elicitation/create", "params": question_of(view)} for view in asked}


def answer_fields(result: Any, view: Mapping[str, Any]) -> Part | None:
    """Convert a filled form to the fields of the approval's answer; None: the person has postponed it.

    Raises ValueError: it is none.
    """
    action = result.get("action") if isinstance(result, dict) else None
    if action == "cancel":
        return None
    if action not in ("accept", "decline"):
        raise ValueError(f"action must be accept, decline or cancel, got {str(action)[:80]!r}")
    content = found if isinstance(found := result.get("content"), dict) else {}
    if "form" in view:
        return {"approved": action == "accept", "editedArgs": content}
    edited = content.get("editedArgs") or None
    return {
        "approved": action == "accept" and content.get("approved", True),
        "reason": content.get("reason") or "",
        "editedArgs": json.loads(edited) if isinstance(edited, str) else edited,
    }


def created_task(task: Part, *, modern: bool) -> Part:
    if not modern:
        return {"task": task}
    bare = {name: value for name, value in task.items() if name not in ("result", "error", "inputRequests")}
    return bare | {"resultType": "task"}


def task_of(
    snapshot: Snapshot, now_ms: int, asked: Sequence[Part], retention_ms: int, *, modern: bool, promised: bool
) -> Part:
    """Convert the job to a task. `asked`: its pending approvals, where its client can show them."""
    job = snapshot.job
    updated_ms = job.finished_at_ms or snapshot.usage.updated_ms or job.created_at_ms
    ttl_ms = updated_ms - job.created_at_ms + retention_ms if job.ended else None
    task: Part = {
        "taskId": job.id,
        "createdAt": rfc3339(job.created_at_ms),
        "lastUpdatedAt": rfc3339(updated_ms),
        "ttlMs" if modern else "ttl": ttl_ms,
        "pollIntervalMs" if modern else "pollInterval": come_back_ms(snapshot, now_ms),
    }
    if not job.ended:
        task["status"] = "input_required" if asked else "working"
        return task | ({"inputRequests": requests_of(asked)} if asked and modern else {})
    ended = {JobStatus.COMPLETED: "completed", JobStatus.CANCELLED: "cancelled"}.get(job.status, "failed")
    if not modern or ended == "cancelled":
        message = {"statusMessage": job.error.message} if job.error and not modern else {}
        return task | {"status": ended} | message
    try:
        result = {"resultType": "complete"} | tool_result(job, promised=promised)
        return task | {"status": "completed", "result": result}
    except RpcError as error:
        return task | {"status": "failed", "statusMessage": str(error), "error": error.value}


_STATE = "call of an mcp tool"


async def look_up(context: Context, principal: Principal, task_id: str) -> SeenJob:
    """Read a task.

    Raises ApiError: 404 unknown, or of an agent that is not exposed; 403 another tenant's; 410 its data was removed.
    """
    snapshot = await context.jobs.snapshot(principal, task_id)
    if snapshot.job.agent not in exposed_agents(context.container.registry):
        raise ApiError(404, f"there is no task {task_id!r}")
    audience = principal.audience(context.container.settings)
    return seen_job(snapshot, context.container.ports.clock.now_ms(), audience)


async def accepted(
    context: Context, principal: Principal, agent: Agent, arguments: Any, idempotency_key: str
) -> SeenJob:
    """Submit the job of a call. Raises ArgumentsError: the arguments do not fit."""
    body = submission_of(agent, arguments)
    view = await context.jobs.accept(principal, body, idempotency_key)
    try:
        return await look_up(context, principal, view["id"])
    except ApiError as error:
        if error.status != 404:  # noqa: PLR2004 - a read may be older than a new submission
            raise
        raise StoreError(f"task {view['id']!r} is accepted, and reads do not show it yet") from error


def state_of(context: Context, job_id: str, agent: Agent, arguments: Any, asked: Sequence[Part]) -> str:
    """Sign the state with which a call comes again to continue its job; each round of questions has its own."""
    names = [view["id"] for view in asked]
    return SignedTexts(context.container.settings).signed(
        _STATE, {"job": job_id, "call": digest(agent.name, arguments), "asked": names}
    )


async def resumed(context: Context, principal: Principal, agent: Agent, arguments: Any, state: Any) -> SeenJob:
    """Read the job of a call that comes again. Raises RpcError: the state was not made for this call."""
    found = SignedTexts(context.container.settings).read(_STATE, state) if isinstance(state, str) else None
    if found is None or found.get("call") != digest(agent.name, arguments):
        raise RpcError(INVALID_PARAMS, "params.requestState is of another call: send the call anew, without it")
    return await look_up(context, principal, str(found["job"]))


async def take_answers(context: Context, principal: Principal, found: SeenJob, responses: Any) -> bool:
    """Decide a task's questions, by the checkpoints' ids; an answer to anything else is ignored.

    Returns whether a person has postponed all of them. Raises RpcError: an answer is invalid. ApiError: 403 no right
    to decide, 422 edited arguments that do not fit.
    """
    if not isinstance(responses, Mapping):
        raise RpcError(INVALID_PARAMS, f"inputResponses must be an object, got {str(responses)[:80]!r}")
    pending = {str(view["id"]): view for view in found.asked}
    given = {name: _answer(pending[name], value) for name, value in responses.items() if name in pending}
    answers = {name: answer for name, answer in given.items() if answer is not None}
    for name, answer in answers.items():
        try:
            await decide(context.container, principal, {name: answer})
        except ApiError as error:
            if error.status != 409:  # noqa: PLR2004 - the question was decided meanwhile; the others were not
                raise
    return bool(given) and not answers


async def take_answer(context: Context, principal: Principal, checkpoint_id: str, response: Any) -> None:
    """Decide a question that was asked on a stream, if it is a question of a task.

    Raises RpcError, ApiError: as above.
    """
    job_id = job_of_call(call_of_operation(checkpoint_id))
    if not job_id:
        raise RpcError(INVALID_PARAMS, f"{checkpoint_id[:80]!r} is no question of this server")
    await take_answers(context, principal, await look_up(context, principal, job_id), {checkpoint_id: response})


async def cancel_task(context: Context, principal: Principal, task_id: str) -> SeenJob:
    """Cancel a task; a cancelled one stays cancelled. Raises ApiError: as for `look_up`; 409, it has ended."""
    await look_up(context, principal, task_id)
    await context.jobs.changed(principal, task_id, ChangeBody(action="cancel"))
    return await look_up(context, principal, task_id)


def _answer(view: Part, value: Any) -> ApprovalAnswer | None:
    name = view["id"]
    try:
        fields = answer_fields(value, view)
        return None if fields is None else ApprovalAnswer.model_validate(fields)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"])
        raise RpcError(INVALID_PARAMS, f"the answer to {name!r}: {place}: {fault['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise RpcError(INVALID_PARAMS, f"the answer to {name!r}: {error}") from error
