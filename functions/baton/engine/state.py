"""The state of a job, as records. Only decide makes new versions of them; only the store keeps them.

Invariant: `Job` is written by its turn's work item or by its end, never by a tool call's work item, so that parallel
calls do not contend. Parallel calls record in fields of their own: `CallRecord`, results, work items.
"""

from typing import Any

from msgspec import Struct, field

from baton.engine.transitions import END_STATUSES, CallStatus, JobStatus
from baton.engine.work_items import CALL_RECORD, JOB_STATE, ItemKind, WorkItem, tool_key, turn_group
from baton.sdk.limits import NOTHING_SPENT, Limits, Spend, Used
from baton.sdk.records import FOREVER_MS, Failure, ModelPolicy, OnFailure
from baton_events.ids import call_id, is_child, job_of_call

# 2: see `Job.is_compact`; 3: an operation's job, which a version before would take for one that has turns; 4: see
# `Job.is_streamed`.
STATE_VERSION = 4
# What `Job.notifies` begins with for an operation's job; the call that started it follows.
OF_SESSION = "session:"
# In a task: what the job is a fork of. No client writes it.
FORK = "fork"
# In a task: it came by A2A, so it is sent out as a task of A2A. No other client writes it.
A2A = "a2a"


class Job(Struct, frozen=True, rename=JOB_STATE):
    """One request to an agent. Its task (text and data) is the first entry of its transcript, not here.

    `start_at_ms`: it does not start before; 0: at once. `request_digest`: of the request that submitted it.
    `compacted`: the transcript's entries from, and up to but without, these positions are no longer sent to the model,
    and not loaded: a later entry sums them up. They stay where they are.
    `reserve_tokens`, `reserve_usd`: what a model call of it is thought to take: as much as the last one.
    `parent_call`: the tool call that started it, and waits for it; empty: none did.
    `remembers`: its question and answer are stored in memory once it has completed.
    `isolated`: each of its turns and calls has an invocation of its own, in whatever mode.
    `notifies`: where its end is sent: a URL, `event:NAME:ID` of a handler's job, or `session:CALL` of an operation's,
    whose session goes on then; empty: nowhere.
    `background`: what its calls wait for goes on in jobs of their own (background.py): it is of a chat.
    `agent_version`: of its agent, when it was submitted; empty: of none, as a fork. `model.name`: likewise.
    `tags`: words that its submission gave it, to find it by.
    `traceparent`: of the request that submitted it, or of the tool call; its trace is that one. Empty: one of its own.
    `run`: 1, and one more with each retry: a word of an earlier run changes nothing in a later one.
    `first_turn`: of the run that began from the start last; the turns before it are not told to the model.
    `attempts`: of its turn, that are recorded; `earlier`: those of them before the job was retried, which do not count.
    `before`: what was used before the job was retried; limits count what comes on top, and the time from
    `counted_from_ms` on (0: from its creation).
    """

    id: str
    session_id: str
    tenant: str
    agent: str
    created_at_ms: int
    priority: int = 5
    status: JobStatus = JobStatus.PENDING
    run: int = 1  # before `result`: a script looks for the first field of this name
    start_at_ms: int = 0
    turn: int = 1
    first_turn: int = 1
    attempts: int = 0
    earlier: int = 0
    started_at_ms: int | None = None
    finished_at_ms: int | None = None
    used: Used = field(default_factory=Used)
    before: Used = field(default_factory=Used)
    counted_from_ms: int = 0
    limits: Limits = field(default_factory=Limits)
    model: ModelPolicy = field(default_factory=ModelPolicy)
    best_answer: str = ""
    result: dict[str, Any] | None = None
    error: Failure | None = None
    request_digest: str = ""
    compacted: tuple[int, int] = (0, 0)
    parent_call: str = ""
    reserve_tokens: int = 0
    reserve_usd: float = 0.0
    remembers: bool = False
    traceparent: str = ""
    isolated: bool = False
    notifies: str = ""
    background: bool = False
    agent_version: str = ""
    tags: tuple[str, ...] = ()
    version: int = STATE_VERSION

    @property
    def is_compact(self) -> bool:
        """Whether it has a field of its own for its only work item, and its results among its calls."""
        return self.version >= 2  # noqa: PLR2004 - jobs of version 1 stay as they are

    @property
    def is_streamed(self) -> bool:
        """Whether its parts are a stream of the store; else they are a list."""
        return self.version >= 4  # noqa: PLR2004 - as above

    @property
    def is_operation(self) -> bool:
        """Whether it is one call that goes on in the background: it has no turns, and ends with the call."""
        return self.notifies.startswith(OF_SESSION)

    def lets_go_of(self, call: "CallRecord", background: bool | None) -> bool:  # noqa: FBT001 - a tool's setting
        """Whether the call goes on in the background where it waits: steps of a plan and jobs below others never do.

        `background`: as its tool says; None: in chats.
        """
        if call.step or is_child(self.id) or self.is_operation:
            return False
        return self.background if background is None else background

    @property
    def line(self) -> str:
        """In whose line it waits for its turn: its session's; an operation holds up nobody."""
        return self.id if self.is_operation else self.session_id

    @property
    def ended(self) -> bool:
        """Whether the job is in an end state."""
        return self.status in END_STATUSES

    def counted_ms(self, now_ms: int) -> int:
        """For how long it has run, as its limits count."""
        return now_ms - (self.counted_from_ms or self.created_at_ms)

    @property
    def deadline_ms(self) -> int:
        """When `wall_seconds` is over. A person may move it where the job asks: then nothing is cut short by it."""
        if self.limits.on_limit == "ask":
            return FOREVER_MS
        return (self.counted_from_ms or self.created_at_ms) + self.limits.wall_seconds * 1000


class CallRecord(Struct, frozen=True, rename=CALL_RECORD):
    """One tool call: what was asked for and how far it got. Its result is stored apart, under its id.

    `operation_id`: under which it is finished from outside, once it waits for that. `child`: the job that it started.
    `step`: its name in a plan; `after`: the steps that come before it, and their calls; `dependants`: the calls of all
    steps that come after it, directly or not. `approved`: digest of tool and arguments that a person has approved;
    empty: nobody has, or need. `questions`: how many attempts ended with a question to a person, which are no runs.
    `earlier`: attempts before the job was retried, which leave its retries as they are.
    `isolated`: each attempt has an invocation of its own. `memo`: what its runs so far want the next one to know.
    """

    id: str
    turn: int
    position: int
    tool: str
    arguments: dict[str, Any]
    status: CallStatus = CallStatus.QUEUED
    attempts: int = 0
    retries: int = 0
    retry_delay_seconds: float = 1.0
    earlier: int = 0
    error: Failure | None = None
    operation_id: str = ""
    child: str = ""
    step: str = ""
    after: dict[str, str] = field(default_factory=dict[str, str])
    dependants: tuple[str, ...] = ()
    on_failure: OnFailure = ""
    approved: str = ""
    questions: int = 0
    isolated: bool = False
    started_at_ms: int | None = None
    finished_at_ms: int | None = None
    memo: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def idempotency_key(self) -> str:
        """The key of all its attempts: its id; where a person approved arguments, one with their digest."""
        if not self.approved:
            return self.id
        return call_id(job_of_call(self.id), self.turn, self.position, self.tool, self.arguments)


class Usage(Struct, frozen=True):
    """What a job has used of the queue, the store and functions so far, as far as it is recorded.

    `appends`: requests that added parts in mid-work. `redis_bytes`: of keys, arguments and answers, both ways.
    `mb_ms`: time of functions times their memory. `before`: what there was when the job was retried last.
    `written`: bytes that were stored (engine/commit/stored_bytes.py); `counted`: of these, what the quota of its tenant
    knows until it ends. `stamp`: another one with each write to what was said in the job, so that no two histories
    have the same usage.
    """

    messages: int = 0
    redis_requests: int = 0
    redis_commands: int = 0
    updated_ms: int = 0
    appends: int = 0
    deliveries: int = 0
    redis_bytes: int = 0
    function_ms: int = 0
    mb_ms: int = 0
    before: dict[str, int] = field(default_factory=dict[str, int])
    written: int = 0
    counted: int = 0
    stamp: str = ""


NOTHING_USED = Usage()


class BudgetScope(Struct, frozen=True):
    """A job whose limits a turn is held to: the turn's own, or one above it.

    `child_usage`: of the jobs below it. `in_flight_tokens`: reserved for model calls of them that are under way.
    """

    job: Job
    child_usage: Spend = NOTHING_SPENT
    in_flight_tokens: int = 0


class State(Struct, frozen=True):
    """What decide sees: the job, the work item that was claimed, and the tool call that the work item is about, if any.

    `outcome`: of a wait that is over: `{"ok": …}` or `{"error": …}`, as JSON text.
    `dependants`: of a step that may have failed: the calls of the steps that come after it.
    `budget_scopes`: of a turn: the job and those above it, whose limits it shares; the job's own first.
    `usage`: of a slot request: what the job's usage ledger says, up to the COMMIT before.
    """

    job: Job
    item: WorkItem
    call: CallRecord | None = None
    outcome: str = ""
    dependants: tuple[CallRecord, ...] = ()
    budget_scopes: tuple[BudgetScope, ...] = ()
    usage: Usage = NOTHING_USED

    @property
    def the_call(self) -> CallRecord:
        """The tool call of a work item that has one."""
        if self.call is None:
            raise ValueError(f"work item {self.item.key} has no record of its tool call: the stored state is damaged")
        return self.call


def reads_history(item: WorkItem, job: Job) -> bool:
    """Whether whoever claims the item is told what was said before."""
    match item.kind:
        case ItemKind.LOOP:
            return job.model.reads_history
        case ItemKind.CALL:
            return job.model.calls_read_history
        case _:
            return False


def call_item(job_id: str, record: CallRecord, attempt: int, now_ms: int) -> WorkItem:
    """The work item of this attempt of a call."""
    return WorkItem(
        key=tool_key(ItemKind.CALL, record.id, attempt),
        kind=ItemKind.CALL,
        job_id=job_id,
        turn=record.turn,
        attempt=attempt,
        position=record.position,
        call_id=record.id,
        tool=record.tool,
        group=turn_group(job_id, record.turn),
        after=",".join(record.after.values()) if record.after else "",
        step=record.step,
        isolated=record.isolated,
        since_ms=now_ms,
    )
