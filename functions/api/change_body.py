"""The body of `PATCH /api/agent-jobs/{id}` (CONTRACT, Jobs)."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from functions.api.json_body import parsed


class ChangeBody(BaseModel):
    """What a client asks for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    action: Literal["cancel"]


def read_change_body(body: bytes) -> ChangeBody:
    """The body of a change.

    Raises:
        ApiError: 400 not JSON, 422 with every fault otherwise.
    """
    return parsed(ChangeBody, body)
