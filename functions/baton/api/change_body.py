"""The body of `PATCH /api/agent-jobs/{id}` (CONTRACT, Jobs)."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from baton.api.json_body import parsed


class ChangeBody(BaseModel):
    """A client's request; `from`: where a retry begins."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    action: Literal["cancel", "retry"]
    begin: Annotated[Literal["failure", "start"] | None, Field(alias="from")] = None

    @model_validator(mode="after")
    def _only_of_a_retry(self) -> "ChangeBody":
        if self.begin and self.action != "retry":
            raise ValueError(f"`from` belongs to a retry, not to {self.action!r}")
        return self


def read_change_body(body: bytes) -> ChangeBody:
    """The body of a change.

    Raises:
        ApiError: 400 not JSON, 422 with every fault otherwise.
    """
    return parsed(ChangeBody, body)
