"""Defects of what the store's scripts do: claims, COMMIT, what a message carries, what the sweep touches."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from msgspec.structs import replace

from events.core.effects import Changes
from events.core.legs import Leg, LegKind
from events.engine import operations
from events.ports import Begun, Claim, Committed, Created, Undelivered, Verdict
from functions import handing_on
from tests.fakes import FakeStore, Tree
from tests.simulation.planting import Defect, Patch, answering, constant

_Begin = Callable[[FakeStore, Claim], Any]
_Commit = Callable[..., Any]


def _legs_with(store: FakeStore, job_id: str, change: Callable[[dict[str, Leg]], dict[str, Leg]]) -> None:
    tree = store.tree(job_id)
    store.write(job_id, replace(tree, legs=change(dict(tree.legs))))


def _removing_at_begin(begin: _Begin) -> _Begin:
    async def removing(self: FakeStore, claim: Claim) -> Begun:
        begun: Begun = await begin(self, claim)
        if begun.state is not None:
            _kept(self)[claim.leg_key] = begun.state.leg
            _legs_with(self, claim.job_id, lambda legs: {k: leg for k, leg in legs.items() if k != claim.leg_key})
        return begun

    return removing


def _putting_back(commit: _Commit) -> _Commit:
    """Whoever commits had removed the leg, or never asked for it: in either case the COMMIT is taken."""

    async def putting_back(self: FakeStore, claim: Claim, changes: Changes, *rest: Any) -> Committed:
        leg = _kept(self).get(claim.leg_key)
        tree = self.tree(claim.job_id)
        if leg is not None and claim.leg_key not in tree.legs and not tree.jobs[claim.job_id].ended:
            _legs_with(self, claim.job_id, lambda legs: {**legs, claim.leg_key: leg})
        committed: Committed = await commit(self, claim, changes, *rest)
        return committed

    return putting_back


def _booking_nothing(commit: _Commit) -> _Commit:
    async def booking_nothing(self: FakeStore, claim: Claim, changes: Changes, *rest: Any) -> Committed:
        before = self.tree(claim.job_id).usage.get(claim.job_id)
        committed: Committed = await commit(self, claim, changes, *rest)
        tree = self.tree(claim.job_id)
        if committed.applied and before is not None and claim.job_id in tree.usage:
            usage = {**tree.usage, claim.job_id: replace(before, updated_ms=tree.usage[claim.job_id].updated_ms)}
            self.write(claim.job_id, replace(tree, usage=usage))
        return committed

    return booking_nothing


def _remembering(begin: _Begin) -> _Begin:
    async def remembering(self: FakeStore, claim: Claim) -> Begun:
        begun: Begun = await begin(self, claim)
        if begun.state is not None:
            _kept(self)[claim.leg_key] = begun.state.leg
        return begun

    return remembering


# Legs that the two defects above have seen, of each store: another world may have a leg of the same name.
_KEPT: WeakKeyDictionary[FakeStore, dict[str, Leg]] = WeakKeyDictionary()


def _kept(store: FakeStore) -> dict[str, Leg]:
    return _KEPT.setdefault(store, {})


def _counting_down(commit: _Commit) -> _Commit:
    counted_by: WeakKeyDictionary[FakeStore, Counter[str]] = WeakKeyDictionary()

    async def counting(self: FakeStore, claim: Claim, changes: Changes, *rest: Any) -> Committed:
        counted, join = counted_by.setdefault(self, Counter()), changes.join
        committed: Committed = await commit(self, claim, replace(changes, join=None), *rest)
        groups = [leg.group for leg in changes.legs if leg.kind is LegKind.CALL and leg.attempt == 1]
        if committed.applied:
            counted.update(groups)
        if join is None:
            return committed
        counted[join.group] -= 1
        if counted[join.group] == 0:
            leg = replace(join.leg, carrier=claim.message_id)
            _legs_with(self, claim.job_id, lambda legs: {**legs, leg.key: leg})
        return replace(committed, carried=self.tree(claim.job_id).carried(claim.message_id, claim.now_ms))

    return counting


def _overwriting(create: Callable[..., Any]) -> Callable[..., Any]:
    async def overwriting(self: FakeStore, changes: Changes, *rest: Any) -> Created:
        assert changes.job is not None, "a creation has a job"
        self.trees.pop(changes.job.id, None)
        created: Created = await create(self, changes, *rest)
        return created

    return overwriting


def _anybody_appends(append: Callable[..., Any]) -> Callable[..., Any]:
    async def anybody(self: FakeStore, claim: Claim, sequence: int, parts: Sequence[str], text_id: str = "") -> bool:
        leg = self.tree(claim.job_id).legs.get(claim.leg_key)
        owner = leg.owner if leg else ""
        appended: bool = await append(self, replace(claim, owner=owner), sequence, parts, text_id)
        return appended

    return anybody


def _appended_again(append: Callable[..., Any]) -> Callable[..., Any]:
    async def again(self: FakeStore, claim: Claim, _sequence: int, parts: Sequence[str], text_id: str = "") -> bool:
        appended: bool = await append(self, claim, 1_000_000, parts, text_id)
        if claim.leg_key in self.tree(claim.job_id).legs:
            _legs_with(
                self, claim.job_id, lambda legs: {**legs, claim.leg_key: replace(legs[claim.leg_key], appended=0)}
            )
        return appended

    return again


def _changes_with(change: Callable[[Changes], Changes]) -> Patch:
    def make(changed: Callable[..., Any]) -> Callable[..., Any]:
        def doing(tree: Tree, job_id: str, message_id: str, changes: Changes, *rest: Any) -> Tree:
            after: Tree = changed(tree, job_id, message_id, change(changes), *rest)
            return after

        return doing

    return Patch(operations, "_changed", make)


def _expiring(changed: Callable[..., Any]) -> Callable[..., Any]:
    def expiring(*arguments: Any) -> Tree:
        after: Tree = changed(*arguments)
        return replace(after, expires_ms=1)

    return expiring


def _looking_at_all(_original: Any) -> Any:
    def all_of_them(
        self: Tree, job_id: str, _entry: Any, message_id: str, now_ms: int, _lost_after_ms: int
    ) -> list[Leg]:
        legs = [leg for leg in self.legs.values() if leg.job_id == job_id and not self.gated(leg, now_ms)]
        return [replace(leg, since_ms=now_ms, carrier=message_id) for leg in legs]

    return all_of_them


def _without_timer(begin: _Begin) -> _Begin:
    async def at_once(self: FakeStore, claim: Claim) -> Begun:
        if claim.leg_key in self.tree(claim.job_id).legs:
            _legs_with(
                self, claim.job_id, lambda legs: {**legs, claim.leg_key: replace(legs[claim.leg_key], not_before_ms=0)}
            )
        begun: Begun = await begin(self, claim)
        return begun

    return at_once


def _at_once(delivery: Callable[..., Any]) -> Callable[..., Any]:
    return lambda event, _not_before_ms, drive: delivery(event, 0, drive)


def _endless_lease(begin: _Begin) -> _Begin:
    async def endless(self: FakeStore, claim: Claim) -> Begun:
        begun: Begun = await begin(self, replace(claim, lease_until_ms=claim.lease_until_ms + 10**9))
        return begun

    return endless


def _all_legs(_original: Any) -> Any:
    def everything(self: Tree, _message_id: str, now_ms: int, but: str = "") -> tuple[Leg, ...]:
        return tuple(leg for leg in self.legs.values() if leg.key != but and not self.gated(leg, now_ms))

    return everything


def _silent(verdicts: set[Verdict]) -> Patch:
    return answering(
        FakeStore, "begin", lambda begun, *_: replace(begun, carried=()) if begun.verdict in verdicts else begun
    )


DEFECTS = (
    Defect(
        "a leg is removed at BEGIN",
        "a_live_job_has_a_leg",
        (Patch(FakeStore, "begin", _removing_at_begin), Patch(FakeStore, "commit", _putting_back)),
    ),
    Defect(
        "a second COMMIT is accepted",
        "a_leg_is_committed_once",
        (Patch(FakeStore, "begin", _remembering), Patch(FakeStore, "commit", _putting_back)),
    ),
    Defect(
        "a refused COMMIT hands nothing on",
        "every_leg_is_guaranteed",
        (answering(FakeStore, "commit", lambda done, *_: done if done.applied else replace(done, carried=())),),
    ),
    Defect(
        "a message whose event was applied hands nothing on", "every_leg_is_guaranteed", (_silent({Verdict.APPLIED}),)
    ),
    Defect("a message hands on its siblings' legs, too", "messages_are_few", (Patch(Tree, "carried", _all_legs),)),
    Defect(
        "a join is counted down instead of computed",
        "a_live_job_has_a_leg",
        (Patch(FakeStore, "commit", _counting_down),),
    ),
    Defect(
        "a creation overwrites the job that is there", "books_only_grow", (Patch(FakeStore, "create", _overwriting),)
    ),
    Defect("a COMMIT does not keep what was spent", "books_only_grow", (Patch(FakeStore, "commit", _booking_nothing),)),
    Defect(
        "anybody may append parts in mid-work",
        "parts_come_from_live_attempts",
        (Patch(FakeStore, "append", _anybody_appends),),
    ),
    Defect(
        "an append that is repeated is applied again",
        "parts_come_from_live_attempts",
        (Patch(FakeStore, "append", _appended_again),),
    ),
    Defect(
        "an end leaves the job's legs",
        "a_live_job_has_a_leg",
        (_changes_with(lambda changes: replace(changes, ends=False)),),
    ),
    Defect(
        "parts are written twice",
        "one_entry_for_each_handled_event",
        (_changes_with(lambda c: replace(c, parts=(*c.parts, *c.parts))),),
    ),
    Defect(
        "results are not written",
        "calls_end_as_the_script_says",
        (_changes_with(lambda changes: replace(changes, results={})),),
    ),
    Defect("a live job expires", "a_live_job_does_not_expire", (Patch(operations, "_changed", _expiring),)),
    Defect(
        "a sweep drives live leases and future timers",
        "a_sweep_drives_only_what_is_lost",
        (Patch(Tree, "without_progress", _looking_at_all),),
    ),
    Defect("a sweep finds nothing", "nothing_is_left_to_a_sweep", (constant(Tree, "without_progress", []),)),
    Defect(
        "a retry does not wait",
        "no_leg_begins_early",
        (Patch(FakeStore, "begin", _without_timer), Patch(handing_on, "delivery", _at_once)),
    ),
    Defect(
        "a message before its time publishes itself without a delay",
        "the_world_comes_to_rest",
        (Patch(handing_on, "delivery", _at_once),),
    ),
    Defect("a lease never ends", "every_step_goes_on", (Patch(FakeStore, "begin", _endless_lease),)),
    Defect("work needs no slot", "work_begins_with_a_slot", (constant(Tree, "gated", False),)),
    Defect(
        "what an undelivered message carried is forgotten",
        "every_leg_is_guaranteed",
        (answering(FakeStore, "undelivered", lambda found, *_: Undelivered(found.state, (), found.session_id)),),
    ),
)
