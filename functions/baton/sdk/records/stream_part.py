"""A part of a job's stream as its readers get it: one typed union, told apart by `type`; the engine makes them.

A reader matches `part["type"]` and ends with `left_out`: once a kind is added here, mypy names each reader without it.
Invariant: a part that only a newer version knows is left out, and never an error.
"""

from typing import Any, Literal, Never, NotRequired, TypedDict

OfPlan = Literal["data-plan-created", "data-step-started", "data-step-completed", "data-reflection"]
OfTurn = Literal["data-usage", "data-cut", "data-retry", "data-memory", "data-message"]
OfCall = Literal["data-checkpoint", "data-operation", "data-progress"]
OfJob = Literal["data-event", "data-lost", "data-job-cancelling", "data-job-retried"]


class Start(TypedDict):
    """The job is accepted."""

    type: Literal["start"]
    messageId: str


class StepMark(TypedDict):
    """A turn with the results of its tools begins or ends."""

    type: Literal["start-step", "finish-step"]


class TextMark(TypedDict):
    """A text of the model begins or ends."""

    type: Literal["text-start", "text-end"]
    id: str


class TextDelta(TypedDict):
    """More of a text."""

    type: Literal["text-delta"]
    id: str
    delta: str


class ToolInput(TypedDict):
    """A tool is called; a script's call names the script's own."""

    type: Literal["tool-input-available"]
    toolCallId: str
    toolName: str
    input: Any
    providerMetadata: NotRequired[dict[str, Any]]


class ToolOutput(TypedDict):
    type: Literal["tool-output-available"]
    toolCallId: str
    output: Any


class ToolFailure(TypedDict):
    """A call failed for good."""

    type: Literal["tool-output-error"]
    toolCallId: str
    errorText: str


class Abort(TypedDict):
    """The job was cancelled."""

    type: Literal["abort"]
    reason: str


class JobFailure(TypedDict):
    """The job failed. `id`: by which operators find why, for a reader who is not told."""

    type: Literal["error"]
    errorText: str
    id: NotRequired[str]


class Finish(TypedDict):
    """The end of the job, with its status."""

    type: Literal["finish"]
    messageMetadata: dict[str, str]


class DataPart(TypedDict):
    """A part of our own; with an `id` it replaces the one before."""

    type: OfPlan | OfTurn | OfCall | OfJob
    data: dict[str, Any]
    id: NotRequired[str]
    transient: NotRequired[bool]


StreamPart = (
    Start
    | StepMark
    | TextMark
    | TextDelta
    | ToolInput
    | ToolOutput
    | ToolFailure
    | Abort
    | JobFailure
    | Finish
    | DataPart
)


def left_out(_kind: Never) -> None:
    """Leave out a part of a kind that this version does not have."""
