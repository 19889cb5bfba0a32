"""Answers to approvals in other protocols: to an interrupt of AG-UI, or as a message to a task of A2A.

Invariant: the first decision counts, wherever it comes from. A client key decides only where APPROVAL_LINKS allows it.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from baton.sdk.records.any_json import JsonObject
from baton.server.api.auth import Principal
from baton.server.api.jobs.approvals import ApprovalBody, RejectionBody, approve_by, reject_by
from baton.server.api.problem import ApiError
from baton.worker.container import Container

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

    Raises:
        ApiError: 403 no right to decide, 409 decided in the meantime, 422 arguments that do not fit.
    """
    if answers and principal.role != "admin" and not container.settings.approval_links:
        raise ApiError(
            403,
            "an answer decides an approval, which needs an admin key;"
            " APPROVAL_LINKS=true lets client keys decide those of their tenant",
        )
    for checkpoint_id, answer in answers.items():
        if answer.approved:
            approval = ApprovalBody(arguments=answer.edited_args, comment=answer.reason)
            await approve_by(container, principal.decider, checkpoint_id, approval)
        else:
            rejection = RejectionBody(reason=answer.reason)
            await reject_by(container, principal.decider, checkpoint_id, rejection)
