"""What somebody says of an operation: the body of a call of the API, and of an entry of the stream of outcomes."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from baton.sdk.records.any_json import AnyJson

_NO_ERROR_TEXT = "the operation failed"


class CompletionBody(BaseModel):
    """The outcome of an operation."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

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
        if self.success:
            return {"ok": self.result}
        return {"error": {"type": "operation_failed", "message": self.error or _NO_ERROR_TEXT}}
