"""What must hold of calls that share limits; by name, like invariants.py. Which limits, `shared_keys.py` says.

A `Begun` is a call that its limits let begin, as the store wrote it. A `Work` is a model or a tool that acts: what is
in flight is counted where it happens, and not where it is allowed.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from baton.engine.all_jobs.slots import QueueEntry
from baton.engine.work_items import ItemKind, kind_of
from baton.sdk.records.call_limit import LimitedCall
from baton.store.records.call_limits import MISSED_MS, PLACE_MS, KeyLimit
from tests.simulation.constants import LEASE_MARGIN_SECONDS, LEASE_SECONDS
from tests.simulation.invariants import Write
from tests.simulation.invocation import CURRENT, Invocation
from tests.simulation.memory import CALL_LIMITS
from tests.simulation.shared_keys import MIXTURES, PATIENCE_SECONDS, Moment, keys_of
from tests.simulation.watching import at

if TYPE_CHECKING:
    from tests.simulation.starting import Run, Start
    from tests.simulation.world import World

# The store counts whole milliseconds.
_ROUNDED_SECONDS = 0.003
_MINUTE_SECONDS = 60.0
# A call that was given a place comes for it within this time, or loses it.
_GIVEN_SECONDS = 2 * PLACE_MS / 1000
# A message that wakes a call may come before its claim is given back, and comes again once that is over.
_WOKEN_SECONDS = LEASE_SECONDS + 5.0


@dataclass(slots=True, eq=False)
class Begun:
    """A call that its limits let begin, as the store wrote it at `at`.

    `moments`: by key. `over`: its end is on the way to the store. `patience`: it wants nobody to come for so long.
    `paused`: its keys are on the way to be paused.
    """

    who: Invocation
    name: str
    flow: str
    limits: Sequence[KeyLimit]
    at: float
    moments: dict[str, Moment]
    over: bool = False
    patience: float = 0.0
    paused: bool = False


@dataclass(slots=True, eq=False)
class Work:
    """A model or a tool begins to act. `keys`: what it shares. `run`: of a tool."""

    world: "World"
    keys: frozenset[str]
    begun: Begun | None
    run: "Run | None" = None
    over: bool = False

    @property
    def acts(self) -> bool:
        return self.run.goes_on if self.run else not self.over


@dataclass(frozen=True, slots=True)
class Waiting:
    """A call is made to wait for a place; `entries`: who holds and who waits for places of the key."""

    world: "World"
    name: str
    limit: KeyLimit
    entries: dict[str, QueueEntry]


# What the limits have let begin last on the way to the work that is done now.
BEGUN: ContextVar[Begun | None] = ContextVar("begun", default=None)


class SharedCalls:
    """Who uses the keys of one world.

    `pauses`: by key and tenant, until when, and since when. `given_back`: by key, call and time of its beginning, when.
    `messages`: by job, those of calls that wait, and of calls that are woken. `comes_at`: by call that waits, when its
    message comes. `woken`: by call, when it got a place, until it has come.
    """

    def __init__(self, world: "World") -> None:
        self._world = world
        self._works = list[Work]()
        self._latest = dict[str, Begun]()
        self.begun = list[Begun]()
        self.pauses: defaultdict[tuple[str, str], list[Moment]] = defaultdict(list)
        self.given_back = dict[tuple[str, str, int], float]()
        self.messages: Counter[str] = Counter()
        self.comes_at, self.woken = dict[str, float](), dict[str, float]()

    def comes(self, name: str) -> None:
        since = self.woken.pop(name, None)
        if since is not None:
            self._world.check(ON_COMING, (self._world, name, since))

    def began(self, begun: Begun) -> None:
        BEGUN.set(begun)
        self._world.check(ON_BEGUN, (self, begun))
        before = self._latest.get(begun.name)
        if before is None or before.at <= begun.at:
            self._latest[begun.name] = begun
        self.begun.append(begun)

    def works(self, work: Work) -> None:
        self._works = [one for one in self._works if one.acts]
        self._works.append(work)
        self._world.check(ON_WORK, work)

    def forgot(self, at: float) -> bool:
        return any(one.cut < at <= one.at and CALL_LIMITS in one.tags for one in self._world.memory.failovers)

    def in_flight(self, key: str) -> set[str]:
        acting = [one.begun for one in self._works if one.acts and key in one.keys]
        return {begun.name for begun in acting if begun is not None and self._has_place(begun)}

    def _has_place(self, begun: Begun) -> bool:
        lasts = self._world.loop.seconds - begun.at <= lease_seconds(self._world)
        lives = not begun.over and not begun.who.dead and self._latest[begun.name] is begun
        return lives and lasts and not self.forgot(begun.at)

    def wants_patience(self, seconds: float) -> None:
        """What acts now fails, and wants nobody to come for so long."""
        if (begun := BEGUN.get()) is not None and not begun.over:
            begun.patience = seconds

    def patience_of(self, number: int) -> float | None:
        """For how long a tool that fails wants nobody to come, by its number."""
        seconds = PATIENCE_SECONDS[number % len(PATIENCE_SECONDS)] if self._world.plan.call_limits else 0.0
        self.wants_patience(seconds)
        return seconds or None

    @contextmanager
    def model_at_work(self, agent: str) -> Iterator[None]:
        call = LimitedCall(self._world.outside.plan_of(agent).tenant, "", agent, "", {}, {})
        keys = keys_of(MIXTURES[self._world.plan.call_limits].models, call)
        work = Work(self._world, keys, BEGUN.get())
        self.works(work)
        try:
            yield
        finally:
            work.over = True


def lease_seconds(world: "World") -> float:
    """After so long a place is free in any case."""
    return world.plan.work_timeout_seconds + LEASE_MARGIN_SECONDS


def a_tool_acts_within_its_limits(start: "Start") -> None:
    world, job = start.world, start.world.tree(start.context.job_id).jobs.get(start.context.job_id)
    limits = MIXTURES[world.plan.call_limits].tools
    if not limits or job is None:  # a failover has forgotten the job
        return
    call = LimitedCall(job.tenant, job.session_id, job.agent, start.tool, start.arguments, {})
    world.call_limits.works(Work(world, keys_of(limits, call), BEGUN.get(), start.run))


def what_acts_has_begun(work: Work) -> str | None:
    """No model and no tool acts before its limits let it, by its own keys, or after its place was given back."""
    begun, who = work.begun, CURRENT.get()
    if not work.keys:
        return None
    if begun is None or begun.who is not who or begun.over:
        return f"{who.name} does what shares {sorted(work.keys)}, and its limits let nothing begin: {begun}"
    known = begun.name == work.run.item_key if work.run else kind_of(begun.name) is ItemKind.LOOP
    keys = {one.key for one in begun.limits}
    return None if known and keys == work.keys else f"{begun.name} has begun by {keys}, and acts by {work.keys}"


def no_more_are_in_flight(work: Work) -> str | None:
    """Of the calls of a key no more act at the same time than its limit says, while each is over before its lease.

    A call whose place a failover forgot counts no more; it ends with its lease at the latest.
    """
    for limit in work.begun.limits if work.begun else ():
        names = work.world.call_limits.in_flight(limit.key)
        if limit.in_flight is not None and len(names) > limit.in_flight:
            return f"{sorted(names)} act at the same time; {limit.key!r} lets {limit.in_flight}"
    return None


def moments_are_apart(found: tuple[SharedCalls, Begun]) -> str | None:
    """Each call of a key begins by a moment of its own, and moments lie evenly over the minute.

    So do those that replace missed ones, among themselves.
    """
    calls, begun = found
    for limit in begun.limits:
        if limit.per_minute is None or calls.forgot(begun.moments[limit.key].given_at):
            continue
        apart_seconds, mine = _MINUTE_SECONDS / limit.per_minute - _ROUNDED_SECONDS, begun.moments[limit.key].at
        for other in calls.begun:
            moment = other.moments.get(limit.key)
            if moment is None or calls.forgot(moment.given_at) or calls.forgot(other.at):
                continue
            if moment.replaces is begun.moments[limit.key].replaces and abs(moment.at - mine) < apart_seconds:
                return f"{begun.name} begins by moment {mine:.3f}, and {other.name} by {moment.at:.3f} of {limit.key!r}"
    return None


def a_call_begins_at_its_moment(found: tuple[SharedCalls, Begun]) -> str | None:
    """None begins before its moment, by one that it has missed, or in a pause of its key."""
    calls, begun = found
    for limit in begun.limits:
        moment = begun.moments.get(limit.key)
        most_late = max(MISSED_MS / 1000, _MINUTE_SECONDS / (limit.per_minute or 1)) + _ROUNDED_SECONDS
        if moment and not -_ROUNDED_SECONDS <= begun.at - moment.at <= most_late:
            return f"{begun.name} begins at {begun.at:.3f}, and its moment by {limit.key!r} is {moment.at:.3f}"
    for limit in begun.limits:
        for pause in calls.pauses[limit.key, begun.flow]:
            if pause.given_at < begun.at < pause.at - _ROUNDED_SECONDS and not calls.forgot(pause.given_at):
                return f"{begun.name} begins at {begun.at:.3f}; {limit.key!r} pauses until {pause.at:.3f}"
    return None


def nobody_waits_for_a_free_place(waiting: Waiting) -> str | None:
    """Who waits for a place waits for as many calls as the limit says, none of which is over, or gone for long."""
    world, key = waiting.world, waiting.limit.key
    holders = {name: entry for name, entry in waiting.entries.items() if entry.slot}
    if len(holders) != waiting.limit.in_flight:
        return f"{waiting.name} waits for {sorted(holders)}; {key!r} lets {waiting.limit.in_flight}"
    for name, entry in holders.items():
        heard_ms, most_ms = entry.since_ms, 1000 * (_GIVEN_SECONDS if entry.granted_by else lease_seconds(world))
        if world.now_ms() - heard_ms > most_ms:
            return f"{waiting.name} waits for {name}, which has said nothing since {heard_ms}"
        given_back_at = world.call_limits.given_back.get((key, name, entry.since_ms))
        if given_back_at is not None and not world.call_limits.forgot(given_back_at):
            return f"{waiting.name} waits for {name}, which gave its place back at {given_back_at:.3f}"
    return None


def a_sweep_leaves_a_call_that_comes_by_itself(write: Write) -> str | None:
    """A call that waits for a limit has a message that comes in time; a sweep would bring one more each time."""
    world = write.world
    for key, old, item in write.changed_items():
        comes_at = world.call_limits.comes_at.get(key, 0.0)
        if item.relay_id == old.relay_id or not old.limited_by:
            continue
        early = world.loop.seconds < comes_at - 2 * world.plan.skew_ms / 1000
        if early and not world.memory.lost_writes(item.job_id):
            return f"{key} is replayed at {world.loop.seconds:.3f}, and comes at {comes_at:.3f}: {old}"
    return None


def who_gets_a_place_comes_at_once(found: tuple["World", str, float]) -> str | None:
    """Where nothing goes wrong a call that was given a place is woken, and does not come by its own message."""
    world, name, since = found
    if world.plan.faultless and world.loop.seconds - since > _WOKEN_SECONDS:
        return f"{name} comes at {world.loop.seconds:.3f}, and has had a place since {since:.3f}"
    return None


def every_place_is_given_back(world: "World") -> str | None:
    for begun in world.call_limits.begun:
        has_place = any(one.in_flight is not None for one in begun.limits)
        if has_place and begun.who.over and not begun.over and not begun.who.dead:
            return f"{begun.who.name} has begun {begun.name}, and does not give its place back"
    return None


def who_wants_patience_gets_it(world: "World") -> str | None:
    """The keys of a call are paused where the other side has asked for it."""
    for begun in world.call_limits.begun:
        if begun.patience and begun.who.over and not begun.paused and not begun.who.dead and not begun.who.stalled:
            return f"{begun.name} fails and wants {begun.patience:g} s of patience; its keys are not paused"
    return None


ON_BEGUN = (moments_are_apart, a_call_begins_at_its_moment)
ON_LIMITED_START = (a_tool_acts_within_its_limits,)
ON_WORK = (what_acts_has_begun, no_more_are_in_flight)
ON_COMING = (who_gets_a_place_comes_at_once,)
ON_PLACE = (nobody_waits_for_a_free_place,)
ON_LIMITED_WRITE = (at("reconcile", a_sweep_leaves_a_call_that_comes_by_itself),)
ON_ALL_LIMITED = (every_place_is_given_back, who_wants_patience_gets_it)
