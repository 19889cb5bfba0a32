"""The body of `PATCH /api/agent-jobs/{id}` (CONTRACT, Jobs)."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from functions.api.problem import ApiError, invalid


class ChangeBody(BaseModel):
    """What a client asks for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    action: Literal["cancel"]


def read_change_body(body: bytes) -> ChangeBody:
    """The body of a change.

    Raises:
        ApiError: 400 not JSON, 422 with every fault otherwise.
    """
    try:
        return ChangeBody.model_validate_json(body)
    except ValidationError as error:
        if any(fault["type"] == "json_invalid" for fault in error.errors()):
            raise ApiError(400, "the body is not JSON") from error
        raise invalid(error, "body") from error
