"""The records of a simulation's run, and the actions of people and systems outside."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct, field

from baton.testing.process import Point


class Approve(Struct, frozen=True):
    """Approves a checkpoint, with other arguments if given."""

    arguments: dict[str, Any] | None = None


class Reject(Struct, frozen=True):
    """Rejects a checkpoint."""

    reason: str


class Checkpoint(Struct, frozen=True):
    """A question for a person: may this tool run with these arguments?"""

    id: str
    job_id: str
    title: str
    tool: str
    arguments: dict[str, Any]


class Operation(Struct, frozen=True):
    """A call that waits for its outcome from outside."""

    id: str
    job_id: str
    tool: str
    arguments: dict[str, Any]


Decide = Callable[[Checkpoint], Approve | Reject]
Outcomes = Callable[[Operation], Mapping[str, Any] | None]


class ToolStart(Struct, frozen=True):
    """One start of a tool call."""

    tool: str
    arguments: dict[str, Any]
    idempotency_key: str
    attempt: int


class Attempt(Struct):
    """The outcome of one start of a call.

    Attributes:
        effects: the keys of its effects, in order.
        result: its result as JSON; None: it has none, or waits.
        started: the job that it starts, and waits for: its agent and its task, as JSON; empty: none.
        failure: its failure; empty: none.
        swallowed: it was cancelled, and continued.
    """

    call: str
    start: ToolStart
    effects: list[str] = field(default_factory=list)
    result: str | None = None
    started: str = ""
    failure: str = ""
    message: str = ""
    swallowed: bool = False


class Run(Struct):
    """One run of a job.

    Attributes:
        point: the end of its process; None: it did not end.
        agent: the job's agent.
        status: the job's, as the API has it; `result`, `error`, `usage`, `calls` likewise.
        parts: of its stream. model_messages: the input of its model, turn by turn; pydantic-ai's messages.
        virtual_seconds: its duration, in virtual time.
        attempts: the outcome of each start of a tool call, in order.
        story: the events, each with its second.
        unsure: tools that start at most once, of which a call failed as `may_have_run`.
    """

    point: Point | None
    agent: str
    status: str
    result: Any
    error: dict[str, str] | None
    usage: dict[str, Any]
    calls: list[dict[str, Any]]
    parts: list[dict[str, Any]]
    model_messages: list[dict[str, Any]]
    virtual_seconds: float
    attempts: list[Attempt]
    story: list[tuple[float, str]]
    names: dict[str, str]
    unsure: list[str] = field(default_factory=list)

    @property
    def tool_starts(self) -> list[ToolStart]:
        """Each start of a tool call, in order."""
        return [attempt.start for attempt in self.attempts]
