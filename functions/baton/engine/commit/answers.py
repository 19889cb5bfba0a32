"""What steps of a tree are given, and what they answer: claims, commits, creations, signals, redelivery, sweep."""

from dataclasses import dataclass
from dataclasses import field as dataclass_field
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct, field

from baton.engine.all_jobs.slots import SlotState
from baton.engine.job_retry import EndedJob
from baton.engine.state import NOTHING_USED, Job, State, Usage
from baton.engine.work_items import ItemKind, WorkItem
from baton.sdk.record import Record
from baton.sdk.records import HttpResponse


class Verdict(StrEnum):
    """What CLAIM found.

    `busy` and `early` say when to come again; `gated`: the job has no slot, and requests one; `applied`: no such work
    item; `unknown`: no such job.
    """

    GRANTED = "granted"
    BUSY = "busy"
    EARLY = "early"
    GATED = "gated"
    APPLIED = "applied"
    UNKNOWN = "unknown"


class Claim(Struct, frozen=True):
    """Who asks for a work item, and for how long.

    `run`: the job's run in which it was granted: what was begun in an earlier one is not committed. `since_ms`: of a
    turn's work item, as it was granted: one that a failover made to be added anew is asked of other results; 0: no
    turn's. `looks`: of a call that runs again: how often it had. `limited_by`: of one that is given back: the key of
    the limit that its call waits for; `comes_ms`: when that comes once more. `answer`: the model's, which the message
    brings to a turn that waits for it; None: it brings none.
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


@dataclass(frozen=True, slots=True)
class History:
    """What was said before: the transcript's entries in order, and the stored results of the tool calls in them.

    `compacted`: positions from and up to which entries of the transcript are not among these (`Job.compacted`).
    `size_bytes`: of all this, about. Over the store's limit for what is told at once, nothing of it is told.
    """

    transcript: tuple[dict[str, Any], ...] = ()
    results: dict[str, dict[str, Any]] = dataclass_field(default_factory=dict[str, dict[str, Any]])
    compacted: tuple[int, int] = (0, 0)
    size_bytes: int = dataclass_field(default=0, compare=False)


class ClaimResult(Struct, frozen=True):
    """CLAIM's answer. `state` is there when granted; `pending`: the other work items that the message still carries."""

    verdict: Verdict
    free_at_ms: int = 0
    state: State | None = None
    history: History = msgspec.field(default_factory=History)
    pending: tuple[WorkItem, ...] = ()


class Committed(Struct, frozen=True):
    """COMMIT's answer. `applied`: False when the work item was gone, and nothing was written.

    `claimed`: the work items that were claimed for its invocation to go on with, as CLAIM tells them; `pending`: the
    others that the message carries, but for those that the invocation has in hand. Where its work item had been
    dispatched, or claimed, by somebody else, the message may be acknowledged at any time: nothing is claimed, and what
    is carried is dispatched, too.
    """

    applied: bool
    pending: tuple[WorkItem, ...] = ()
    claimed: tuple[ClaimResult, ...] = ()


class Created(Record, frozen=True):
    """CREATE's answer: `new` is False when the job was there; `job` is the stored one."""

    new: bool
    job: Job
    pending: tuple[WorkItem, ...] = ()

    @property
    def slot_state(self) -> SlotState:
        """How a new job stands with the admission: with a slot, unless it carries a request one."""
        return SlotState(slot=all(item.kind is not ItemKind.SLOT_REQUEST for item in self.pending))


class Undelivered(Record, frozen=True):
    """What an undelivered message leaves: its work item's state with the count raised, or None.

    `pending`: what the message, and the callback that tells of it, still carry.
    """

    state: State | None
    pending: tuple[WorkItem, ...] = ()
    session_id: str = ""


class Reconciled(Record, frozen=True):
    """What the sweep found at a tree: work items without progress, which its message carries from now on.

    `ended`: jobs that have ended and have no work item any more: the admission has heard that they are gone.
    `forgotten`: jobs below a known root that are in the admission's slot table and nowhere else.
    """

    known: bool
    stalled: tuple[WorkItem, ...] = ()
    session_id: str = ""
    ended: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()


class Loaded(Record, frozen=True):
    """A job for deciding on a command. `version` stands for exactly this state of it."""

    job: Job
    version: str


class Signal(Record, frozen=True):
    """What ends a wait. `call_id`: whose outcome it is; empty: an event of that name. `outcome`: JSON text.

    `message`: it ends none, but is an entry for the transcript: the model gets it before its next turn.
    `run`: in which run of the job the call waits, or this was sent: what is of an earlier one changes nothing.
    """

    id: str
    outcome: str
    call_id: str = ""
    event: str = ""
    run: int = 1
    message: str = ""


class SignalResult(StrEnum):
    """What became of it. `early`: recorded for a call that is not there yet, since a failover forgot it.

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
        """Whether it was recorded by this telling."""
        return self in (SignalResult.FIRST, SignalResult.EARLY)

    @property
    def counts(self) -> bool:
        """Whether what was told is what is recorded."""
        return self.is_new or self is SignalResult.AGAIN


class SignalAnswer(Record, frozen=True):
    """The store's answer to a signal; `items`: what its message must dispatch."""

    signal_result: SignalResult
    job: Job | None = None
    items: tuple[WorkItem, ...] = ()


class Recorded(StrEnum):
    """What became of a command: `changed` means that the job was not as it was loaded, and nothing was written."""

    COMMITTED = "committed"
    CHANGED = "changed"
    UNKNOWN = "unknown"


PendingItems = tuple[WorkItem, ...]


class UnsentRequest(Struct, frozen=True):
    """A request that the admission may not have heard, the job whose it is, and what the job's usage ledger says."""

    slot_request: WorkItem
    job: Job
    usage: Usage = NOTHING_USED


class Recalled(Struct, frozen=True):
    """A job, ended or not, as one script read it.

    `slot_requests`: what its tree has not told the admission yet. `written`: of the job and those below it that have
    ended: when, and how many bytes its usage ledger says were stored.
    """

    loaded: Loaded
    ended: EndedJob
    slot_requests: tuple[UnsentRequest, ...] = ()
    written: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])


class Tombstone(Struct, frozen=True):
    """What is kept of a job whose data is gone: whose it was, and whether somebody deleted it or it expired."""

    tenant: str
    deleted: bool


class Removed(StrEnum):
    """What became of a removal: `changed` means that the job is not as it was recalled, and nothing was removed."""

    REMOVED = "removed"
    CHANGED = "changed"
    UNKNOWN = "unknown"
