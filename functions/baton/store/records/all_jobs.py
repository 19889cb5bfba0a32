"""Answers of the admission, and rows of the list of jobs."""

from msgspec import Struct, field

from baton.engine.all_jobs.job_list import Found
from baton.engine.all_jobs.slots import QueueEntry
from baton.sdk.records.record import Record


class SlotGranted(Struct, frozen=True):
    """Another job that got a slot, and must be notified."""

    job_id: str
    epoch: int
    session_id: str


class SlotAnswer(Record, frozen=True):
    """The admission's answer: whether the sender holds a slot, other grants, and when to arm a sweep (0: not).

    `later_epoch`: the request epoch of a later update of this job, which the admission knows and accepts instead; 0:
    there is none. `busy`: the job was to be alone in its session, and is not: it was not entered.
    """

    slot: bool
    granted: tuple[SlotGranted, ...] = ()
    sweep_at_ms: int = 0
    later_epoch: int = 0
    busy: bool = False


class SweepTurn(Struct, frozen=True):
    """A sweep's turn. `next_ms`: when to arm the next one; 0: not, for an old copy, or while no job holds a slot.

    `slot_table`: the entries of a page of jobs, with their trees. `granted`: jobs that hold a slot and have not
    acknowledged it yet, whatever granted it. `after`: where the next page begins; empty: this is the last one.
    """

    next_ms: int = 0
    slot_table: dict[str, QueueEntry] = field(default_factory=dict[str, QueueEntry])
    granted: tuple[SlotGranted, ...] = ()
    after: str = ""


class AdmissionState(Struct, frozen=True):
    """The admission's state. `stopped_ms`: the time since which no job is admitted, 0: it is not stopped.

    `swept_ms`: the last sweep, 0: never. `active`: jobs that hold a slot; `pending`: jobs in line for one.
    `of_tenant`: how many jobs of one tenant may hold one; 0: any number.
    """

    slots: int
    active: int
    pending: int
    stopped_ms: int = 0
    swept_ms: int = 0
    of_tenant: int = 0


class Started(Struct, frozen=True):
    """The answer to a start of the admission: when a sweep must be armed (0: not), and the jobs to notify of slots."""

    sweep_at_ms: int
    granted: tuple[SlotGranted, ...] = ()


class Scanned(Struct, frozen=True):
    """Rows that may match a query, newest first. `next`: the position at which to go on; empty: that is all."""

    found: tuple[Found, ...] = ()
    next: str = ""
