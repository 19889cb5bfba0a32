"""Slots, session lines, and the list of live jobs."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct, field

from baton.core.admission import Entry, Place, SlotState
from baton.core.ends import AgentCounters, End, MonthUsed
from baton.core.stored_bytes import BytesAdded
from baton.core.sweep_pages import PAGE
from baton.record import Record


class Told(Struct, frozen=True):
    """Another job that got a slot, and must be told."""

    job_id: str
    epoch: int
    session_id: str


class SlotAnswer(Record, frozen=True):
    """The admission's answer: whether the asker holds a slot, whom to tell, and when a sweep must be armed (0: not).

    `later_epoch`: the request epoch of a later word of this job, which the admission knows and accepts instead; 0:
    there is none. `busy`: the job was to be alone in its session, and is not: it was not entered.
    """

    slot: bool
    tell: tuple[Told, ...] = ()
    sweep_at_ms: int = 0
    later_epoch: int = 0
    busy: bool = False


class SweepTurn(Struct, frozen=True):
    """When to arm the next sweep (0: not, for a copy older than the one armed last, or while nobody holds a slot).

    `slot_table`: the entries of a page of those that it looks at, with their trees. `tell`: who holds a slot and has
    not taken it yet, by whosever word they got it. `after`: where the next page begins; empty: this is the last one.
    """

    next_ms: int = 0
    slot_table: dict[str, Entry] = field(default_factory=dict[str, Entry])
    tell: tuple[Told, ...] = ()
    after: str = ""


class AdmissionState(Struct, frozen=True):
    """How the admission stands. `stopped_ms`: since when nobody is admitted, 0: somebody is; `swept_ms`: 0: never.

    `active`: jobs that hold a slot; `pending`: jobs in line for one.
    """

    slots: int
    active: int
    pending: int
    stopped_ms: int = 0
    swept_ms: int = 0


class Started(Struct, frozen=True):
    """Jobs are admitted again: when a sweep must be armed (0: not), and whom to tell."""

    sweep_at_ms: int
    tell: tuple[Told, ...] = ()


class Admission(Protocol):
    """Slots, session lines, and the list of live jobs, in a hash tag of its own."""

    async def slot_request(
        self,
        job_id: str,
        slot_state: SlotState,
        place: Place,
        now_ms: int,
        *,
        alone: bool = False,
        end: End | None = None,
        stored: BytesAdded | None = None,
    ) -> SlotAnswer:
        """Take a job's update; one with a lower request epoch than its last changes nothing. The job is listed.

        `alone`: a new job is not entered (`busy`) while another one of its session is at work or in line.
        `end`: how it ended, with the word that it is gone; counted once.
        `stored`: what that changes of its tenant's bytes, counted with the end; without one, with a job's first word.
        """
        ...

    async def sweep(
        self, due_ms: int, now_ms: int, *, again: bool = False, after: str = "", page: int = PAGE
    ) -> SweepTurn:
        """A sweep begins; `due_ms` is when it was armed for, 0 for the backstop. Free slots are filled.

        `again`: it began before, and may carry what belongs to any job: it hears of everybody.
        `after`: it goes on where a page of so many jobs ended; then no slot is given, and nothing armed.
        """
        ...

    async def slot_table(self) -> dict[str, Entry]:
        """All entries, by job id."""
        ...

    async def entry(self, job_id: str) -> Entry | None:
        """A job's entry; also of one that is gone, since a failover may have made its tree forget so."""
        ...

    async def may_ask_for_sweep(self, now_ms: int) -> bool:
        """Whether a sweep may be asked for now: once a minute per deployment, to the first that asks."""
        ...

    async def bearer(self, token: str, message_id: str) -> str:
        """The message that a token of the queue came with first, for an hour: this one, if it never came before.

        A token counts for five minutes (qstash.md 9). A failover may forget the last 20 s.
        """
        ...

    async def leave(self, ended: Sequence[tuple[str, int]]) -> None:
        """Take jobs off the slot table: (job id, `since_ms` of its entry), unless they have said something since."""
        ...


class AdmissionControl(Protocol):
    """The same admission, as operators see it. Stopping and starting may be repeated."""

    async def stop(self, now_ms: int) -> None:
        """Admit nobody any more; who holds a slot goes on."""
        ...

    async def start(self, now_ms: int) -> Started:
        """Admit jobs again, and fill the free slots at once; those who got one are told until they have taken it."""
        ...

    async def state(self) -> AdmissionState:
        """How it stands."""
        ...

    async def live(self) -> dict[str, Entry]:
        """The entries of all jobs that have not said that they are gone, by job id."""
        ...

    async def line(self, tenant: str, session_id: str) -> dict[str, Entry]:
        """The entries of a session's jobs at work or in line, by job id; children are none of them."""
        ...

    async def ends(self) -> dict[str, AgentCounters]:
        """What ended jobs add up to, by agent."""
        ...

    async def used(self) -> tuple[MonthUsed, ...]:
        """What the jobs of each month and tenant have used, oldest first."""
        ...
