"""What the store answers where no work item is claimed: creations, facts from outside, redelivery, the sweep."""

from enum import StrEnum

from baton.core.admission import SlotState
from baton.core.state import Job, State
from baton.core.work_items import ItemKind, WorkItem
from baton.record import Record


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


class Looked(Record, frozen=True):
    """What the sweep found at a tree: work items without progress, which its message carries from now on.

    `ended`: jobs that have ended and have no work item any more: the admission has heard that they are gone.
    `forgotten`: jobs below a known root that are in the admission's slot table and nowhere else.
    """

    known: bool
    lost: tuple[WorkItem, ...] = ()
    session_id: str = ""
    ended: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()


class Loaded(Record, frozen=True):
    """A job for deciding on a fact. `version` stands for exactly this state of it."""

    job: Job
    version: str


class OutsideFact(Record, frozen=True):
    """What ends a wait. `call_id`: whose outcome it is; empty: an event of that name. `outcome`: JSON text.

    `run`: in which run of the job the call waits: an outcome of an earlier one is none of a call that runs again.
    """

    id: str
    outcome: str
    call_id: str = ""
    event: str = ""
    run: int = 1


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


class Outside(Record, frozen=True):
    """The store's answer to a fact from outside; `items`: what its message must dispatch."""

    signal_result: SignalResult
    job: Job | None = None
    items: tuple[WorkItem, ...] = ()


class Recorded(StrEnum):
    """What became of a fact: `changed` means that the job was not as it was loaded, and nothing was written."""

    COMMITTED = "committed"
    CHANGED = "changed"
    UNKNOWN = "unknown"


PendingItems = tuple[WorkItem, ...]
