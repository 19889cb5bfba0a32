"""Operations over HTTP: what finishes a waiting tool call from outside (CONTRACT, Operations)."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.api.job_view import call_view
from baton.api.json_body import limited_body, parsed
from baton.api.problem import ApiError
from baton.commands.completing import CompletionBody, UnknownOperationError
from baton.container import Container
from baton.ports import SignalResult


class OperationsApi:
    """Endpoints of operations; their key is `OPERATIONS_API_KEY`, which is no key of a tenant."""

    def __init__(self, container: Container) -> None:
        self._container = container

    async def complete(self, request: Request) -> Response:
        """`POST /api/operations/{id}/complete` → 200, also when repeated; `applied`: whether this outcome counts."""
        operation_id, body = request.path_params["operation_id"], await self._read(request)
        try:
            signal_result = await self._container.operations.completing.complete(operation_id, body, "webhook")
        except UnknownOperationError as error:
            raise ApiError(404, str(error)) from error
        return JSONResponse({"operationId": operation_id, "applied": signal_result.counts, "why": _WHY[signal_result]})

    async def show(self, request: Request) -> Response:
        """`GET /api/operations/{id}` → 200 and the tool call that waits for it."""
        try:
            snapshot, call_id = await self._container.operations.completing.find(request.path_params["operation_id"])
        except UnknownOperationError as error:
            raise ApiError(404, str(error)) from error
        call = next(call for call in snapshot.calls if call.id == call_id)
        view = call_view(call, snapshot, self._container.ports.clock.now_ms())
        return JSONResponse({"operationId": request.path_params["operation_id"], "jobId": snapshot.job.id, **view})

    async def _read(self, request: Request) -> CompletionBody:
        limit_bytes = self._container.settings.result_limit_bytes
        return parsed(CompletionBody, await limited_body(request, limit_bytes, "RESULT_LIMIT_BYTES"))


_WHY = {
    SignalResult.FIRST: "recorded",
    SignalResult.EARLY: "recorded",
    SignalResult.AGAIN: "recorded before",
    SignalResult.OTHER: "another outcome was recorded before, and stays",
    SignalResult.ENDED: "the job has ended",
}
