"""Bodies of seed 003's chat API, in its words: the bodies of its routes, and the answers of its tools.

Invariant: names and types are the seed's. Must not: know how anything is done.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, WithJsonSchema

from baton.sdk.records.any_json import AnyJson, JsonObject
from baton.worker.commands.completion_body import CompletionBody

_OBJECT_OR_TEXT = WithJsonSchema({"anyOf": [{"type": "object"}, {"type": "string"}, {"type": "null"}]})
_FROM_CLIENTS = ConfigDict(extra="ignore", frozen=True)


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("there is no text to answer")
    return text


def _object_or_text(value: Any) -> Any:
    if not isinstance(value, dict | str | None):
        raise ValueError("must be an object or a text")  # noqa: TRY004 - pydantic takes no other
    return value


class StreamChatBody(BaseModel):
    """A message of a session. `is_user_message` false: a program sends it; `context`: what the model gets besides."""

    model_config = _FROM_CLIENTS

    message: Annotated[str, AfterValidator(_not_blank)]
    is_user_message: bool = True
    context: JsonObject | None = None


class OperationCompleteBody(BaseModel):
    """The outcome of an operation; of `result` and `error` the one counts that `success` says."""

    model_config = _FROM_CLIENTS

    success: Annotated[bool, Field(strict=True)]
    result: Annotated[AnyJson, AfterValidator(_object_or_text), _OBJECT_OR_TEXT] = None
    error: str | None = None

    @property
    def completion(self) -> CompletionBody:
        """The same outcome, as our endpoint takes it."""
        if self.success:
            return CompletionBody(success=True, result=self.result)
        return CompletionBody(success=False, error=self.error)


class SessionsQuery(BaseModel):
    """A page of sessions; `cursor`: where it begins."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: Annotated[int, Field(ge=1, le=100)] = 50
    cursor: Annotated[str, Field(pattern=r"^[0-9]{1,15}-[0-9]{1,9}$")] | None = None

    @property
    def place(self) -> tuple[int | None, int]:
        """The latest time of the first session, in ms (None: now), and the number of sessions of that time to skip."""
        if self.cursor is None:
            return None, 0
        until_ms, _, shown = self.cursor.partition("-")
        return int(until_ms), int(shown)


class OperationStartedResponse(BaseModel):
    """The answer of a tool whose operation continues; `task_id`: the task whose stream shows its progress."""

    type: Literal["operation_started"] = "operation_started"
    message: str
    operation_id: str
    tool_name: str
    task_id: str | None = None


class OperationPendingResponse(BaseModel):
    """The conversation's entry while an operation continues."""

    type: Literal["operation_pending"] = "operation_pending"
    message: str
    operation_id: str
    tool_name: str


class OperationInProgressResponse(BaseModel):
    """The answer to a repeated call that still runs."""

    type: Literal["operation_in_progress"] = "operation_in_progress"
    message: str
    tool_call_id: str


class OperationStatusResponse(BaseModel):
    """The answer of `check_operation_status`."""

    type: Literal["operation_status"] = "operation_status"
    message: str
    task_id: str
    operation_id: str
    status: Literal["running", "completed", "failed"]
    tool_name: str | None = None


class ErrorResponse(BaseModel):
    """The answer of a tool that fails."""

    type: Literal["error"] = "error"
    message: str
    error: str | None = None


ToolResponse = (
    OperationStartedResponse
    | OperationPendingResponse
    | OperationInProgressResponse
    | OperationStatusResponse
    | ErrorResponse
)


def tool_response_schema() -> dict[str, Any]:
    return TypeAdapter[Any](ToolResponse).json_schema()
