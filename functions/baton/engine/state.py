"""The state of a job, as records. Only decide makes new versions of them; only the store keeps them.

Invariant: `Job` is written by its turn's work item or by its end, never by a tool call's work item, so that parallel
calls do not contend. Parallel calls record in fields of their own: `CallRecord`, results, work items. What is stored
leaves out defaults, so a default never changes its meaning.
"""

from typing import Any

from msgspec import Struct, field

from baton.engine.transitions import END_STATUSES, CallStatus, JobStatus
from baton.engine.work_items import ItemKind, WorkItem, tool_key, turn_group
from baton.sdk.records.limits import NOTHING_SPENT, NOTHING_USED_YET, Limits, Spend, Used
from baton.sdk.records.transcript import FOREVER_MS, ONCE, Failure, ModelPolicy, OnFailure, Script
from baton_events.ids import canonical_json, is_child, with_arguments

# Raised where an older version would misunderstand a job: it leaves it to the newer one (docs/upgrading.md).
STATE_VERSION = 1
# Prefix of `Job.notifies` of an operation's job, before the call that started it.
OF_SESSION = "session:"
# Task key: the job that this one forks. Clients cannot set it.
FORK = "fork"
# Task key: the job came by A2A, so it is sent out as an A2A task. Other clients cannot set it.
A2A = "a2a"


class Cancelling(Struct, frozen=True, omit_defaults=True):
    """A cancel of a job whose code cleans up, as its `sender` asked.

    `until_ms`: when the job ends at the latest. `is_seen`: the code has got it, as an exception at its awaits.
    """

    sender: str
    until_ms: int
    is_seen: bool = False


class Job(Struct, frozen=True, omit_defaults=True):
    """One request to an agent. Its task (text and data) is the first entry of its transcript, not here.

    `start_at_ms`: it does not start before; 0: at once. `request_digest`: of the request that submitted it.
    `compacted`: the transcript's entries from, and up to but without, these positions are no longer sent to the model,
    and not loaded: a later entry sums them up. They stay where they are.
    `reserve_tokens`, `reserve_usd`: the expected usage of its next model call: that of the last one.
    `parent_call`: the tool call that started it, and waits for it; empty: none did. `for_code`: that is a step of code,
    or of a fixed plan, which gets its output as it is.
    `remembers`: its question and answer are stored in memory once it has completed.
    `isolated`: each of its turns and calls has an invocation of its own, in whatever mode.
    `notifies`: where its end is sent: a URL, `event:NAME:ID` of a handler's job, or `session:CALL` of an operation's,
    whose session goes on then; empty: nowhere.
    `background`: its waiting calls continue as jobs of their own (background_calls.py), since it belongs to a chat.
    `agent_version`, `model.name`: of its agent at submission; an empty version: none, as for a fork.
    `tags`: words from its submission, for searches. `subject`: the person whose data it has, as a digest
    (`subject_digest`); empty: none was named.
    `traceparent`: of the request or tool call that submitted it, whose trace it joins; empty: it has its own trace.
    `run`: its generation: 1, and one more with each retry. Messages of an earlier run change nothing.
    `first_turn`: of the last run that began from the start; the turns before it are not sent to the model. `begins_at`:
    the position in the transcript from which the entries are that run's; 0: its task is the first one.
    `attempts`: recorded attempts of its turn; `earlier`: those before the job was retried, which do not count.
    `before`: usage before the job was retried; limits count later usage only, and the time from
    `counted_from_ms` on (0: from its creation).
    `best_answer`: the last text of its model; of a large one, a result that names it.
    `workspace`: the handle of the place outside that its run works in, as its runner writes it; empty: none (yet).
    `scripts`: those that its model has requested and that have not ended, the running one first. `stretches`: how many
    of its turns since `first_turn` ran a script, and called no model.
    `sealed`: its payloads as they are kept, where they cannot be opened here (commit/codec.py); so of other records.
    `ends_by_ms`: the deadline of the job above it; 0: there is none.
    `stretch`: of a job that runs code: names all its stretches so far, since an open run goes on only from the same
    ones; empty: none has ended. `cancelling`: a cancel that its code cleans up after; None: there is none.
    `begun`: calls that begin at most once, and had when it ended.
    `in_flight`: the owners of turns that were at work when it ended: what an answer uses that comes later still counts.
    """

    id: str
    session_id: str
    tenant: str
    agent: str
    created_at_ms: int
    priority: int = 5
    status: JobStatus = JobStatus.PENDING
    run: int = 1
    start_at_ms: int = 0
    turn: int = 1
    first_turn: int = 1
    attempts: int = 0
    earlier: int = 0
    started_at_ms: int | None = None
    finished_at_ms: int | None = None
    used: Used = NOTHING_USED_YET
    before: Used = NOTHING_USED_YET
    counted_from_ms: int = 0
    limits: Limits = field(default_factory=Limits)
    model: ModelPolicy = ModelPolicy()
    best_answer: str | dict[str, Any] = ""
    result: dict[str, Any] | None = None
    error: Failure | None = None
    request_digest: str = ""
    compacted: tuple[int, int] = (0, 0)
    parent_call: str = ""
    for_code: bool = False
    reserve_tokens: int = 0
    reserve_usd: float = 0.0
    remembers: bool = False
    traceparent: str = ""
    isolated: bool = False
    notifies: str = ""
    background: bool = False
    agent_version: str = ""
    tags: tuple[str, ...] = ()
    subject: str = ""
    stretches: int = 0
    workspace: str = ""
    scripts: tuple["RunningScript", ...] = ()
    sealed: str = ""
    ends_by_ms: int = 0
    begins_at: int = 0
    stretch: str = ""
    cancelling: Cancelling | None = None
    in_flight: tuple[str, ...] = ()
    begun: tuple[str, ...] = ()
    version: int = field(default_factory=lambda: STATE_VERSION)  # made anew each time, so it is always written

    @property
    def is_operation(self) -> bool:
        """Whether it is one call that goes on in the background: it has no turns, and ends with the call."""
        return self.notifies.startswith(OF_SESSION)

    @property
    def handles(self) -> tuple[str, str]:
        """Name and id of the app event, or batch, that it handles; empty: none."""
        kind, _, event = self.notifies.partition(":")
        name, _, event_id = event.partition(":")
        return (name, event_id) if kind == "event" else ("", "")

    def lets_go_of(self, call: "CallRecord", background: bool | None) -> bool:  # noqa: FBT001 - a tool's setting
        """Return whether the call continues in the background while it waits.

        Plan steps, calls of scripts and child jobs never do. `background`: the tool's setting; None: in chats only.
        """
        if call.step or call.script or is_child(self.id) or self.is_operation:
            return False
        return self.background if background is None else background

    @property
    def marks(self) -> tuple[str, ...]:
        """What lists find it by: its tags, and its subject, under a name that no tag has."""
        return (*self.tags, subject_mark(self.subject)) if self.subject else self.tags

    @property
    def line(self) -> str:
        """The line in which it waits for its turn: its session's; an operation has its own, to hold up no other job."""
        return self.id if self.is_operation else self.session_id

    @property
    def ended(self) -> bool:
        """Whether the job is in an end state."""
        return self.status in END_STATUSES

    @property
    def deadline_ms(self) -> int:
        """The time when `wall_seconds` is over, here or above. Where the job asks about limits, its own cuts none."""
        above_ms = self.ends_by_ms or FOREVER_MS
        if self.cancelling is not None:
            above_ms = min(above_ms, self.cancelling.until_ms)
        if self.limits.on_limit == "ask":
            return above_ms
        own_ms = (self.counted_from_ms or self.created_at_ms) + self.limits.wall_seconds * 1000
        return own_ms if own_ms < above_ms else above_ms  # noqa: FURB136 - a call less in each step


class CallRecord(Struct, frozen=True, omit_defaults=True):
    """One tool call: its request and how far it got. Its result is stored apart, under its id.

    `operation_id`: the id under which it is finished from outside, once it waits for that. `child`: the job that it
    started. `step`: its name in a plan; `after`: the steps before it, with their calls; `dependants`: the calls of all
    later steps, direct or not. `approved`: digest of the tool and arguments that a person has approved; empty: no
    approval was given or needed. `questions`: how many attempts ended with a question to a person, which are no runs.
    `earlier`: attempts before the job was retried, which leave its retries as they are. `isolated`: each attempt has an
    invocation of its own. `retries`: `ONCE` is of a call that begins at most once. `script`: the call whose script made
    it. `memo`: data that its runs leave for the next one. `printed`: what the code of its last attempts printed and
    logged, with the number of each.
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
    after: dict[str, str] = {}
    dependants: tuple[str, ...] = ()
    on_failure: OnFailure = ""
    approved: str = ""
    questions: int = 0
    isolated: bool = False
    started_at_ms: int | None = None
    finished_at_ms: int | None = None
    script: str = ""
    memo: dict[str, Any] = {}
    printed: tuple[tuple[int, str], ...] = ()
    sealed: str = ""

    @property
    def idempotency_key(self) -> str:
        """The key of all its attempts: its id; where a person approved arguments, one with their digest."""
        return with_arguments(self.id, self.tool, self.arguments) if self.approved else self.id


class RunningScript(Struct, frozen=True):
    """A script with the record of the call that requested it."""

    call: CallRecord
    script: Script


class Usage(Struct, frozen=True, omit_defaults=True):
    """A job's recorded usage of the queue, the store and functions so far.

    `appends`: requests that added parts in mid-work. `redis_bytes`: of keys, arguments and answers, both ways. `mb_ms`:
    time of functions times their memory. `before`: the usage when the job was retried last. `written`: bytes that were
    stored (engine/commit/stored_bytes.py); `counted`: those of them that its tenant's quota includes until it ends.
    `stamp`: differs after each write to the job's history, so that no two histories have the same usage: a chain of
    names, of which each is that of a history with which this one begins. `entries`: of its transcript.
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
    before: dict[str, int] = {}
    written: int = 0
    counted: int = 0
    stamp: str = ""
    entries: int = 0


NOTHING_USED = Usage()


class BudgetScope(Struct, frozen=True):
    """A job whose limits a turn is held to: the turn's own, or one above it.

    `child_usage`: of the jobs below it. `in_flight_tokens`: reserved for their model calls in progress.
    """

    job: Job
    child_usage: Spend = NOTHING_SPENT
    in_flight_tokens: int = 0


class State(Struct, frozen=True):
    """The input of decide: the job, the claimed work item, and the tool call that the work item is about, if any.

    `outcome`: of a wait that is over: `{"ok": …}` or `{"error": …}`, as JSON text.
    `dependants`: of a step that may have failed: the calls of the steps after it.
    `budget_scopes`: of a turn: the job and those above it, whose limits it shares; the job's own first.
    `usage`: of a slot request: the job's usage ledger, up to the COMMIT before.
    `news`: of a turn of a job that runs code: the calls that have ended since the last one, in that order, each with
    its mark, which another end of the call would not have.
    """

    job: Job
    item: WorkItem
    call: CallRecord | None = None
    outcome: str = ""
    dependants: tuple[CallRecord, ...] = ()
    budget_scopes: tuple[BudgetScope, ...] = ()
    usage: Usage = NOTHING_USED
    news: dict[str, str] = {}

    @property
    def the_call(self) -> CallRecord:
        """The tool call of a work item that has one."""
        if self.call is None:
            raise ValueError(f"work item {self.item.key} has no record of its tool call: the stored state is damaged")
        return self.call


def subject_mark(subject: str) -> str:
    """Return the mark of a subject's jobs in the lists: a tag is printable, and this is not."""
    return f"\n{subject}"


def reads_history(item: WorkItem, job: Job) -> bool:
    """Return whether a claim of the item includes the job's history."""
    match item.kind:
        case ItemKind.LOOP:
            return job.model.reads_history and not job.scripts and not job.stretch
        case ItemKind.CALL:
            return job.model.calls_read_history
        case _:
            return False


def results_needed(state: State) -> tuple[str, ...]:
    """Return the calls whose results the work needs without any history: of steps before it, of its script or code."""
    item = state.item
    if state.news:
        return tuple(state.news)
    return tuple(item.after.split(",")) if item.kind is ItemKind.CALL and item.after else ()


def call_item(job_id: str, record: CallRecord, attempt: int, now_ms: int) -> WorkItem:
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
        once=record.retries == ONCE,
        since_ms=now_ms,
    )


def ok_record(result_json: str, kept_json: str = "", apart_bytes: int = 0, edited_json: str = "") -> str:
    """Return what is recorded of a call's result, as JSON text. `edited_json`: the arguments, where a person gave them.

    `apart` is the record's own mark: what a tool returns cannot have it, so no ref in a result is followed.
    """
    kept = f',"kept":{kept_json}' if kept_json else ""
    apart = ',"apart":true' if apart_bytes else ""
    edited = f',"edited":{edited_json}' if edited_json else ""
    return f'{{"ok":{result_json}{kept}{apart}{edited}}}'


def error_record(failure: Failure, edited: dict[str, Any] | None = None, *, retryable: bool = False) -> str:
    """Return what is recorded of a call's failure, as JSON text. `edited`: as with a result; `retryable`: for code."""
    error: dict[str, Any] = {"error": {"type": failure.type, "message": failure.message}}
    error |= {"retryable": True} if retryable else {}
    return canonical_json(error if edited is None else {**error, "edited": edited})
