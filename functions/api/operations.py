"""Operations over HTTP: what finishes a waiting tool call from outside (CONTRACT, Operations)."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from events.core.checkpoint import APPROVALS
from events.core.redaction import redacted
from events.errors import UnknownJobError
from events.ids import call_of_operation, job_of_call
from events.ports import Heeded, Snapshot
from events.schema import Completion
from functions.api.job_view import call_view
from functions.api.json_body import AnyJson, limited_body, parsed
from functions.api.problem import ApiError
from functions.container import Container

_NO_ERROR_TEXT = "the operation failed"


class CompletionBody(BaseModel):
    """What completes an operation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    success: Annotated[bool, Field(strict=True)]
    result: AnyJson = None
    error: str | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "CompletionBody":
        if self.success and self.error is not None:
            raise ValueError("a success has no error: send `result`, or `success: false`")
        if not self.success and self.result is not None:
            raise ValueError("a failure has no result: send `error`, or `success: true`")
        return self

    @property
    def outcome(self) -> dict[str, Any]:
        """What is recorded as the call's outcome."""
        if self.success:
            return {"ok": self.result}
        return {"error": {"type": "operation_failed", "message": self.error or _NO_ERROR_TEXT}}


class OperationsApi:
    """Endpoints of operations; their key is `OPERATIONS_API_KEY`, which is no key of a tenant."""

    def __init__(self, container: Container) -> None:
        self._container = container

    async def complete(self, request: Request) -> Response:
        """`POST /api/operations/{id}/complete` → 200, also when repeated; `applied`: whether this outcome counts."""
        body = await self._read(request)
        snapshot, call_id = await self._find(request.path_params["operation_id"])
        try:
            heeded = await self._container.acceptance.outside(
                snapshot.job,
                Completion(call_id=call_id, outcome=self._container.secrets.hide_in(redacted(body.outcome))),
            )
        except UnknownJobError as error:
            raise ApiError(404, f"there is no operation {request.path_params['operation_id']!r}") from error
        applied = heeded in (Heeded.FIRST, Heeded.AGAIN)
        return JSONResponse(
            {"operationId": request.path_params["operation_id"], "applied": applied, "why": _WHY[heeded]}
        )

    async def show(self, request: Request) -> Response:
        """`GET /api/operations/{id}` → 200 and the tool call that waits for it."""
        snapshot, call_id = await self._find(request.path_params["operation_id"])
        call = next(call for call in snapshot.calls if call.id == call_id)
        view = call_view(call, snapshot, self._container.ports.clock.now_ms())
        return JSONResponse({"operationId": request.path_params["operation_id"], "jobId": snapshot.job.id, **view})

    async def _find(self, operation_id: str) -> tuple[Snapshot, str]:
        call_id = call_of_operation(operation_id)
        snapshot = await self._container.ports.reader.job(job_of_call(call_id)) if call_id else None
        # A decision is no operation: it needs an operator's key.
        if snapshot is None or all(call.id != call_id or call.tool in APPROVALS for call in snapshot.calls):
            raise ApiError(404, f"there is no operation {operation_id!r}")
        return snapshot, call_id

    async def _read(self, request: Request) -> CompletionBody:
        limit_bytes = self._container.settings.result_limit_bytes
        return parsed(CompletionBody, await limited_body(request, limit_bytes, "RESULT_LIMIT_BYTES"))


_WHY = {
    Heeded.FIRST: "recorded",
    Heeded.AGAIN: "recorded before",
    Heeded.OTHER: "another outcome was recorded before, and stays",
    Heeded.ENDED: "the job has ended",
}
