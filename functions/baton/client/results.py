"""The API's answers as records, which the schemas of `/openapi.json` are made of.

Invariant: an answer has these fields. A field that an answer does not have is None,
or empty. Fields that a later version of the API adds are left out, so that an older client reads its answers.
"""

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct, field

Json = dict[str, Any]


class _Record(Struct, rename="camel", kw_only=True):
    """An answer, or a part of one."""


class Fault(_Record):
    """Why a tool call failed."""

    type: str
    message: str


class JobFault(Fault):
    """Why a job failed. `partial`: the text of an answer that was cut off; None: none."""

    partial: str | None = None


class Usage(_Record):
    """The usage of a job or a step."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    model_calls: int = 0
    cached_calls: int = 0
    messages: int = 0
    deliveries: int = 0
    redis_requests: int = 0
    redis_commands: int = 0
    redis_bytes: int = 0
    stream_appends: int = 0
    function_ms: int = 0
    gb_seconds: float = 0.0
    cost_usd: float = 0.0


class Cost(_Record):
    """The cost of the usage, in US dollars."""

    queue_usd: float = 0.0
    redis_usd: float = 0.0
    functions_usd: float = 0.0
    model_usd: float = 0.0
    total_usd: float = 0.0


class ResultRef(_Record):
    """The address of a result that is too large for its job (`result` of the client)."""

    url: str
    size_bytes: int
    media_type: str = "application/json"
    digest: str = ""
    preview: str = ""


class Printed(_Record):
    """The end of what an attempt's code printed and logged."""

    attempt: int
    text: str


class ToolCall(_Record, kw_only=True):
    """A tool call of a job."""

    id: str
    tool: str
    summary: str = ""
    arguments: Json | None = field(default_factory=dict)
    status: str
    attempts: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    result: Any = None
    result_ref: ResultRef | None = None
    error: Fault | None = None
    operation_id: str | None = None
    child_job_id: str | None = None
    script_call_id: str | None = None
    step: str | None = None
    depends_on: list[str] = field(default_factory=list)
    printed: list[Printed] = field(default_factory=list)


class StepUsage(_Record):
    """The usage of a turn, or with `call_id` and `tool` of one of its calls."""

    turn: int
    call_id: str | None
    tool: str | None
    usage: Usage
    cost: Cost


class BesideSteps(_Record):
    """The usage of a job besides its steps."""

    usage: Usage
    cost: Cost


class Continues(_Record):
    """The operation with whose outcome a job continues its session."""

    job_id: str
    operation_id: str


class ForkedFrom(_Record):
    """The job that a fork comes from, and the first turn that is run anew."""

    job_id: str
    turn: int


class Cancelling(_Record):
    """Who cancels a job whose code cleans up, and until when it may."""

    by: str
    until: datetime


class Unreadable(_Record):
    """The keys that are not there (`PAYLOAD_KEYS`): the texts that they have encrypted are null."""

    key_ids: list[str]


class Score(_Record):
    """A score of a job."""

    name: str
    value: bool | int | float
    comment: str | None
    created_at: datetime
    by: str


class Job(_Record, kw_only=True):
    """A job. Lists leave out its tool calls, memory and cost."""

    id: str
    job_type: str
    summary: str = ""
    agent_version: str | None = None
    task_description: str | None = ""
    input_data: Json | None = field(default_factory=dict)
    priority: int = 5
    tags: list[str] = field(default_factory=list)
    session_id: str = ""
    parent_job_id: str | None = None
    status: str
    waiting_for: str | None = None
    result: Any = None
    error: JobFault | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    memory: Json | None = None
    turns: int = 0
    tool_calls: list[ToolCall] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    cost: Cost | None = None
    steps: list[StepUsage] | None = None
    beside_steps: BesideSteps | None = None
    continues: Continues | None = None
    forked_from: ForkedFrom | None = None
    cancelling: Cancelling | None = None
    unreadable: Unreadable | None = None

    @property
    def has_ended(self) -> bool:
        return self.status in ("completed", "failed", "cancelled")

    @property
    def answer_text(self) -> str:
        """Its agent's answer; empty before its end, and where the result is no text."""
        return str(self.result.get("answer") or "") if isinstance(self.result, dict) else ""


class DiffTurn(_Record):
    """A turn of two jobs, side by side; each has `turn`, `text`, `calls`, `usage`, `cost`."""

    turn: int
    change: Literal["same", "changed", "added", "removed"]
    left: Json | None
    right: Json | None


class Diff(_Record):
    """Two jobs, turn by turn."""

    left: Json
    right: Json
    turns: list[DiffTurn]


class Approval(_Record):
    """One person's approval, where several are required."""

    by: str
    at: datetime


class Checkpoint(_Record, kw_only=True):
    """A mark that a tool has set, or a decision that a job waits for."""

    id: str = ""
    job_id: str
    call_id: str | None = None
    type: Literal["info", "approval"]
    status: str
    title: str
    summary: str = ""
    data: Any = None
    tool: str | None = None
    arguments: Json | None = None
    digest: str | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None
    may_decide: Literal["operator", "tenant", "user"] | None = None
    decided_at: datetime | None = None
    decided_by: str | None = None
    reason: str | None = None
    edited_arguments: Json | None = None
    escalates_at: datetime | None = None
    escalated_at: datetime | None = None
    people: int = 1
    approvals: tuple[Approval, ...] = ()
    form: Json | None = None


class Link(_Record):
    """A link by which a person without a key decides an approval."""

    url: str
    expires_at: datetime


class Schedule(_Record):
    """A job that recurs; `name`, `overlap`, `backfill`: of one in code."""

    id: str
    name: str | None
    overlap: str | None
    backfill: int
    cron: str
    time_zone: str
    paused: bool
    job_type: str
    task_description: str
    input_data: Json
    priority: int
    session_id: str | None
    created_at: datetime
    next_run_at: datetime | None
    last_run_at: datetime | None
    last_jobs: list[str]
    tags: list[str]


class Session(_Record, kw_only=True):
    """A conversation: its messages as AI SDK has them, and its activity. `usage`: for admin keys.

    `last_event_id`: where its stream goes on; None: these are older messages.
    """

    id: str
    messages: list[Json]
    active_stream: Json | None
    usage: Json | None = None
    queued: list[Json]
    active_operations: list[Json]
    last_event_id: str | None
    cursor: str | None = None


class StreamToken(_Record):
    """A token that opens one job's or session's stream for five minutes, in a page for example."""

    token: str
    expires_at: datetime


class Completed(_Record):
    """Whether this outcome of an operation is the one that counts, and why."""

    operation_id: str
    applied: bool
    why: str


class Taken(_Record):
    """The running job that gets a message."""

    job_id: str


class Part(_Record):
    """A part of a job's stream; which fields it has depends on `type` (docs/streams.md).

    `position`: its place in the stream, where another process can continue. `raw`: all of its JSON.
    """

    type: str
    id: str | None = None
    message_id: str | None = None
    delta: str | None = None
    tool_call_id: str | None = None
    tool_name: str | None = None
    input: Any = None
    output: Any = None
    error_text: str | None = None
    reason: str | None = None
    message_metadata: Json | None = None
    data: Any = None
    transient: bool = False
    position: str = ""
    raw: Json = field(default_factory=dict)


class Budget(_Record):
    """What calls with one key may spend, in US dollars or tokens, in the present period.

    `declared`: the limit of the last call; `limit`: the one that counts; `waiting`: calls that wait for room.
    """

    key: str
    per: str
    time_zone: str
    unit: str
    period: str
    declared: float | None
    limit: float
    spent: float
    reserved: float
    left: float
    largest: float
    waiting: int
    resets_at: datetime | None
