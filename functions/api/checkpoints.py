"""Checkpoints over HTTP: marks that tools set, and decisions that jobs wait for (CONTRACT, Checkpoints)."""

import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from events.core.approval import LIMIT_APPROVAL
from events.core.state import CallRecord
from events.core.transitions import CallStatus
from events.errors import UnknownJobError
from events.ids import call_of_operation, job_of_call, operation_id
from events.ports import Heeded, Snapshot
from events.schema import Completion
from events.timestamps import rfc3339
from functions.api.auth import Keys
from functions.api.jobs import JobsApi
from functions.api.json_body import limited_body, parsed
from functions.api.problem import ApiError
from functions.container import Container

BODY_LIMIT_BYTES = 64_000
_STATUS = {
    CallStatus.WAITING: "pending",
    CallStatus.COMPLETED: "approved",
    CallStatus.FAILED: "rejected",
    CallStatus.CANCELLED: "cancelled",
}


class ApprovalBody(BaseModel):
    """Approves; `arguments.value`: what the limit is raised to, twice its value by default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    arguments: dict[str, Any] | None = None
    comment: Annotated[str, Field(max_length=2_000)] = ""


class RejectionBody(BaseModel):
    """Rejects, and says why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: Annotated[str, Field(min_length=1, max_length=2_000)]


class CheckpointsApi:
    """Endpoints of checkpoints."""

    def __init__(self, container: Container, keys: Keys, jobs: JobsApi) -> None:
        self._container = container
        self._keys = keys
        self._jobs = jobs

    async def of_job(self, request: Request) -> Response:
        """`GET /api/agent-jobs/{id}/checkpoints` → 200 and all of them, in order."""
        principal = await self._keys.authenticate(request)
        snapshot = await self._jobs.snapshot(principal, request.path_params["job_id"])
        stored = await self._container.ports.reader.parts(snapshot.job.id, 0)
        infos = [_info(json.loads(part), snapshot) for part in stored.parts if '"data-checkpoint"' in part]
        found = [info for info in infos if info] + [_approval(call, snapshot) for call in _asked(snapshot)]
        return JSONResponse({"checkpoints": found})

    async def approve(self, request: Request) -> Response:
        """`POST /api/admin/agent-checkpoints/{id}` → 200 and the checkpoint; 409 where it was decided before."""
        principal = await self._keys.authenticate(request)
        raw = await limited_body(request, BODY_LIMIT_BYTES)
        body = parsed(ApprovalBody, raw) if raw.strip() else ApprovalBody()
        snapshot, call = await self._find(request)
        value = (body.arguments or {}).get("value")
        if body.arguments is not None and not _is_more(value, call):
            detail = f"arguments.value must be a number over {call.arguments['value']}, got {value!r}"
            raise ApiError(422, detail, [("arguments.value", detail)])
        decision = {"approved": True, "by": principal.tenant, "comment": body.comment, "arguments": body.arguments}
        return await self._decide(snapshot, call, {"ok": decision})

    async def reject(self, request: Request) -> Response:
        """`DELETE /api/admin/agent-checkpoints/{id}` → 200 and the checkpoint; 409 where it was decided before."""
        principal = await self._keys.authenticate(request)
        body = parsed(RejectionBody, await limited_body(request, BODY_LIMIT_BYTES))
        snapshot, call = await self._find(request)
        message = f"{body.reason} ({principal.tenant})"
        return await self._decide(snapshot, call, {"error": {"type": "rejected", "message": message}})

    async def _decide(self, snapshot: Snapshot, call: CallRecord, outcome: dict[str, Any]) -> Response:
        checkpoint_id = operation_id(call.id)
        completion = Completion(call_id=call.id, outcome=outcome)
        try:
            heeded = await self._container.acceptance.outside(snapshot.job, completion)
        except UnknownJobError as error:
            raise ApiError(404, f"there is no checkpoint {checkpoint_id!r}") from error
        if heeded is not Heeded.FIRST:
            raise ApiError(409, f"checkpoint {checkpoint_id!r} was decided before, or its job has ended")
        status = "approved" if "ok" in outcome else "rejected"
        return JSONResponse(_approval(call, snapshot) | {"status": status})

    async def _find(self, request: Request) -> tuple[Snapshot, CallRecord]:
        checkpoint_id = request.path_params["checkpoint_id"]
        call_id = call_of_operation(checkpoint_id)
        snapshot = await self._container.ports.reader.job(job_of_call(call_id)) if call_id else None
        found = [call for call in _asked(snapshot) if call.id == call_id] if snapshot else []
        if snapshot is None or not found:
            raise ApiError(404, f"there is no checkpoint {checkpoint_id!r} to decide")
        return snapshot, found[0]


def _asked(snapshot: Snapshot) -> list[CallRecord]:
    return [call for call in snapshot.calls if call.tool == LIMIT_APPROVAL]


def _is_more(value: object, call: CallRecord) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > call.arguments["value"]


def _approval(call: CallRecord, snapshot: Snapshot) -> dict[str, Any]:
    ended = snapshot.job.ended and call.status is CallStatus.WAITING
    expired = call.error is not None and call.error.type == "expired"
    decision = snapshot.results.get(call.id, {}).get("ok") or {}
    until_ms = next((leg.not_before_ms for leg in snapshot.legs if leg.call_id == call.id), 0)
    return {
        "id": operation_id(call.id),
        "jobId": snapshot.job.id,
        "type": "approval",
        "status": "cancelled" if ended else "expired" if expired else _STATUS[call.status],
        "title": f"the limit {call.arguments['limit']}={call.arguments['value']} is reached",
        "arguments": call.arguments,
        "createdAt": rfc3339(call.started_at_ms or 0),
        "expiresAt": rfc3339(until_ms) if until_ms else None,
        "decidedAt": rfc3339(call.finished_at_ms) if call.finished_at_ms else None,
        "decidedBy": decision.get("by"),
        "reason": call.error.message if call.error else None,
        "editedArguments": decision.get("arguments"),
    }


def _info(part: dict[str, Any], snapshot: Snapshot) -> dict[str, Any] | None:
    data = part["data"]
    if data["type"] != "info":
        return None
    return {
        "jobId": snapshot.job.id,
        "type": "info",
        "status": "recorded",
        "title": data["title"],
        "data": data["data"],
    }
