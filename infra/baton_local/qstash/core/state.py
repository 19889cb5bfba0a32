"""The whole state of the server, and what one transition of it brings about.

Invariant: `Transition` is the only way to change the state, so whatever changes is also recorded for storage.
"""

import heapq
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from baton_local.qstash.core.answer import not_found
from baton_local.qstash.core.limits import Limits
from baton_local.qstash.core.message import AttemptResult, DlqEntry, Event, EventState, Live, Message
from baton_local.qstash.core.queues import Capacity
from baton_local.qstash.core.tenant import Tenant

# What a transition passes to storage: a closed union of frozen records, written in one disk transaction.
# Small things that are stored whole, one row each, by kind.
ThingKind = Literal["counters", "keys", "topic", "queue", "flow", "schedule"]


@dataclass(frozen=True, slots=True)
class MessageStored:
    """A message was accepted."""

    message: Message
    due_ms: int


@dataclass(frozen=True, slots=True)
class ProgressStored:
    """A message has come further, or is to be cancelled."""

    message: Message
    retried: int
    due_ms: int
    cancel_requested: bool


@dataclass(frozen=True, slots=True)
class MessageFinished:
    """A message was delivered, failed or was cancelled; it stays readable for a while."""

    message: Message
    finished_at_ms: int
    response_bytes: int


@dataclass(frozen=True, slots=True)
class DlqStored:
    """A dead letter was added."""

    entry: DlqEntry


@dataclass(frozen=True, slots=True)
class DlqDropped:
    """A dead letter is gone."""

    entry: DlqEntry


@dataclass(frozen=True, slots=True)
class DedupStored:
    """A deduplication window was opened."""

    user: str
    key: str
    message_id: str
    expires_ms: int


@dataclass(frozen=True, slots=True)
class ThingStored:
    """A small thing is now like this (the object may change later: it is written as it is then)."""

    kind: ThingKind
    user: str
    key: str
    value: Any


@dataclass(frozen=True, slots=True)
class ThingDropped:
    """A small thing is gone."""

    kind: ThingKind
    user: str
    key: str


@dataclass(frozen=True, slots=True)
class UserForgotten:
    """Everything of a user that was written so far is gone."""

    user: str


Change = (
    MessageStored
    | ProgressStored
    | MessageFinished
    | Event
    | DlqStored
    | DlqDropped
    | DedupStored
    | ThingStored
    | ThingDropped
    | UserForgotten
)


class RunIds:
    """RunIds of one run of the server: unique across runs as long as run names differ, and increasing within one."""

    def __init__(self, run_name: str) -> None:
        self._run_name = run_name
        self._count = 0

    def new_id(self, prefix: str) -> str:
        """Return a new id such as `msg_<run><number>`."""
        self._count += 1
        return f"{prefix}_{self._run_name}{self._count:08x}"


@dataclass(frozen=True, slots=True)
class Deliver:
    """The one effect: start a delivery attempt, after the changes are on disk."""

    message: Message
    retried: int
    signing_key: str


class Timer(NamedTuple):
    """Something to look at when its time has come; one that no longer applies is ignored."""

    at_ms: int
    order: int
    kind: str
    user: str
    key: str


@dataclass(slots=True)
class State:
    """Tenants, timers and slots."""

    limits: Limits
    ids: RunIds
    tenants: dict[str, Tenant]
    capacity: Capacity
    timers: list[Timer] = field(default_factory=list)
    last_seq: int = 0
    last_timer: int = 0
    last_turn: int = 0
    stale_timers: int = 0

    def tenant(self, user: str) -> Tenant:
        """Return the user's own world."""
        if user not in self.tenants:
            raise not_found(f"user {user!r} is unknown to this server")
        return self.tenants[user]

    def next_seq(self) -> int:
        """Return the next number in the order of all messages and dead letters."""
        self.last_seq += 1
        return self.last_seq

    def next_turn(self) -> int:
        """Return the next number in the order in which messages became due."""
        self.last_turn += 1
        return self.last_turn

    def wake_at(self, at_ms: int, kind: str, user: str, key: str) -> None:
        """Look at this when the time has come."""
        self.last_timer += 1
        heapq.heappush(self.timers, Timer(at_ms, self.last_timer, kind, user, key))

    def next_wakeup_ms(self) -> int | None:
        """Return when `tick` has to be called next."""
        return self.timers[0].at_ms if self.timers else None


@dataclass(slots=True)
class Transition:
    """One step of the state: what changed, and what is to be done after it is on disk."""

    state: State
    now_ms: int
    changes: list[Change] = field(default_factory=list)
    effects: list[Deliver] = field(default_factory=list)

    def log(
        self, live: Live, state: EventState, *, next_delivery_ms: int | None = None, result: AttemptResult | None = None
    ) -> None:
        self.changes.append(Event(live.message, self.now_ms, state, next_delivery_ms, result))

    def increment(self, tenant: Tenant, name: str) -> None:
        """Add one to a counter of the user."""
        setattr(tenant.counters, name, getattr(tenant.counters, name) + 1)
        self.changes.append(ThingStored("counters", tenant.user, "", tenant.counters))
