"""What decide asks the shell to do, as a union of frozen records, and what it adds to the deployment's counters.

`Changes` is what COMMIT writes; the other effects are the one piece of work, or a notice to people. A counter's name is
what is counted and, after a colon each, what it is told apart by. Invariant: counters are sums, and nothing is decided
by them. Each name costs COMMIT a command, so only what is rare is counted here. Must not: count what cannot be told
apart in a bounded number of names (a job, a session, a tenant).
"""

import json
from collections.abc import Sequence
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from baton.engine.all_jobs.slots import SlotState, Want
from baton.engine.all_jobs.tool_use import ToolUse
from baton.engine.state import CallRecord, Job, Usage
from baton.engine.step_results import ModelFailed, StepResult
from baton.engine.work_items import WorkItem
from baton.sdk.limits import Spend


class CallModel(Struct, frozen=True):
    """Ask the model of this job for its next turn. `turn` counts from where the job began (again) from the start.

    `offloaded`: so many requests were sent for this attempt, and the last one's answer is awaited.
    `memo`: what is known of a response that the provider makes in the background.
    """

    job: Job
    turn: int
    attempt: int
    offloaded: int = 0
    memo: dict[str, Any] = field(default_factory=dict[str, Any])


class RunTool(Struct, frozen=True):
    """Run one attempt of a tool call, with the arguments that are recorded."""

    job: Job
    call: CallRecord
    attempt: int


class RequestSlot(Struct, frozen=True):
    """Tell the admission what the job wants, and with its last word what it has used."""

    job: Job
    want: Want
    epoch: int
    usage: Usage


class Remember(Struct, frozen=True):
    """Store what an ended job was asked and answered in the memory of its session and tenant."""

    job: Job


class Notify(Struct, frozen=True):
    """Send out that a job has ended: where it says to (`Job.notifies`), and to a provider that still works for it."""

    job: Job


class Alert(Struct, frozen=True):
    """Tell a person. `once`: two of the same words here are one; empty: of the same message.

    `counted`: how many there are of the same words here, of whatever jobs, decides whether it is sent; empty: nothing.
    """

    job_id: str
    message: str
    kind: str = "job_failed"
    once: str = ""
    counted: str = ""


class Expect(Struct, frozen=True):
    """An operation waits for its outcome from outside, until then at the longest."""

    operation_id: str
    until_ms: int


Work = CallModel | RunTool | RequestSlot | Remember | Notify
Effect = CallModel | RunTool | RequestSlot | Alert | Expect | Remember | Notify


class Join(Struct, frozen=True):
    """Add `item` once no item of `group` is open: computed by the script from what is recorded, never counted down."""

    group: str
    item: WorkItem


class Skip(Struct, frozen=True):
    """A step that does not happen: its item goes, and these are written. Nothing of it if the item is gone already."""

    item_key: str
    record: CallRecord
    result: str
    parts: tuple[str, ...] = ()


class Report(Struct, frozen=True):
    """A child has ended: the outcome of the call that started it, as JSON text; whoever waits for it goes on."""

    call_id: str
    outcome: str


class TextStream(Struct, frozen=True):
    """The answer's text was appended while it was made: `appended` times under this claim, and it is open as `text_id`.

    `rest`: the parts that end it; `anew`: those that say all of it, where it is not there as the claim left it.
    """

    text_id: str
    appended: int
    rest: tuple[str, ...]
    anew: tuple[str, ...]


class GoingOn(Struct, frozen=True):
    """What is written instead of a job's end where a message came in its last turn."""

    job: Job
    items: tuple[WorkItem, ...]
    parts: tuple[str, ...]


class Changes(Struct, frozen=True):
    """What COMMIT writes, besides removing the work item that was done.

    Attributes:
        job: the job's new state; None: unchanged.
        items: work items to add. skips: steps that do not happen, unless somebody has skipped them before.
        calls: tool calls to write.
        results: call id → JSON text of `{"ok": value}` or `{"error": {…}}`.
        transcript: entries to append, as JSON texts.
        parts: entries of the job's event stream to append, as JSON texts.
        text_stream: what comes before those parts, of a text that was appended before.
        ends: the job has ended: its work items go, its children end with it, the data of a root begins to expire.
        closing: parts to append to the stream of each child that ends with it.
        report: what its end means to the job that started it.
        child: what creates a job below this one.
        spends: what this turn of a child adds to what the jobs above it have used below them.
        slot_state: how a new job stands with the admission.
        admitted: the admission heard the job's slot request; what it requested is so.
        used: the attempt of a tool that was made, for the tools' statistics. counts: what it adds to the counters.
        later_epoch: the admission knows a word of this request epoch, later than the slot request: request again, above
            it; 0: it does not.
        begins_again: the ended job runs again: nothing of its tree expires any more, its limits count anew.
        forgets: calls that run again: what was recorded as their outcome goes.
        going_on: what is written instead of its end where a message came meanwhile.
    """

    job: Job | None = None
    items: tuple[WorkItem, ...] = ()
    skips: tuple[Skip, ...] = ()
    join: Join | None = None
    calls: tuple[CallRecord, ...] = ()
    results: dict[str, str] = field(default_factory=dict[str, str])
    transcript: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    text_stream: TextStream | None = None
    ends: bool = False
    closing: tuple[str, ...] = ()
    report: Report | None = None
    child: "Changes | None" = None
    spends: Spend | None = None
    slot_state: SlotState | None = None
    admitted: bool = False
    used: ToolUse | None = None
    counts: dict[str, int] = field(default_factory=dict[str, int])
    later_epoch: int = 0
    begins_again: bool = False
    forgets: tuple[str, ...] = ()
    going_on: GoingOn | None = None


class Decision(Struct, frozen=True):
    """Changes to commit (None: the work item stays as it is until its work is done) and effects to perform."""

    changes: Changes | None = None
    effects: tuple[Effect, ...] = ()


MODEL_FAILURES = "model_failures"
CHECKPOINTS = "checkpoints"
RECONCILED_PAGES, REDRIVEN, UNDELIVERED = "sweeps", "swept_events", "undelivered"
COMPLETIONS = "completions"
LIST_GAPS = "list_gaps"
HUNG_TOOLS = "hung_tools"

_CHECKPOINT = '"data-checkpoint"'


def counted(job: Job, step_result: StepResult, decision: Decision) -> Decision:
    """The decision, with what it adds to the counters."""
    changes = decision.changes
    if changes is None:
        return decision
    counts = checkpoints_in(changes.parts)
    if isinstance(step_result, ModelFailed):
        counts[f"{MODEL_FAILURES}:{job.agent}:{step_result.failure.type}"] = 1
    return replace(decision, changes=replace(changes, counts=counts)) if counts else decision


def checkpoints_in(parts: Sequence[str]) -> dict[str, int]:
    """Checkpoints among parts of a job's stream, by type and status."""
    sums: dict[str, int] = {}
    for text in parts:
        if _CHECKPOINT not in text:
            continue
        part = json.loads(text)
        if part.get("type") == "data-checkpoint":
            name = f"{CHECKPOINTS}:{part['data'].get('type', '')}:{part['data'].get('status', '')}"
            sums[name] = sums.get(name, 0) + 1
    return sums
