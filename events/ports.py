"""What the product needs of the outside world, as protocols that are declared here and implemented in adapters.

Each method says what it promises under repetition: every call may be made twice, since clients repeat.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from events.core.admission import Book, Entry, Place, Standing
from events.core.effects import Changes
from events.core.legs import Leg, LegKind
from events.core.state import CallRecord, Job, State, Usage


class Clock(Protocol):
    """The time."""

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        ...


class Randomness(Protocol):
    """Random ids."""

    def token(self) -> str:
        """A new random text of 24 characters `[0-9a-z]`."""
        ...


class Verifier(Protocol):
    """Checks the queue's signature."""

    def verify(self, signature: str, body: bytes, url: str) -> None:
        """Raises SignatureError unless the queue signed exactly this body for exactly this URL, recently."""
        ...


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message for the queue: to `url` or to `topic`, exactly one of them.

    `not_before_ms`: earliest delivery, 0: at once. `deduplication_id`: a second message with it, within ten minutes, is
    accepted and never delivered; empty: none.
    """

    body: str
    url: str = ""
    topic: str = ""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    not_before_ms: int = 0
    deduplication_id: str = ""
    label: str = ""
    failure_callback: str = ""
    retries: int = 3
    retry_delay_ms: int = 10_000
    timeout_seconds: int = 300


class Queue(Protocol):
    """The message queue: at least once, any order."""

    async def publish(self, messages: Sequence[Outgoing]) -> list[str]:
        """Publish all in one request; returns message ids in order. Raises PublishError and its kinds."""
        ...

    async def cancel(self, message_id: str) -> None:
        """Take a message back if it has not been delivered; an unknown one is no error."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...


class Verdict(StrEnum):
    """What BEGIN found.

    `busy` and `early` say when to come again; `gated`: the job has no slot, and wishes for one; `applied`: no such leg;
    `unknown`: no such job.
    """

    GRANTED = "granted"
    BUSY = "busy"
    EARLY = "early"
    GATED = "gated"
    APPLIED = "applied"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Claim:
    """Who asks for a leg, and for how long."""

    job_id: str
    leg_key: str
    message_id: str
    owner: str
    now_ms: int
    lease_until_ms: int
    call_id: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """What was said before: the transcript's entries in order, and each tool call's stored result."""

    transcript: tuple[dict[str, Any], ...] = ()
    results: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])


@dataclass(frozen=True, slots=True)
class Begun:
    """BEGIN's answer. `state` is there when granted; `carried`: the other legs that the message still carries."""

    verdict: Verdict
    free_at_ms: int = 0
    state: State | None = None
    history: History = field(default_factory=History)
    carried: tuple[Leg, ...] = ()
    commands: int = 0


@dataclass(frozen=True, slots=True)
class Spent:
    """What the leg's handling used before its COMMIT: the COMMIT adds its own and keeps the sum with the job."""

    messages: int = 0
    requests: int = 0
    commands: int = 0


@dataclass(frozen=True, slots=True)
class Committed:
    """COMMIT's answer. `applied`: False when the leg was gone, and nothing was written."""

    applied: bool
    carried: tuple[Leg, ...] = ()


@dataclass(frozen=True, slots=True)
class Created:
    """CREATE's answer: `new` is False when the job was there; `job` is the stored one."""

    new: bool
    job: Job
    carried: tuple[Leg, ...] = ()

    @property
    def standing(self) -> Standing:
        """How a new job stands with the admission: with a slot, unless it carries a wish for one."""
        return Standing(slot=all(leg.kind is not LegKind.WISH for leg in self.carried))


@dataclass(frozen=True, slots=True)
class Undelivered:
    """What an undelivered message leaves: its leg's state with the count raised, or None, and what it carried."""

    state: State | None
    carried: tuple[Leg, ...] = ()
    session_id: str = ""


@dataclass(frozen=True, slots=True)
class Looked:
    """What the sweep found at a tree: legs without progress, which its message carries from now on, and ended jobs."""

    known: bool
    lost: tuple[Leg, ...] = ()
    session_id: str = ""
    ended: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Loaded:
    """A job for deciding on a fact. `version` stands for exactly this state of it."""

    job: Job
    version: str


class Recorded(StrEnum):
    """What became of a fact: `changed` means that the job was not as it was loaded, and nothing was written."""

    COMMITTED = "committed"
    CHANGED = "changed"
    UNKNOWN = "unknown"


Carried = tuple[Leg, ...]


class Store(Protocol):
    """The state of jobs. Each method is one atomic script on one hash tag, harmless when repeated."""

    async def create(self, changes: Changes, message_id: str, now_ms: int) -> Created:
        """Write a new job carried by its witness, unless it is there."""
        ...

    async def begin(self, claim: Claim) -> Begun:
        """Load and claim a leg; the claimed leg's carrier is the message from now on."""
        ...

    async def commit(self, claim: Claim, changes: Changes, spent: Spent) -> Committed:
        """Remove the leg and write what follows from it. The first COMMIT of a leg wins, whoever sends it."""
        ...

    async def undelivered(self, claim: Claim, source_message_id: str) -> Undelivered:
        """Count, once for each callback message, that the queue gave up on the source message."""
        ...

    async def look(self, root_id: str, message_id: str, now_ms: int, lost_after_ms: int, book: Book) -> Looked:
        """Legs that nobody has worked on or driven for `lost_after_ms` get this message as carrier.

        What jobs wish is compared with what the admission knows (`book`), and wished again where they differ.
        """
        ...

    async def load(self, job_id: str) -> Loaded | None:
        """A job, for deciding on a fact from outside; None when unknown."""
        ...

    async def record(self, loaded: Loaded, message_id: str, changes: Changes, now_ms: int) -> tuple[Recorded, Carried]:
        """Write what follows from a fact, carried by its witness, if the job is still as it was loaded."""
        ...

    async def append(self, claim: Claim, sequence: int, parts: Sequence[str]) -> bool:
        """Append parts in mid-work, only while the claim holds the leg; returns whether it does.

        `sequence` counts the appends under this claim from 1: one that was applied already is not applied again.
        """
        ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything about one job, for showing it."""

    job: Job
    task: dict[str, Any]
    legs: tuple[Leg, ...] = ()
    standing: Standing = field(default_factory=Standing)
    calls: tuple[CallRecord, ...] = ()
    results: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class StoredParts:
    """Parts of a job's stream from a position on, and whether the job has ended. `job` is None for an unknown job."""

    job: Job | None
    parts: tuple[str, ...] = ()


class Reader(Protocol):
    """Reads jobs for people and programs; never part of a transition."""

    async def job(self, job_id: str) -> Snapshot | None:
        """Everything about a job; None when unknown."""
        ...

    async def parts(self, job_id: str, after: int) -> StoredParts:
        """The job's parts after the first `after` ones."""
        ...

    async def ping(self) -> None:
        """Raises StoreError unless the store answers."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...


@dataclass(frozen=True, slots=True)
class Told:
    """Another job that got a slot, and must be told."""

    job_id: str
    lap: int
    session_id: str


@dataclass(frozen=True, slots=True)
class Heard:
    """The admission's answer: whether the asker holds a slot, whom to tell, and when a sweep must be armed (0: not)."""

    slot: bool
    tell: tuple[Told, ...] = ()
    sweep_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class SweepTurn:
    """Whether a sweep is to look (`merged`: a copy, it ends), when to arm the next one (0: not), and the book."""

    merged: bool
    next_ms: int = 0
    book: dict[str, Entry] = field(default_factory=dict[str, Entry])


class Admission(Protocol):
    """Slots, session lines, and the list of live jobs, in a hash tag of its own."""

    async def wish(self, job_id: str, standing: Standing, place: Place, now_ms: int) -> Heard:
        """Take a job's word; one with a lower lap than its last changes nothing."""
        ...

    async def sweep(self, due_ms: int, now_ms: int) -> SweepTurn:
        """A sweep begins; `due_ms` is when it was armed for, 0 for the backstop."""
        ...

    async def book(self) -> dict[str, Entry]:
        """All entries, by job id."""
        ...

    async def leave(self, ended: Sequence[tuple[str, int]]) -> None:
        """Take ended jobs off the book: (job id, lap), unless they have said something newer."""
        ...
