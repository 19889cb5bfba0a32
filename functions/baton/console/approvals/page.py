"""Approvals: what jobs wait for from people, and deciding on it."""

import json
from typing import Any

from pydantic import ValidationError
from starlette.responses import Response

from baton.api.jobs.approvals import ApprovalBody, Approvals, ListQuery, RejectionBody
from baton.api.problem import ApiError, invalid
from baton.console.form import Form, field, read_object
from baton.console.gate import Visit
from baton.console.shown import pretty
from baton.engine.waits import LIMIT_APPROVAL
from baton_events.ids import call_of_operation, job_of_call

HOME = "/console/approvals"
STATUSES = ("pending", "approved", "rejected", "expired", "cancelled")


class ApprovalsPage:
    """Shows approvals, and decides."""

    def __init__(self, approvals: Approvals) -> None:
        self._approvals = approvals

    async def show(self, visit: Visit) -> Response:
        """Those that wait, unless others are asked for."""
        status = visit.query("status") or "pending"
        try:
            query = ListQuery.model_validate({"status": status, "cursor": visit.query("cursor")})
        except ValidationError as error:
            raise invalid(error, "query") from error
        page = await self._approvals.listed(visit.principal, query)
        return visit.page(
            "approvals.html", approvals=page.checkpoints, cursor=page.cursor, chosen=status, statuses=STATUSES
        )

    async def one(self, visit: Visit) -> Response:
        """One approval, with the forms while it waits."""
        return await self._one(visit, {}, {})

    async def approve(self, visit: Visit) -> Response:
        """Approve, with other arguments where they were edited."""
        approval = await self._find(visit)
        given = {name: field(visit.form, name) for name in ("arguments", "comment")}
        try:
            body = ApprovalBody(
                arguments=_edited(visit.form, approval),
                comment=given["comment"],
                digest=field(visit.form, "digest"),
            )
            await self._approvals.approve(visit.principal, approval["id"], body)
        except (ApiError, ValidationError) as error:
            return await self._refused(visit, error, given)
        return visit.go(f"{HOME}/{approval['id']}", "Approved.")

    async def reject(self, visit: Visit) -> Response:
        """Reject, with a reason."""
        approval = await self._find(visit)
        given = {"reason": field(visit.form, "reason")}
        try:
            body = RejectionBody(reason=given["reason"], digest=field(visit.form, "digest"))
            await self._approvals.reject(visit.principal, approval["id"], body)
        except (ApiError, ValidationError) as error:
            return await self._refused(visit, error, given)
        return visit.go(f"{HOME}/{approval['id']}", "Rejected.")

    async def _refused(self, visit: Visit, error: ApiError | ValidationError, given: dict[str, str]) -> Response:
        """What is wrong is said at its field, and the input kept; where it is about no field, as a page."""
        refused = error if isinstance(error, ApiError) else invalid(error, "form")
        if not refused.faults:
            raise refused
        faults: dict[str, str] = {}
        for place, message in refused.faults:
            name, _, inner = place.partition(".")
            text = f"{inner}: {message}" if inner else message
            faults[name] = f"{faults[name]}; {text}" if name in faults else text
        return await self._one(visit, given, faults, refused.status)

    async def _one(self, visit: Visit, given: dict[str, str], faults: dict[str, str], status: int = 200) -> Response:
        approval = await self._find(visit)
        shown = {"arguments": pretty(approval["arguments"]), "comment": "", "reason": ""} | given
        limit = approval["tool"] in (None, LIMIT_APPROVAL)
        return visit.page("approval.html", status, approval=approval, given=shown, faults=faults, limit=limit)

    async def _find(self, visit: Visit) -> dict[str, Any]:
        wanted = visit.request.path_params["checkpoint_id"]
        call_id = call_of_operation(wanted)
        if call_id:
            for approval in await self._approvals.of_job(visit.principal, job_of_call(call_id)):
                if approval["id"] == wanted:
                    return approval
        raise ApiError(404, f"there is no approval {wanted!r}")


def _edited(form: Form, approval: dict[str, Any]) -> dict[str, Any] | None:
    """The arguments of the form where they are others than those that were asked for.

    Raises:
        ApiError: 422, no JSON object.
    """
    if "arguments" not in form:
        return None
    text = field(form, "arguments")
    if not text:
        raise ApiError(422, "arguments: empty", [("arguments", "it is empty: write a JSON object, {} for none")])
    given = read_object(text, "arguments")
    return None if given == json.loads(json.dumps(approval["arguments"])) else given
