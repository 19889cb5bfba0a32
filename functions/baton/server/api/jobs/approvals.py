"""Checkpoints of jobs, and decisions on approvals: the API's endpoints, and the logic that the console's pages share.

Answers in other protocols, to an interrupt of AG-UI or as a message to a task of A2A, end here, too. Invariant: the
first decision counts, wherever it comes from. Only operators decide, and client keys what their user decides (`by` of
the tool's approval) and what APPROVAL_LINKS allows them, but for what is the operator's alone (`may_decide`):
`baton.worker.commands.approve`, which applies a decision, holds all doors to that. Only the endpoints know a request.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.engine.background_calls import started_in
from baton.engine.state import CallRecord
from baton.engine.waits import APPROVALS, Decider, may_decide
from baton.sdk.agents.registry import UnknownToolError
from baton.sdk.records.any_json import JsonObject
from baton.sdk.tools.arguments import InvalidArguments
from baton.server.api.auth import Principal
from baton.server.api.jobs.approval_list import (
    ApprovalList,
    ApprovalPage,
    ApprovalStatus,
    approvals_of,
    questions_of,
    view_of,
)
from baton.server.api.jobs.context import Context
from baton.server.api.problem import ApiError, limited_body, parsed, parsed_query
from baton.store.records.jobs import Snapshot
from baton.worker.commands.approve import DecidedError, EditError, OperatorsAloneError, SamePersonError, edited
from baton.worker.container import Container
from baton.worker.executors.continuing import ended
from baton_events.errors import JobGoneError, UnknownJobError
from baton_events.ids import call_of_operation, job_of_call, operation_id

ANSWER_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "approved": {"type": "boolean"},
        "editedArgs": {"type": "object", "description": "replaces all arguments"},
        "reason": {"type": "string", "description": "why it is rejected, or a comment"},
    },
    "required": ["approved"],
}


def answer_schema(view: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of an answer to an approval; a tool's question is answered by the arguments."""
    if "form" not in view:
        return ANSWER_SCHEMA
    return ANSWER_SCHEMA | {"properties": {**ANSWER_SCHEMA["properties"], "editedArgs": view["form"]}}


class ApprovalAnswer(BaseModel):
    """An answer, in the form that AG-UI recommends for tool calls; `edited_args` replaces all arguments."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True)

    approved: Annotated[bool, Field(strict=True)]
    edited_args: JsonObject | None = None
    reason: Annotated[str, Field(max_length=2_000)] = ""


async def decide(container: Container, principal: Principal, answers: Mapping[str, ApprovalAnswer]) -> None:
    """Decide checkpoints that are pending, by id.

    Raises ApiError: 403 no right to decide, 409 decided in the meantime, 422 arguments that do not fit.
    """
    if principal.role != "admin" and not container.settings.approval_links:
        for checkpoint_id in answers:
            _, question = await question_of(container, checkpoint_id)
            if may_decide(question) != "user":
                raise ApiError(
                    403,
                    "an answer decides an approval, which needs an admin key;"
                    " APPROVAL_LINKS=true lets client keys decide those of their tenant",
                )
    for checkpoint_id, answer in answers.items():
        await take_answer(container, principal, checkpoint_id, answer)


async def take_answer(container: Container, principal: Principal, checkpoint_id: str, answer: ApprovalAnswer) -> None:
    """Decide one of them, as somebody who is known to have the right."""
    if answer.approved:
        approval = ApprovalBody(arguments=answer.edited_args, comment=answer.reason)
        await approve_by(container, principal.decider, checkpoint_id, approval)
    else:
        await reject_by(container, principal.decider, checkpoint_id, RejectionBody(reason=answer.reason))


Checkpoint = dict[str, Any]
Decide = Callable[[Container, Principal, str, Any], Awaitable[Checkpoint]]
_Digest = Annotated[str, Field(max_length=64)]
_NO_REASON = "rejected without a reason"


class ApprovalBody(BaseModel):
    """Approves. `arguments`: to run with instead of those asked for; of a limit: `value`, what it is raised to.

    `digest`: of what is approved; where something else is asked by now, nothing is decided.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    arguments: JsonObject | None = None
    comment: Annotated[str, Field(max_length=2_000)] = ""
    digest: _Digest = ""


class RejectionBody(BaseModel):
    """Rejects, as a rule with a reason, which the model reads; `digest` as for an approval."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: Annotated[str, Field(max_length=2_000)] = ""
    digest: _Digest = ""


class ListQuery(BaseModel):
    """A page of the approvals of all jobs. `cursor`: as the page before gave it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: ApprovalStatus = "pending"
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, Field(max_length=2_000)] = ""


async def _of_job(context: Context, principal: Principal, job_id: str) -> list[Checkpoint]:
    """Return all checkpoints of a job and of its calls that run in the background, in order.

    Raises ApiError: 404 unknown, 403 another tenant's.
    """
    snapshot = await context.jobs.snapshot(principal, job_id)
    reader = context.container.ports.reader
    stored = await reader.parts(snapshot.job.id, 0)
    marks = [json.loads(part)["data"] for part in stored.parts if '"data-checkpoint"' in part]
    # An attempt that runs a second time, after a crash, sets its marks again.
    infos = {mark["id"]: mark for mark in marks if mark["type"] == "info"}
    started = await asyncio.gather(*map(reader.job, started_in(snapshot.calls)))
    now_ms = context.container.ports.clock.now_ms()
    asked = [view for one in (snapshot, *started) if one for view in approvals_of(one, now_ms)]
    found = [*infos.values(), *asked]
    return sorted(found, key=lambda view: str(view["createdAt"]))


async def approvals_listed(container: Container, principal: Principal, approval: ListQuery) -> ApprovalPage:
    """Read a page of the approvals of all jobs. Raises ApiError: 403 no operator, 422 no cursor."""
    _operator(principal)
    ports = container.ports
    approvals = ApprovalList(ports.listing, ports.admission_control, ports.reader, ports.clock)
    try:
        return await approvals.page(approval.status, approval.limit, approval.cursor)
    except ValueError as error:
        detail = f"{approval.cursor[:80]!r} is no cursor of this list"
        raise ApiError(422, detail, [("cursor", detail)]) from error


async def approve(container: Container, principal: Principal, checkpoint_id: str, body: ApprovalBody) -> Checkpoint:
    """Approve a question: the job continues, with the edited arguments if there are some.

    Raises ApiError: 403 no operator, 404 unknown, 409 decided before or about something else, 422 arguments that do
    not fit.
    """
    _operator(principal)
    return await approve_by(container, principal.decider, checkpoint_id, body)


async def approve_by(container: Container, by: Decider, checkpoint_id: str, body: ApprovalBody) -> Checkpoint:
    """Approve for a person whose right to decide is already checked. Raises ApiError: as above."""
    snapshot, approval = await _undecided(container, checkpoint_id, body.digest)
    given = body.arguments
    if given is None and "form" in approval.arguments:
        given = approval.arguments["arguments"]  # a form as it began, which may lack an answer
    arguments = None if given is None else _edited(container, snapshot.job.agent, approval, given)
    decision = {"approved": True, "arguments": arguments, "comment": container.secrets.hide(body.comment)}
    return await _decide(container, by, snapshot, approval, "ok", decision)


async def reject(container: Container, principal: Principal, checkpoint_id: str, body: RejectionBody) -> Checkpoint:
    """Reject a question: the call fails with the reason. Raises ApiError: as for an approval."""
    _operator(principal)
    return await reject_by(container, principal.decider, checkpoint_id, body)


async def reject_by(container: Container, by: Decider, checkpoint_id: str, body: RejectionBody) -> Checkpoint:
    """Reject for a person whose right to decide is already checked. Raises ApiError: as for an approval."""
    snapshot, approval = await _undecided(container, checkpoint_id, body.digest)
    decision = {"type": "rejected", "message": container.secrets.hide(body.reason.strip()) or _NO_REASON}
    return await _decide(container, by, snapshot, approval, "error", decision)


async def edited_as_recorded(
    container: Container, checkpoint_id: str, digest: str, arguments: dict[str, Any]
) -> dict[str, Any]:
    """Return edited arguments as they would be recorded; nothing is decided. Raises ApiError: as for an approval."""
    snapshot, approval = await _undecided(container, checkpoint_id, digest)
    return _edited(container, snapshot.job.agent, approval, arguments)


async def question_of(container: Container, checkpoint_id: str) -> tuple[Snapshot, CallRecord]:
    """Find an approval's job, and the question. Raises ApiError: 404. JobGoneError: its job's data is gone."""
    call_id = call_of_operation(checkpoint_id)
    snapshot = await container.ports.reader.job(job_of_call(call_id)) if call_id else None
    approval = next((call for call in questions_of(snapshot) if call.id == call_id), None) if snapshot else None
    if snapshot is None and call_id and await container.ports.archive.tombstone(job_of_call(call_id)):
        raise JobGoneError(job_of_call(call_id))
    if snapshot is None or approval is None:
        raise ApiError(404, f"there is no checkpoint {checkpoint_id!r} to decide")
    return snapshot, approval


async def _undecided(container: Container, checkpoint_id: str, digest: str) -> tuple[Snapshot, CallRecord]:
    snapshot, approval = await question_of(container, checkpoint_id)
    view = view_of(approval, snapshot, container.ports.clock.now_ms())
    if view["status"] != "pending":
        raise _too_late(checkpoint_id, f"it is {view['status']}")
    if digest and digest != view["digest"]:
        raise ApiError(409, f"checkpoint {checkpoint_id!r} asks about digest {view['digest']}, not about {digest}")
    return snapshot, approval


def _edited(container: Container, agent: str, approval: CallRecord, arguments: dict[str, Any]) -> dict[str, Any]:
    form = approval.arguments.get("form")
    check = partial(_check, container, agent) if form is None else partial(_check_answer, form)
    try:
        return edited(approval, arguments, container.secrets, check)
    except EditError as error:
        raise ApiError(422, str(error), [(error.field, str(error))]) from error


def _check(container: Container, agent: str, tool: str, arguments: dict[str, Any]) -> None:
    try:
        container.registry.check(agent, tool, arguments)
    except UnknownToolError as error:
        raise ApiError(409, f"{error}: arguments cannot be edited; approve them as they are, or reject") from error
    except InvalidArguments as error:
        raise _misfit(error) from error


async def _decide(
    container: Container,
    by: Decider,
    snapshot: Snapshot,
    approval: CallRecord,
    verdict: Literal["ok", "error"],
    decision: dict[str, Any],
) -> Checkpoint:
    checkpoint_id = operation_id(approval.id)
    try:
        decided = await container.commands.decide(snapshot.job, approval, by, verdict, decision)
    except UnknownJobError as error:
        raise ApiError(404, f"there is no checkpoint {checkpoint_id!r}") from error
    except (OperatorsAloneError, SamePersonError) as error:
        raise ApiError(error.status, str(error)) from error
    except DecidedError as error:
        raise _too_late(checkpoint_id, str(error)) from error
    if verdict == "error" and snapshot.job.is_operation and "form" not in approval.arguments:
        refused = next(call for call in snapshot.calls if call.tool not in APPROVALS)
        await ended(container, snapshot.job, refused, {"error": decision})
    return decided


def _check_answer(form: dict[str, Any], tool: str, answer: dict[str, Any]) -> None:
    from baton.sdk.tools.foreign_schema import JsonSchema  # noqa: PLC0415 - few tools have questions

    try:
        JsonSchema(tool, form).check(answer)
    except InvalidArguments as error:
        raise _misfit(error) from error


def _misfit(error: InvalidArguments) -> ApiError:
    places = [".".join(["arguments", *map(str, place)]) for place in error.places]
    return ApiError(422, str(error), list(zip(places, error.faults, strict=True)))


def _operator(principal: Principal) -> None:
    if principal.role != "admin":
        raise ApiError(403, "the approvals of all jobs, and deciding them, need an admin key")


def _too_late(checkpoint_id: str, why: str) -> ApiError:
    return ApiError(409, f"checkpoint {checkpoint_id!r} cannot be decided any more: {why}")


async def checkpoints_of_job(context: Context, request: Request) -> Response:
    """Answer `GET /api/agent-jobs/{id}/checkpoints` with 200 and all checkpoints, in order."""
    principal = await context.keys.authenticate(request)
    return JSONResponse({"checkpoints": await _of_job(context, principal, request.path_params["job_id"])})


async def list_approvals(context: Context, request: Request) -> Response:
    """Answer `GET /api/admin/agent-checkpoints?status=&limit=&cursor=` with 200 and a page of approvals."""
    principal = await context.keys.authenticate(request)
    approval = parsed_query(ListQuery, request.query_params)
    page = await approvals_listed(context.container, principal, approval)
    return JSONResponse({"checkpoints": page.checkpoints} | ({"cursor": page.cursor} if page.cursor else {}))


async def decide_checkpoint(
    body: type[ApprovalBody | RejectionBody], decide: Decide, context: Context, request: Request
) -> Response:
    """Answer `POST` or `DELETE /api/admin/agent-checkpoints/{id}` with 200 and the checkpoint; 409 for a decided one.

    `body`: of a request, which may be empty; `decide`: what is done with it.
    """
    principal = await context.keys.authenticate(request)
    raw = await limited_body(request)
    given = parsed(body, raw) if raw.strip() else body()
    return JSONResponse(await decide(context.container, principal, request.path_params["checkpoint_id"], given))


approve_checkpoint = partial(decide_checkpoint, ApprovalBody, approve)
reject_checkpoint = partial(decide_checkpoint, RejectionBody, reject)
