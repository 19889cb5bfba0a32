"""What the store has kept, with times: what a failover may forget, and what a read from a replica may still show.

Invariant: a version is a reference (trees and keys never change), kept only in worlds that have such faults. A failover
goes back to an earlier moment, at most LOSS_SECONDS ago, of one tag or of all, at most once in five minutes
(decisions/0013-lost-writes); what the world itself remembers of forgotten writes is undone with them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from baton.engine.commit.tree import Tree
from baton.engine.work_items import item_key_of, slot_request_key
from baton.store.redis.in_process.data import Version as KeysThen
from baton.testing.dice import number_of
from baton_events.ids import root_of
from baton_events.messages import Outgoing
from baton_events.schema import parse_event
from tests.simulation.constants import DEDUPLICATION_SECONDS
from tests.simulation.excuses import LEFT_SECONDS
from tests.simulation.invocation import CURRENT
from tests.simulation.stored import NO_KEYS, Version

if TYPE_CHECKING:
    from tests.simulation.kept import Kept
    from tests.simulation.world import World

LOSS_SECONDS, APART_SECONDS, STALE_SECONDS = 20.0, 300.0, 2.0
_WHAT, _BACK, _STALE = 91, 92, 93
ADMISSION, CALL_LIMITS = "admission", "call limits"
_BEFORE = float("-inf")


@dataclass(frozen=True, slots=True)
class Failover:
    """One failover: what was written to these tags between `cut` and `at` is gone."""

    tags: frozenset[str]
    cut: float
    at: float


class Memory:
    def __init__(self, world: "World") -> None:
        self._world = world
        rates = world.plan.rates
        self._fails, self._stale = rates.get("failover", 0.0) > 0, rates.get("stale", 0.0) > 0
        self._trees: dict[str, list[tuple[float, Version | None]]] = {}
        self._slot_tables: list[tuple[float, KeysThen]] = [(_BEFORE, KeysThen({}, {}))]
        self._limits: list[tuple[float, KeysThen]] = [(_BEFORE, KeysThen({}, {}))]
        self._undo: list[tuple[float, str, Callable[[], None]]] = []
        self.failovers: list[Failover] = []
        self.reopened: set[str] = set()
        self.unbooked: dict[str, float] = {}
        self.listed: dict[str, float] = {}

    def wrote(self, root: str) -> None:
        if self._fails or self._stale:
            version = self._world.fake.version(root)
            self._trees.setdefault(root, [(_BEFORE, None)]).append((self._world.loop.seconds, version))

    def tabled(self) -> None:
        if self._fails:
            slot_table = self._world.admission
            self._slot_tables.append((self._world.loop.seconds, slot_table.version()))
            for name in [
                name for name in self.unbooked if name in slot_table.entries and slot_table.entries[name].slot
            ]:
                del self.unbooked[name]

    def counted(self) -> None:
        if self._fails:
            self._limits.append((self._world.loop.seconds, self._world.all_jobs.limits()))

    def update_of_a_forgotten_state(self, job_id: str) -> None:
        """A job gave its slot back, and then a failover forgot that it had done so: it goes on as if it had one.

        Or it asks for one again, and the word of what is forgotten takes it out of the line. Or it took the slot again,
        and the admission forgot that: then a word from before, which comes late, is obeyed.
        """
        world, entry = self._world, self._world.admission.entries[job_id]
        slot_state = world.tree(job_id).slot_state(job_id)
        if slot_state.epoch < entry.epoch and self.struck(job_id):
            world.excused.add(slot_request_key(job_id, slot_state.epoch))
        if not slot_state.slot or entry.slot or slot_state.epoch == entry.epoch:
            return
        if self.struck(job_id) if slot_state.epoch < entry.epoch else self.struck(ADMISSION):
            self.unbooked[job_id] = self.failovers[-1].at + LEFT_SECONDS

    def answer_of_long_ago(self, job_id: str) -> None:
        """Somebody acts late on an answer to a slot request, which a failover restored or made the admission forget."""
        if self.struck(job_id):
            self.unbooked[job_id] = self._world.loop.seconds + LEFT_SECONDS

    def taken_out_after_all(self, job_id: str) -> None:
        """A sweep takes out of the slot table a job that it finds unknown: the word of its coming back is forgotten."""
        self.unbooked[job_id] = self._world.loop.seconds + LEFT_SECONDS

    def swallowed(self, outgoing: Outgoing) -> None:
        """The queue's deduplication remembers what a failover made the store forget: left to the sweep."""
        job_id = outgoing.headers.get("x-job-id", "")
        if job_id and self.struck(job_id, self._world.loop.seconds - DEDUPLICATION_SECONDS):
            self._world.excused.add(item_key_of(parse_event(outgoing.body.encode())))

    def undone_by_a_failover(self, root: str, undo: Callable[[], None]) -> None:
        """What the world notes of a write now: `undo` takes it back if the write is forgotten."""
        if self._fails:
            self._undo.append((self._world.loop.seconds, root, undo))

    def strike(self, root: str) -> None:
        """A command was applied: perhaps its tag, or all of them, fail over now."""
        if not self._fails:
            return
        world, who = self._world, CURRENT.get()
        now = world.loop.seconds
        if self.failovers and now < self.failovers[-1].at + APART_SECONDS:
            return
        if not world.faults.strikes("failover", who.name, who.calls):
            return
        everything = world.dice.chance(0.5, _WHAT, who.number, who.calls)
        tags = frozenset({ADMISSION, CALL_LIMITS, *world.trees} if everything else {root})
        failover = Failover(tags, now - LOSS_SECONDS * world.dice.roll(_BACK, who.number, who.calls) ** 1.5, now)
        world.record(who, f"{'everything' if everything else root} forgets what was written since {failover.cut:.3f}")
        self._forget(failover)

    def struck(self, job_id: str, since: float | None = None) -> bool:
        """Whether a failover has met this job's tag, or the admission, since then, or so lately that it shows."""
        return bool(self.failovers) and self._met({root_of(job_id), ADMISSION}, since)

    def lost_writes(self, job_id: str, since: float | None = None) -> bool:
        """Whether a failover has met this job's tag since then, or so lately that it shows: others' do not matter."""
        return bool(self.failovers) and self._met({root_of(job_id)}, since)

    def ever_lost_writes(self, job_id: str) -> bool:
        """Whether a failover has ever met this job's tag: for what nothing mends, such as positions in a stream."""
        return self.lost_writes(job_id, _BEFORE)

    def ever_struck(self, job_id: str) -> bool:
        return self.struck(job_id, _BEFORE)

    def _met(self, tags: set[str], since: float | None) -> bool:
        if since is not None:
            return any(failover.at >= since and tags & failover.tags for failover in self.failovers)
        excuses, now = self._world.excused, self._world.loop.seconds
        return any(now <= excuses.over_at(failover.at) and tags & failover.tags for failover in self.failovers)

    def forgot(self, job_id: str, at: float) -> bool:
        """Whether what was written then to this job's tag was forgotten."""
        return any(f.cut < at <= f.at and root_of(job_id) in f.tags for f in self.failovers)

    def forgot_rows(self, job_id: str) -> bool:
        """Whether what the list was told of this job last was forgotten with the admission."""
        at = self.listed.get(job_id, _BEFORE)
        return any(f.cut < at <= f.at and ADMISSION in f.tags for f in self.failovers)

    def seen(self, root: str, point: str) -> "Kept":
        """The keys that a read of a tag shows: sometimes as they were a moment ago."""
        world, who = self._world, CURRENT.get()
        now = world.fake.keys(root)
        if not self._stale or not world.faults.strikes("stale", who.name, who.calls):
            return now
        cut = world.loop.seconds - STALE_SECONDS * world.dice.roll(_STALE, who.number, number_of(point))
        version = self._version(root, cut)
        shown = version.keys if version else NO_KEYS
        if shown is not now:
            who.faulty = True
            world.record(who, f"{point}: shows {root} as it was at {cut:.3f}")
        return shown

    def _version(self, root: str, cut: float) -> Version | None:
        versions = self._trees.get(root, [(_BEFORE, None)])
        return next(version for at, version in reversed(versions) if at <= cut)

    def _forget(self, failover: Failover) -> None:
        world = self._world
        self.failovers.append(failover)
        if ADMISSION in failover.tags:
            self._forget_slot_table(failover.cut)
        if CALL_LIMITS in failover.tags:
            self._limits = [version for version in self._limits if version[0] <= failover.cut]
            world.all_jobs.forget_limits(self._limits[-1][1])
        for root in sorted(failover.tags - {ADMISSION, CALL_LIMITS}):
            self._forget_tree(root, failover.cut)
        for at, root, undo in self._undo:
            if at > failover.cut and root in failover.tags:
                undo()
        self._undo = [entry for entry in self._undo if entry[0] <= failover.cut or entry[1] not in failover.tags]
        for tree in world.trees.values():
            for job_id in tree.jobs:
                entry = world.admission.entries.get(job_id)
                if tree.slot_state(job_id).slot and (entry is None or not entry.slot):
                    self.unbooked[job_id] = failover.at + LEFT_SECONDS

    def _forget_tree(self, root: str, cut: float) -> None:
        world, before = self._world, self._world.tree(root)
        version = self._version(root, cut)
        self._trees[root] = [version for version in self._trees.get(root, [(_BEFORE, None)]) if version[0] <= cut]
        world.fake.go_back(root, version)
        if version is not None:
            after = version.tree
            world.excused.update(
                key
                for key, item in after.items.items()
                if before.items.get(key) is not item or _relied_on_a_slot_request(item.job_id, before, after)
            )
        now = world.tree(root).jobs
        self.reopened.update(name for name, job in before.jobs.items() if job.ended and now.get(name) != job)

    def _forget_slot_table(self, cut: float) -> None:
        world, before = self._world, self._world.admission.entries
        self._slot_tables = [version for version in self._slot_tables if version[0] <= cut]
        world.admission.go_back(self._slot_tables[-1][1])
        entries = world.admission.entries
        for name in {*before, *entries}:
            old, new = before.get(name), entries.get(name)
            if old == new:
                continue
            world.excused.update(slot_request_key(name, entry.epoch) for entry in (old, new) if entry)
            if old and old.slot and not (new and new.slot):
                self.unbooked[name] = world.loop.seconds + LEFT_SECONDS


def _relied_on_a_slot_request(job_id: str, before: Tree, after: Tree) -> bool:
    """Whether a slot request of this job is forgotten, on which what it does next relied."""
    return before.slot_state(job_id) != after.slot_state(job_id)
