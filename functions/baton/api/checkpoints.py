"""Checkpoints over HTTP (CONTRACT, Checkpoints); what they do is in functions/baton/api/approvals.py."""

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.api.approvals import ApprovalBody, Approvals, ListQuery, RejectionBody
from baton.api.auth import Keys
from baton.api.json_body import limited_body, parsed
from baton.api.problem import invalid

# Edited arguments are as long as a model's may be, and JSON may write each character as six.
BODY_LIMIT_BYTES = 512_000


class CheckpointsApi:
    """Endpoints of checkpoints."""

    def __init__(self, keys: Keys, approvals: Approvals) -> None:
        self._keys = keys
        self._approvals = approvals

    async def of_job(self, request: Request) -> Response:
        """`GET /api/agent-jobs/{id}/checkpoints` → 200 and all of them, in order."""
        principal = await self._keys.authenticate(request)
        return JSONResponse({"checkpoints": await self._approvals.of_job(principal, request.path_params["job_id"])})

    async def listed(self, request: Request) -> Response:
        """`GET /api/admin/agent-checkpoints?status=&limit=&cursor=` → 200 and a page of the approvals of all jobs."""
        principal = await self._keys.authenticate(request)
        try:
            asked = ListQuery.model_validate(dict(request.query_params))
        except ValidationError as error:
            raise invalid(error, "query") from error
        page = await self._approvals.listed(principal, asked)
        return JSONResponse({"checkpoints": page.checkpoints} | ({"cursor": page.cursor} if page.cursor else {}))

    async def approve(self, request: Request) -> Response:
        """`POST /api/admin/agent-checkpoints/{id}` → 200 and the checkpoint; 409 where it was decided before."""
        principal = await self._keys.authenticate(request)
        raw = await limited_body(request, BODY_LIMIT_BYTES)
        body = parsed(ApprovalBody, raw) if raw.strip() else ApprovalBody()
        return JSONResponse(await self._approvals.approve(principal, request.path_params["checkpoint_id"], body))

    async def reject(self, request: Request) -> Response:
        """`DELETE /api/admin/agent-checkpoints/{id}` → 200 and the checkpoint; 409 where it was decided before."""
        principal = await self._keys.authenticate(request)
        body = parsed(RejectionBody, await limited_body(request, BODY_LIMIT_BYTES))
        return JSONResponse(await self._approvals.reject(principal, request.path_params["checkpoint_id"], body))
