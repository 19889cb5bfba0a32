"""The whole state of the server: its users, each a world of its own; and what one transition of it brings about.

Invariant: `Transition` is the only way to change the state, so whatever changes is also recorded for storage.
"""

import heapq
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from baton_local.qstash.core.answer import not_found
from baton_local.qstash.core.destinations import Topic
from baton_local.qstash.core.flow_control import FlowKey
from baton_local.qstash.core.limits import Limits
from baton_local.qstash.core.message import AttemptResult, DlqEntry, Event, EventState, Live, Message
from baton_local.qstash.core.queues import Capacity, Queue
from baton_local.qstash.core.schedules import Schedule


class Stored(NamedTuple):
    """A value of a user is now this, or is gone (None); one that may change later is written as it is then."""

    kind: str  # the attribute of Tenant that it is in
    user: str
    key: str
    value: Any


class Finished(NamedTuple):
    """A message was delivered, failed or was cancelled; it stays readable for a while."""

    message: Message
    at_ms: int
    response_bytes: int


class UserForgotten(NamedTuple):
    """Everything of a user that was written so far is gone."""

    user: str


# What a transition passes to storage, written in one disk transaction; a Message by itself was accepted.
Change = Stored | Event | Message | Finished | UserForgotten


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


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The pair that receivers are configured with; messages are signed with `current`.

    `configured` is the pair that the server was started with, so that a rotation outlives a restart, and a newly
    configured pair outlives a rotation.
    """

    current: str
    next: str
    configured: tuple[str, str]


# What a bill would be made of; they only grow.
COUNTERS = (
    "published",  # accepted from callers: one per message, so a group of three counts three
    "deduplicated",  # accepted and not stored
    "derived",  # made by the server: callbacks, schedule ticks, DLQ retries
    "deliveries",  # attempts started
    "delivered",
    "failed",
    "cancelled",
)


@dataclass(slots=True)
class Tenant:
    """Everything of one user that is not finished."""

    user: str
    keys: SigningKeys
    live: dict[str, Live] = field(default_factory=dict)
    dlq: dict[str, DlqEntry] = field(default_factory=dict)
    # Key → the message accepted first, and until when; in order of expiry, since the window's length is constant.
    dedup: dict[str, tuple[str, int]] = field(default_factory=dict)
    topics: dict[str, Topic] = field(default_factory=dict)
    queues: dict[str, Queue] = field(default_factory=dict)
    flows: dict[str, FlowKey] = field(default_factory=dict)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTERS, 0))
    in_flight: int = 0


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

    def put(self, tenant: Tenant, kind: str, key: str, value: Any) -> None:
        """Make this the user's value of a kind and key, and store it."""
        getattr(tenant, kind)[key] = value
        self.changes.append(Stored(kind, tenant.user, key, value))

    def drop(self, tenant: Tenant, kind: str, key: str) -> None:
        del getattr(tenant, kind)[key]
        self.changes.append(Stored(kind, tenant.user, key, None))

    def increment(self, tenant: Tenant, name: str) -> None:
        """Add one to a counter of the user."""
        self.put(tenant, "counters", name, tenant.counters[name] + 1)
