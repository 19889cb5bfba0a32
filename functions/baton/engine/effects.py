"""The effects that decide requests of the shell, as a union of frozen records, and its additions to the counters.

`Changes` is what COMMIT writes; the other effects are the one piece of work, or a notice to people. A counter's name is
what is counted and, each after a colon, what distinguishes it. Invariant: counters are sums, and nothing is decided by
them. Each name costs COMMIT a command, so only rare things are counted here. Must not: count by anything that takes an
unbounded number of names (a job, a session, a tenant).
"""

import json
from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from baton.engine.all_jobs.slots import SlotState, Want
from baton.engine.all_jobs.tool_use import ToolUse
from baton.engine.state import CallRecord, Job, Usage
from baton.engine.step_results import ModelFailed, OverBudget, ScriptEnded, StepResult, ToolFailed
from baton.engine.work_items import WorkItem
from baton.sdk.records.limits import Spend, Used
from baton.sdk.records.transcript import Failure


class CallModel(Struct, frozen=True):
    """Call the model of this job for its next turn. `turn` counts from the last start of the job.

    `offloaded`: how many requests were sent for this attempt; the last one's answer is awaited.
    `memo`: data about a response that the provider makes in the background. `again`: the turn has begun before.
    `lost`: claims of this attempt that ended without a result. `news`: the calls that have ended since the last turn of
    a job that runs code.
    """

    job: Job
    turn: int
    attempt: int
    offloaded: int = 0
    memo: dict[str, Any] = {}
    again: bool = False
    lost: int = 0
    news: tuple[str, ...] = ()


class RunScript(Struct, frozen=True):
    """Run the job's first script until it waits or ends. `news`: its calls that have ended since, in that order."""

    job: Job
    news: tuple[str, ...] = ()


class RunTool(Struct, frozen=True):
    """Run one attempt of a tool call, with the arguments that are recorded. `again`: the call has begun before."""

    job: Job
    call: CallRecord
    attempt: int
    again: bool = False


class RequestSlot(Struct, frozen=True):
    """Send the job's slot request to the admission, and with its last one the job's usage."""

    job: Job
    want: Want
    epoch: int
    usage: Usage


class Remember(Struct, frozen=True):
    """Store an ended job's question and answer in the memory of its session and tenant."""

    job: Job


class Notify(Struct, frozen=True):
    """Send out that a job has ended: to its `Job.notifies`, and to a provider that still works for it."""

    job: Job


class Release(Struct, frozen=True):
    """Release the workspace of a job's run: that of this handle, and one that is named by the job. It may run again.

    `ended_ms`: when the run ended, while a step was at work; 0: none was.
    """

    job: Job
    run: int
    workspace: str
    ended_ms: int = 0


AlertKind = Literal[
    "job_failed", "undelivered", "unreadable_message", "app_event_kept", "fact_dropped", "budget", "tool_hangs"
]


class Alert(Struct, frozen=True):
    """Alert people. `once`: alerts with the same key are sent once; empty: the message is the key.

    `counted`: the key by which alerts of all jobs are counted, which decides whether this one is sent; empty: none.
    """

    job_id: str
    message: str
    kind: AlertKind = "job_failed"
    once: str = ""
    counted: str = ""


class Expect(Struct, frozen=True):
    """Expect an operation's outcome from outside, until `until_ms` at the latest."""

    operation_id: str
    until_ms: int


class UsedLate(Struct, frozen=True):
    """Count in the sums of ended jobs what an answer has used that came after the end of its job."""

    job: Job
    spent: Used


Work = CallModel | RunScript | RunTool | RequestSlot | Remember | Notify | Release
Effect = CallModel | RunScript | RunTool | RequestSlot | Alert | Expect | UsedLate | Remember | Notify | Release


def failed(effect: Work, failure: Failure) -> ModelFailed | ScriptEnded | ToolFailed:
    """Return a failure as the outcome of this work."""
    match effect:
        case RunTool():
            return ToolFailed(failure)
        case RunScript():
            return ScriptEnded(failure=failure)
        case _:
            return ModelFailed(failure)


class Join(Struct, frozen=True):
    """Add `item` once no item of `group` is open: computed from the tree as it is written, never counted down."""

    group: str
    item: WorkItem


class Skip(Struct, frozen=True):
    """A skipped step: its item is removed, and these are written. Nothing happens if the item is gone already."""

    item_key: str
    record: CallRecord
    result: str
    parts: tuple[str, ...] = ()


class Report(Struct, frozen=True):
    """A child's end: the outcome of the call that started it, as JSON text, which ends that call's wait."""

    call_id: str
    outcome: str


class TextStream(Struct, frozen=True):
    """An answer's text that was streamed: appended `appended` times under this claim, and open as `text_id`.

    `rest`: the parts that end it; `anew`: the parts of all of it, used where the stored text is not as the claim left
    it.
    """

    text_id: str
    appended: int
    rest: tuple[str, ...]
    anew: tuple[str, ...]


class GoingOn(Struct, frozen=True):
    """The changes written instead of a job's end where a message came in its last turn."""

    job: Job
    items: tuple[WorkItem, ...]
    parts: tuple[str, ...]


class Changes(Struct, frozen=True):
    """The writes of a COMMIT, besides removing the finished work item.

    Attributes:
        job: the job's new state; None: unchanged.
        items: work items to add. skips: steps to skip, unless they were skipped before.
        calls: tool calls to write.
        results: call id → JSON text of `{"ok": value}` or `{"error": {…}}`.
        transcript: entries to append, as JSON texts.
        parts: entries of the job's event stream to append, as JSON texts.
        text_stream: what comes before those parts, of a text that was appended before.
        ends: the job has ended: its work items go, its children end with it, the data of a root begins to expire.
        closing: parts to append to the stream of each child that ends with it.
        report: the outcome of its end for the job that started it.
        child: the creation of a job below this one.
        spends: what this turn of a child adds to the child usage of the jobs above it.
        slot_state: a new job's slot state.
        admitted: the admission has granted the job's slot request.
        used: the tool attempt that was made, for the tools' statistics. counts: additions to the counters.
        later_epoch: the admission knows an update of this request epoch, later than the slot request: request again,
            above it; 0: it does not.
        apart_bytes: the size of its results that are in the object store.
        needed_until_ms: how long the operation of its call waits, and so needs the data of the job; 0: there is none.
        begins_again: the ended job runs again: nothing of its tree expires any more, its limits count anew.
        forgets: calls that run again: their recorded outcomes are removed.
        going_on: the changes written instead of its end where a message came meanwhile.
        ended: calls of a job that runs code, whose end is news for the job's next turn.
        took: the news that this turn has taken, as `State.news`. gives_up: steps that its code waits for no more.
    """

    job: Job | None = None
    items: tuple[WorkItem, ...] = ()
    skips: tuple[Skip, ...] = ()
    join: Join | None = None
    calls: tuple[CallRecord, ...] = ()
    results: dict[str, str] = {}
    transcript: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    text_stream: TextStream | None = None
    ends: bool = False
    apart_bytes: int = 0
    needed_until_ms: int = 0
    closing: tuple[str, ...] = ()
    report: Report | None = None
    child: "Changes | None" = None
    spends: Spend | None = None
    slot_state: SlotState | None = None
    admitted: bool = False
    used: ToolUse | None = None
    counts: dict[str, int] = {}
    later_epoch: int = 0
    begins_again: bool = False
    forgets: tuple[str, ...] = ()
    going_on: GoingOn | None = None
    ended: tuple[str, ...] = ()
    took: dict[str, str] = {}
    gives_up: tuple[int, ...] = ()


class Decision(Struct, frozen=True):
    """Changes to commit (None: the work item stays as it is until its work is done) and effects to perform."""

    changes: Changes | None = None
    effects: tuple[Effect, ...] = ()


MODEL_FAILURES = "model_failures"
BUDGET_WAITS, BUDGET_REFUSALS = "budget_waits", "budget_refusals"
# The failure of a call for which a budget has no room.
BUDGET_EXCEEDED = "budget_exceeded"
CHECKPOINTS = "checkpoints"
SWEPT_PAGES, REPLAYED, UNDELIVERED = "sweeps", "swept_events", "undelivered"
PAYLOADS_UNREADABLE, PAYLOADS_GONE = "payloads_unreadable", "payloads_gone"
COMPLETIONS = "completions"
LIST_GAPS = "list_gaps"
HUNG_TOOLS = "hung_tools"

_CHECKPOINT = '"data-checkpoint"'


def counted(job: Job, step_result: StepResult, decision: Decision) -> Decision:
    """Return the decision with its additions to the counters."""
    changes = decision.changes
    if changes is None:
        return decision
    counts = checkpoints_in(changes.parts)
    if isinstance(step_result, ModelFailed):
        of_no_model = step_result.failure.type == BUDGET_EXCEEDED
        counts[BUDGET_REFUSALS if of_no_model else f"{MODEL_FAILURES}:{job.agent}:{step_result.failure.type}"] = 1
    elif isinstance(step_result, OverBudget):
        counts[BUDGET_WAITS if step_result.until_ms else BUDGET_REFUSALS] = 1
    return replace(decision, changes=replace(changes, counts=counts)) if counts else decision


def checkpoints_in(parts: Sequence[str]) -> dict[str, int]:
    """Count the checkpoints among parts of a job's stream, by type and status."""
    sums: dict[str, int] = {}
    for text in parts:
        if _CHECKPOINT not in text:
            continue
        part = json.loads(text)
        if part.get("type") == "data-checkpoint":
            name = f"{CHECKPOINTS}:{part['data'].get('type', '')}:{part['data'].get('status', '')}"
            sums[name] = sums.get(name, 0) + 1
    return sums
