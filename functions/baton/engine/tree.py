"""What the store in memory keeps under one hash tag: a job, its children, and all that belongs to them.

Invariant: a Tree never changes; a write makes a new one. So an older version is a reference, and a failover that
forgets the last writes costs nothing to model.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import cast

from msgspec import Struct, field
from msgspec.structs import replace

from baton.core.admission import Entry, Standing, Want, next_lap, wanted
from baton.core.effects import Skip
from baton.core.legs import FOREVER_MS, WORK_KINDS, Leg, LegKind, blocked, wish_key, wish_leg
from baton.core.limits import NOTHING_SPENT, Spend
from baton.core.state import CallRecord, Job, Level, Usage
from baton.ports import OutsideFact, Tombstone
from baton_events.ids import job_of_call

# Of a job that has not said anything yet: whatever it wants first is new.
NO_STANDING = Standing(cast("Want", ""), -1)
_KEY = attrgetter("key")


class Tree(Struct, frozen=True):
    """One tag's data. `expires_ms`: when it goes, once the root has ended; 0: never. `tombstone`: what is left then.

    `events`: by job, what has happened and nobody has waited for yet: "TIME:FACT" → the event's name.
    """

    jobs: dict[str, Job] = field(default_factory=dict[str, Job])
    standings: dict[str, Standing] = field(default_factory=dict[str, Standing])
    usage: dict[str, Usage] = field(default_factory=dict[str, Usage])
    legs: dict[str, Leg] = field(default_factory=dict[str, Leg])
    calls: dict[str, dict[str, CallRecord]] = field(default_factory=dict[str, dict[str, CallRecord]])
    results: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    transcript: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    parts: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    below: dict[str, Spend] = field(default_factory=dict[str, Spend])
    events: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    expires_ms: int = 0
    tombstone: Tombstone | None = None

    def carried(self, message_id: str, now_ms: int, but: str = "") -> tuple[Leg, ...]:
        """The legs that a message must hand on, in the order of their keys."""
        mine = [leg for leg in self.legs.values() if leg.carrier == message_id and leg.key != but]
        free = [leg for leg in mine if not self.gated(leg, now_ms) and not self.held(leg)]
        return tuple(sorted(free, key=_KEY) if len(free) > 1 else free)

    def begun_with_slot(self, message_id: str, now_ms: int, but: str = "") -> tuple[Leg, ...]:
        """The legs of a message that somebody has claimed while their job had a slot, which it has lost since.

        Nobody hands them on, as they wait for the job's wish; and the message may be over before they are done.
        """
        mine = (leg for leg in self.legs.values() if leg.carrier == message_id and leg.key != but and leg.owner)
        return tuple(sorted((leg for leg in mine if self.gated(leg, now_ms)), key=_KEY))

    def blocked(self, leg: Leg) -> bool:
        """Whether a step waits for one before it."""
        return bool(leg.after) and blocked(leg, self.legs.values())

    def held(self, leg: Leg) -> bool:
        """Whether there is nothing to do for a leg until somebody brings it on."""
        return leg.not_before_ms >= FOREVER_MS or self.blocked(leg)

    def unblocked(self, message_id: str, now_ms: int) -> "Tree":
        """With the steps carried by this message for which it ended the last one that they waited for."""
        free = {
            leg.key: replace(leg, carrier=message_id, since_ms=now_ms)
            for leg in self.legs.values()
            if leg.after and leg.kind is LegKind.CALL and not leg.carrier and not self.blocked(leg)
        }
        return replace(self, legs={**self.legs, **free}) if free else self

    def levels(self, leg: Leg, now_ms: int) -> tuple[Level, ...]:
        """The job of a turn and those above it, with what is used and reserved below each."""
        if leg.kind is not LegKind.LOOP:
            return ()
        names = [leg.job_id, *(name for name in _above(leg.job_id) if name in self.jobs)]
        return tuple(
            Level(self.jobs[name], self.below.get(name, NOTHING_SPENT), self._reserved(name, leg, now_ms))
            for name in names
        )

    def _reserved(self, name: str, but: Leg, now_ms: int) -> int:
        turns = (leg for leg in self.legs.values() if leg.kind is LegKind.LOOP and leg.job_id.startswith(f"{name}."))
        live = (leg for leg in turns if leg.owner and leg.lease_until_ms > now_ms and leg.key != but.key)
        return sum(self.jobs[leg.job_id].reserve_tokens for leg in live)

    def with_spend(self, job_id: str, spends: Spend) -> "Tree":
        """With what a child used noted at the jobs above it."""
        below = dict(self.below)
        for name in _above(job_id):
            old = below.get(name, NOTHING_SPENT)
            below[name] = Spend(
                old.turns + spends.turns,
                old.tool_calls + spends.tool_calls,
                old.tokens + spends.tokens,
                old.cost_usd + spends.cost_usd,
            )
        return replace(self, below=below)

    def gated(self, leg: Leg, now_ms: int) -> bool:
        """Whether a leg is work of a job without a slot, and due, or waiting for the job's wish for one."""
        if leg.kind not in WORK_KINDS:
            return False
        standing = self.standing(leg.job_id)
        return not standing.slot and (leg.not_before_ms <= now_ms or standing.want == "slot")

    def standing(self, job_id: str) -> Standing:
        """How a job stands with the admission."""
        return self.standings.get(job_id, NO_STANDING)

    def settled(self, job_id: str, message_id: str, now_ms: int, later_lap: int = 0) -> "Tree":
        """With a new wish, if the job wants something else than it wished for, or the admission knows a later word."""
        standing = self.standing(job_id)
        legs = (leg for leg in self.legs.values() if leg.job_id == job_id)
        want = wanted(standing, legs, ended=self.jobs[job_id].ended, now_ms=now_ms)
        if want == standing.want and not later_lap:
            return self
        return self.wishing(job_id, want, message_id, now_ms, later_lap)

    def wishing(self, job_id: str, want: Want, message_id: str, now_ms: int, later_lap: int = 0) -> "Tree":
        """With a new wish, in place of the one before."""
        standing = self.standing(job_id)
        lap = next_lap(standing, now_ms, later_lap)
        wish = replace(wish_leg(job_id, want, lap, now_ms), carrier=message_id)
        legs = {key: leg for key, leg in self.legs.items() if key != wish_key(job_id, standing.lap)}
        return replace(self, standings={**self.standings, job_id: Standing(want, lap)}, legs={**legs, wish.key: wish})

    def waits(self, job_id: str, now_ms: int) -> list[Leg]:
        """The waits of a job that are not over, in the order of their keys."""
        mine = (leg for leg in self.legs.values() if leg.kind is LegKind.WAIT and leg.job_id == job_id)
        return sorted((leg for leg in mine if leg.not_before_ms > now_ms), key=_KEY)

    def woken(self, leg: Leg, message_id: str, now_ms: int) -> "Tree":
        """With what this wait waits for: it is due, and carried by who brings it."""
        due = replace(leg, not_before_ms=0, since_ms=now_ms, carrier=message_id)
        return replace(self, legs={**self.legs, leg.key: due})

    def with_result(self, job_id: str, name: str, text: str) -> "Tree":
        """With this result."""
        mine = {**self.results.get(job_id, {}), name: text}
        return replace(self, results={**self.results, job_id: mine})

    def answered_early(self, leg: Leg, message_id: str, now_ms: int) -> "Tree":
        """With a new wait ended, if its outcome or an event for it has come before."""
        job_id, over = leg.job_id, leg.not_before_ms <= now_ms
        early = self.results.get(job_id, {}).get(f"early:{leg.call_id}")
        if early is not None:
            tree = self.with_result(job_id, leg.call_id, early)
            return tree if over else tree.woken(leg, message_id, now_ms)
        if over:
            return self
        kept = self.events.get(job_id, {})
        found = next((at for at in sorted(kept) if leg.event and kept[at] == leg.event), None)
        if found is None:
            return self
        left = {at: name for at, name in kept.items() if at != found}
        text = self.results[job_id][f"event:{found.partition(':')[2]}"]
        tree = replace(self, events={**self.events, job_id: left})
        return tree.with_result(job_id, leg.call_id, text).woken(leg, message_id, now_ms)

    def told(self, job_id: str, fact: OutsideFact, message_id: str, now_ms: int) -> "Tree":
        """With a fact from outside, for whoever waits for it now or later."""
        # Before its call waits an outcome is kept apart: the call may still end otherwise, or be tried again.
        waits = any(leg.kind is LegKind.WAIT and leg.call_id == fact.call_id for leg in self.legs.values())
        kept = fact.call_id if waits else f"early:{fact.call_id}"
        tree = self.with_result(job_id, kept if fact.call_id else f"event:{fact.id}", fact.outcome)
        for leg in self.waits(job_id, now_ms):
            if fact.call_id and leg.call_id == fact.call_id:
                return tree.woken(leg, message_id, now_ms)
            # Where the clock that ended a wait is ahead of this one, the wait looks open, and is over.
            over = leg.call_id in tree.results[job_id]
            if not fact.call_id and leg.event == fact.event and not over:
                return tree.with_result(job_id, leg.call_id, fact.outcome).woken(leg, message_id, now_ms)
        if fact.call_id:
            return tree
        events = {**self.events.get(job_id, {}), f"{now_ms}:{fact.id}": fact.event}
        return replace(tree, events={**tree.events, job_id: events})

    def reported(self, call_id: str, outcome: str, message_id: str, now_ms: int) -> "Tree":
        """With the end of a child told to the call that started it."""
        parent_id = job_of_call(call_id)
        tree = self
        if parent_id not in tree.jobs:
            return tree
        if call_id not in tree.results.get(parent_id, {}):
            tree = tree.with_result(parent_id, call_id, outcome)
        for leg in tree.waits(parent_id, now_ms):
            if leg.call_id == call_id:
                tree = tree.woken(leg, message_id, now_ms)
        return tree.settled(parent_id, message_id, now_ms)

    def begun_again(self, job_id: str, forgets: Sequence[str]) -> "Tree":
        """With nothing left that an ended job had to say, and without the outcomes of the calls that run again."""
        legs = {key: leg for key, leg in self.legs.items() if leg.job_id != job_id}
        below = {name: spend for name, spend in self.below.items() if name != job_id}
        mine, gone = self.results.get(job_id, {}), set(forgets)
        kept = {name: text for name, text in mine.items() if name not in gone and not name.startswith("early:")}
        results = {**self.results, job_id: kept}
        return replace(self, legs=legs, below=below, results=results, expires_ms=0, tombstone=None)

    def skipping(self, skips: Sequence[Skip]) -> "Tree":
        """With these steps recorded as skipped."""
        tree = self
        for skip in skips:
            job_id, record = job_of_call(skip.record.id), skip.record
            calls = {**tree.calls.get(job_id, {}), record.id: record}
            parts = (*tree.parts.get(job_id, ()), *skip.parts)
            tree = replace(tree, calls={**tree.calls, job_id: calls}, parts={**tree.parts, job_id: parts})
            tree = tree.with_result(job_id, record.id, skip.result)
        return tree

    def admitted(self, job_id: str, message_id: str, now_ms: int) -> "Tree":
        """With the wish granted: this message hands on the work that waited for it; a sweep counts from now."""
        standing = self.standing(job_id)
        work = {
            leg.key: replace(leg, carrier=message_id, since_ms=now_ms)
            for leg in self.legs.values()
            if leg.job_id == job_id and leg.kind in WORK_KINDS and not self.blocked(leg)
        }
        granted = replace(standing, slot=standing.want == "slot")
        return replace(self, standings={**self.standings, job_id: granted}, legs={**self.legs, **work})

    def agrees(self, job_id: str, entry: Entry | None) -> bool:
        """Whether what the job wishes is what the admission knows, or still on its way there."""
        standing = self.standing(job_id)
        if wish_key(job_id, standing.lap) in self.legs:
            return entry is None or entry.lap <= standing.lap
        if entry is None:
            return standing.want == "gone"
        same = (entry.lap, entry.want) == (standing.lap, standing.want)
        return same and (entry.slot or not standing.slot)

    def said_ms(self, job_id: str) -> int:
        """When what the admission should know was last wished, or, by a job that has ended, told."""
        told_ms = self.usage[job_id].updated_ms if self.jobs[job_id].ended else 0
        return max(self.standing(job_id).lap, told_ms)

    def over(self) -> tuple[str, ...]:
        """The ended jobs that have nothing to say any more."""
        open_of = {leg.job_id for leg in self.legs.values()}
        return tuple(name for name in sorted(self.jobs) if self.jobs[name].ended and name not in open_of)

    def without_progress(
        self, job_id: str, entry: Entry | None, message_id: str, now_ms: int, lost_after_ms: int
    ) -> list[Leg]:
        """The job's legs that nobody has worked on or driven, carried by this message from now on."""
        standing = self.standing(job_id)
        same = entry is not None and (entry.lap, entry.want) == (standing.lap, standing.want)
        in_line = same and entry is not None and entry.want == "slot" and not entry.slot
        found: list[Leg] = []
        for leg in sorted(self.legs.values(), key=lambda leg: f"leg:{leg.key}"):
            waits = in_line if leg.kind is LegKind.WISH else self.gated(leg, now_ms) or self.held(leg)
            # A wish of which the book knows nothing was forgotten: a submission's witness must not come too soon.
            patience_ms = lost_after_ms / 2 if leg.kind is LegKind.WISH and entry is None else lost_after_ms
            # Who had lost its message may have failed to publish a timer: that one is published once more.
            due_ms = 0 if leg.handed_on and not leg.owner else leg.not_before_ms
            last_ms = max(leg.since_ms, due_ms, leg.lease_until_ms + lost_after_ms / 6 - patience_ms)
            if leg.job_id == job_id and not waits and (leg.carrier == message_id or now_ms - last_ms > patience_ms):
                again = bool(leg.owner) or (leg.carrier == message_id and leg.since_ms < now_ms)
                found.append(replace(leg, since_ms=now_ms, carrier=message_id, handed_on=again))
        return found


def _above(job_id: str) -> list[str]:
    """The ids of the jobs above this one, the nearest first."""
    names = job_id.split(".")
    return [".".join(names[:count]) for count in range(len(names) - 1, 0, -1)]
