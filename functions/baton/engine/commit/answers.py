"""The inputs and answers of a tree's steps: claims, commits, creations, signals, redelivery, sweep."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from enum import StrEnum
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, field

from baton.engine.all_jobs.slots import SlotState
from baton.engine.job_retry import EndedJob
from baton.engine.state import NOTHING_USED, Job, State, Usage
from baton.engine.step_results import StepResult
from baton.engine.work_items import ItemKind, WorkItem
from baton.sdk.records.record import Record
from baton.sdk.records.transcript import HttpResponse

_T = TypeVar("_T")


class Verdict(StrEnum):
    """CLAIM's verdict.

    `busy` and `early` come with the time to try again; `gated`: the job has no slot, and requests one; `applied`: no
    such work item; `unknown`: no such job.
    """

    GRANTED = "granted"
    BUSY = "busy"
    EARLY = "early"
    GATED = "gated"
    APPLIED = "applied"
    UNKNOWN = "unknown"


class Claim(Struct, frozen=True):
    """A request for a work item, and for how long.

    `run`: the job's run in which it was granted: work of an earlier one is not committed. `since_ms`: of a turn's work
    item, as granted: after a failover one may be added anew, for other results; 0: no turn's. `looks`: of a polled
    call: how often it had run. `limited_by`: of one that is given back: what its call waits for;
    `comes_ms`: when its message comes once more. `answer`: the model's, which the message brings to a turn that waits
    for it; None: it brings none. `result`: of its work, whose usage counts also where it comes too late.
    """

    job_id: str
    item_key: str
    message_id: str
    owner: str
    now_ms: int
    lease_until_ms: int
    call_id: str = ""
    run: int = 1
    since_ms: int = 0
    looks: int = 0
    limited_by: str = ""
    comes_ms: int = 0
    answer: HttpResponse | None = None
    result: StepResult | None = None


@dataclass(frozen=True, slots=True)
class History:
    """A job's history: the transcript's entries in order, and the stored results of the tool calls in them.

    `compacted`: the range of transcript entries that is left out (`Job.compacted`). `size_bytes`: of all this, about.
    Over the store's limit for one answer, it is left out altogether.

    `memo`: what was made of its beginning, by name, where an earlier step in this process has read that: a job's
    history is only added to. So nobody may change what is in it; whoever makes another history of it gives that a memo
    of its own.
    """

    transcript: tuple[dict[str, Any], ...] = ()
    results: dict[str, dict[str, Any]] = dataclass_field(default_factory=dict)
    compacted: tuple[int, int] = (0, 0)
    size_bytes: int = dataclass_field(default=0, compare=False)
    memo: dict[str, Any] = dataclass_field(default_factory=dict, compare=False, repr=False)

    def of_entries(self, name: str, start: _T, more: Callable[[_T, Sequence[dict[str, Any]]], _T]) -> _T:
        """Return what is made of the entries: of those that an earlier step has read nothing is made anew.

        `more`: returns what was made, with what these further entries add to it.
        """
        made: _T
        entries, (seen, made) = self.transcript, self.memo.get(name, (0, start))
        if seen != (count := len(entries)):
            # A step that began earlier may go on later: it has fewer entries than were read.
            made = more(made, entries[seen:]) if seen < count else more(start, entries)
            self.memo[name] = count, made
        return made

    def of_results(self, name: str, start: _T, more: Callable[[_T, Sequence[tuple[str, dict[str, Any]]]], _T]) -> _T:
        """Return what is made of the results by call, as `of_entries` does."""
        made: _T
        results, (seen, made) = self.results, self.memo.get(name, (0, start))
        if seen != (count := len(results)):
            rest = tuple(results.items())
            made = more(made, rest[seen:]) if seen < count else more(start, rest)
            self.memo[name] = count, made
        return made


class ClaimResult(Struct, frozen=True):
    """CLAIM's answer. `state`: set when granted; `pending`: the other work items that the message guarantees."""

    verdict: Verdict
    free_at_ms: int = 0
    state: State | None = None
    history: History = msgspec.field(default_factory=History)
    pending: tuple[WorkItem, ...] = ()


class Committed(Struct, frozen=True):
    """COMMIT's answer. `applied`: False when the work item was gone, and nothing was written.

    `claimed`: the work items that were claimed for its invocation to continue with, as CLAIM returns them; `pending`:
    the message's others, but for those in progress in the invocation. Where another invocation had dispatched or
    claimed its work item, the message may be acknowledged at any time: nothing is claimed, and pending items are
    dispatched, too. `late`: the job, where it had ended, and what the work has used of models was added to its usage.
    """

    applied: bool
    pending: tuple[WorkItem, ...] = ()
    claimed: tuple[ClaimResult, ...] = ()
    late: Job | None = None


class Created(Record, frozen=True):
    """CREATE's answer: `new` is False when the job was there; `job` is the stored one."""

    new: bool
    job: Job
    pending: tuple[WorkItem, ...] = ()

    @property
    def slot_state(self) -> SlotState:
        """A new job's slot state: with a slot, unless a slot request is pending."""
        return SlotState(slot=all(item.kind is not ItemKind.SLOT_REQUEST for item in self.pending))


class Undelivered(Record, frozen=True):
    """The answer about an undelivered message: its work item's state with the count raised, or None.

    `pending`: the work items that the message, and its callback, still guarantee.
    """

    state: State | None
    pending: tuple[WorkItem, ...] = ()
    session_id: str = ""


class Reconciled(Record, frozen=True):
    """A sweep's findings at a tree: work items without progress, which its message guarantees from now on.

    `ended`: ended jobs without any work item: the admission knows that they are gone. `forgotten`: jobs below a known
    root that are in the admission's slot table and nowhere else.
    """

    known: bool
    stalled: tuple[WorkItem, ...] = ()
    session_id: str = ""
    ended: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()


class Loaded(Record, frozen=True):
    """A job to decide a command on. `version` stands for exactly this state of it."""

    job: Job
    version: str


class Signal(Record, frozen=True):
    """A signal that ends a wait. `outcome`: JSON text.

    `call_id`: the call whose outcome it is; empty: it is an event of the name `event`. `message`: it ends no wait, but
    is an entry for the transcript: the model gets it before its next turn. `run`: the run in which the call waits, or
    this was sent: a signal of an earlier one changes nothing.
    """

    id: str
    outcome: str
    call_id: str = ""
    event: str = ""
    run: int = 1
    message: str = ""


class SignalResult(StrEnum):
    """The result of a signal. `early`: recorded for a call that is not there yet, since a failover forgot it.

    `other`: another outcome is recorded, and stays. `unknown`: no such job, or not in that run (yet).
    """

    FIRST = "first"
    EARLY = "early"
    AGAIN = "again"
    OTHER = "other"
    ENDED = "ended"
    UNKNOWN = "unknown"

    @property
    def is_new(self) -> bool:
        """Whether this delivery of the signal recorded it."""
        return self in (SignalResult.FIRST, SignalResult.EARLY)

    @property
    def counts(self) -> bool:
        """Whether the signal's outcome is the recorded one."""
        return self.is_new or self is SignalResult.AGAIN


class SignalAnswer(Record, frozen=True):
    """The store's answer to a signal; `items`: the work items that its message must dispatch."""

    signal_result: SignalResult
    job: Job | None = None
    items: tuple[WorkItem, ...] = ()


class Recorded(StrEnum):
    """The result of a command: `changed`: the job was not as it was loaded, and nothing was written."""

    COMMITTED = "committed"
    CHANGED = "changed"
    UNKNOWN = "unknown"


PendingItems = tuple[WorkItem, ...]


class UnsentRequest(Struct, frozen=True):
    """A slot request that the admission may not have received, its job, and the job's usage ledger."""

    slot_request: WorkItem
    job: Job
    usage: Usage = NOTHING_USED


class Recalled(Struct, frozen=True):
    """A job, ended or not, as it was at one moment.

    `slot_requests`: of its tree, those that the admission may not have received. `written`: of the job and the ended
    ones below it: the time of the end, and the stored bytes by its usage ledger. `has_workspace`: one of the tree is
    still to be released.
    """

    loaded: Loaded
    ended: EndedJob
    slot_requests: tuple[UnsentRequest, ...] = ()
    written: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    has_workspace: bool = False


# How long a message of a job whose data is gone may come, also where data is kept for a shorter time: the copy that
# closes a batch waits for seven days.
LEAST_TOMBSTONE_MS = 8 * 86_400_000


class Tombstone(Struct, frozen=True):
    """The record of a job whose data is gone: its tenant, and whether it was deleted or expired."""

    tenant: str
    deleted: bool


class Removed(StrEnum):
    """The result of a removal: `changed`: the job is not as it was recalled, and nothing was removed."""

    REMOVED = "removed"
    CHANGED = "changed"
    UNKNOWN = "unknown"
