"""Defects of waits, caught in worlds whose jobs wait."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from msgspec import structs

from baton.commands import acceptance
from baton.core import calls, waiting
from baton.core.admission import Taken
from baton.core.effects import Decision
from baton.core.legs import FOREVER_MS, Leg, LegKind
from baton.engine import operations
from baton.engine import tree as rule_of_trees
from baton.in_memory import admission as book_in_memory
from baton.ports import Begun, Claim, Heeded, Outside, OutsideFact
from baton.runtime import handed_on
from baton_events.schema import Completion, Occurrence
from tests.fakes import Tree
from tests.simulation.invocation import CURRENT
from tests.simulation.planting import Patch, answering_step, constant, idle, in_waiting_worlds, replaced

_Told = Callable[[Tree, str, OutsideFact, str, int], Tree]


def _open_waits(tree: Tree, job_id: str) -> list[Leg]:
    return [leg for leg in tree.legs.values() if leg.kind is LegKind.WAIT and leg.job_id == job_id]


def _dropping_early_outcomes(told: _Told) -> _Told:
    def dropping(self: Tree, job_id: str, fact: OutsideFact, *rest: Any) -> Tree:
        waits = any(leg.call_id == fact.call_id for leg in _open_waits(self, job_id))
        return told(self, job_id, fact, *rest) if waits or not fact.call_id else self

    return dropping


def _result_at_once(told: _Told) -> _Told:
    def at_once(self: Tree, job_id: str, fact: OutsideFact, *rest: Any) -> Tree:
        tree = told(self, job_id, fact, *rest)
        return tree.with_result(job_id, fact.call_id, fact.outcome) if fact.call_id else tree

    return at_once


def _losing_events(told: _Told) -> _Told:
    def losing(self: Tree, *rest: Any) -> Tree:
        return structs.replace(told(self, *rest), events=self.events)

    return losing


def _waking_all(told: _Told) -> _Told:
    """An event ends each wait for it."""

    def waking(self: Tree, job_id: str, fact: OutsideFact, message_id: str, now_ms: int) -> Tree:
        tree = told(self, job_id, fact, message_id, now_ms)
        for leg in tree.waits(job_id, now_ms):
            if fact.event and leg.event == fact.event:
                tree = tree.with_result(job_id, leg.call_id, fact.outcome).woken(leg, message_id, now_ms)
        return tree

    return waking


def _waking_others(told: _Told) -> _Told:
    """Whatever comes ends all waits of the job."""

    def waking(self: Tree, job_id: str, fact: OutsideFact, message_id: str, now_ms: int) -> Tree:
        tree = told(self, job_id, fact, message_id, now_ms)
        for leg in tree.waits(job_id, now_ms):
            tree = tree.woken(leg, message_id, now_ms)
        return tree

    return waking


def _as_it_was(self: Tree, *_arguments: Any) -> Tree:
    return self


def _answered_by_no_event(answered_early: Callable[..., Tree]) -> Callable[..., Tree]:
    def answered(self: Tree, leg: Leg, *rest: Any) -> Tree:
        return answered_early(self, structs.replace(leg, event=""), *rest)

    return answered


def _last_wins(tell: Callable[..., Any]) -> Callable[..., Any]:
    def last_wins(tree: Tree, job_id: str, message_id: str, fact: OutsideFact, *rest: Any) -> tuple[Tree, Outside]:
        tree, told = tell(tree, job_id, message_id, fact, *rest)
        if told.heeded is Heeded.OTHER and fact.call_id in tree.results[job_id]:
            tree = tree.with_result(job_id, fact.call_id, fact.outcome)
        return tree, told

    return last_wins


def _deaf_witness(tell: Callable[..., Any]) -> Callable[..., Any]:
    def deaf(tree: Tree, job_id: str, message: str, fact: OutsideFact, now_ms: int, *rest: Any) -> tuple[Tree, Outside]:
        if CURRENT.get().kind == "witness" and fact.call_id and job_id in tree.jobs:
            return tree, Outside(Heeded.OTHER, tree.jobs[job_id], tree.carried(message, now_ms))
        tree, told = tell(tree, job_id, message, fact, now_ms, *rest)
        return tree, told

    return deaf


def _knowing_its_calls(tell: Callable[..., Any]) -> Callable[..., Any]:
    """A failover forgot the call that an outcome is of: it is told later, which may be too late."""

    def told(tree: Tree, job_id: str, message: str, fact: OutsideFact, *rest: Any) -> tuple[Tree, Outside]:
        if fact.call_id and fact.call_id not in tree.calls.get(job_id, {}):
            return tree, Outside(Heeded.UNKNOWN)
        tree, heard = tell(tree, job_id, message, fact, *rest)
        return tree, heard

    return told


def _timing_out(begin: Callable[..., Any]) -> Callable[..., Any]:
    def timing_out(tree: Tree, claim: Claim) -> tuple[Tree, Begun]:
        tree, begun = begin(tree, claim)
        if begun.state is None or begun.state.leg.kind is not LegKind.WAIT or not begun.state.leg.otherwise:
            return tree, begun
        outcome = begun.state.leg.otherwise
        tree = tree.with_result(claim.job_id, begun.state.leg.call_id, outcome)
        return tree, structs.replace(begun, state=structs.replace(begun.state, outcome=outcome))

    return timing_out


def _beginning_early(begin: Callable[..., Any]) -> Callable[..., Any]:
    def early(tree: Tree, claim: Claim) -> tuple[Tree, Begun]:
        leg = tree.legs.get(claim.leg_key)
        if leg is not None and leg.kind is LegKind.WAIT and claim.now_ms < leg.not_before_ms < FOREVER_MS:
            legs = {**tree.legs, leg.key: structs.replace(leg, not_before_ms=claim.now_ms)}
            tree = structs.replace(tree, legs=legs)
        tree, begun = begin(tree, claim)
        return tree, begun

    return early


def _keeping_its_slot(wanted: Callable[..., Any]) -> Callable[..., Any]:
    def keeping(standing: Any, legs: Any, **rest: Any) -> Any:
        want = wanted(standing, legs, **rest)
        return "slot" if want == "none" and standing.want == "slot" else want

    return keeping


def _taking_nothing_back(take: Callable[..., Taken]) -> Callable[..., Taken]:
    def keeping(book: Any, job_id: str, standing: Any, *rest: Any, **named: Any) -> Taken:
        taken = take(book, job_id, standing, *rest, **named)
        before, entry = book.get(job_id), taken.book[job_id]
        if standing.want != "none" or before is None or not before.slot:
            return taken
        return structs.replace(taken, book={**taken.book, job_id: structs.replace(entry, slot=True)})

    return keeping


def _without_timers(carried: Callable[..., Any]) -> Callable[..., Any]:
    def without(self: Tree, *rest: Any) -> Any:
        return tuple(leg for leg in carried(self, *rest) if leg.kind is not LegKind.WAIT or not leg.not_before_ms)

    return without


def _unwitnessed(witness: Callable[..., Any]) -> Callable[..., Any]:
    async def unwitnessed(self: acceptance.Acceptance, job_id: str, session_id: str, fact: Any, *rest: Any) -> str:
        if isinstance(fact, Completion | Occurrence):
            return "nobody"
        told: str = await witness(self, job_id, session_id, fact, *rest)
        return told

    return unwitnessed


def _refusing_repeats(told: Outside, *_arguments: Any) -> Outside:
    return replace(told, heeded=Heeded.OTHER) if told.heeded is Heeded.AGAIN else told


def _nothing_in_time(waits: Callable[..., Decision]) -> Callable[..., Decision]:
    return lambda state, happened, now_ms: waits(state, structs.replace(happened, otherwise='{"ok":null}'), now_ms)


DEFECTS = (
    in_waiting_worlds(
        "an outcome before its wait is dropped",
        "what_was_taken_in_is_kept",
        Patch(Tree, "told", _dropping_early_outcomes),
    ),
    in_waiting_worlds(
        "an outcome before its wait does not end it",
        "nobody_waits_for_what_has_come",
        replaced(Tree, "answered_early", _as_it_was),
    ),
    in_waiting_worlds(
        "an outcome before its wait is the call's at once",
        "a_result_stays",
        Patch(Tree, "told", _result_at_once),
    ),
    in_waiting_worlds("the last outcome wins", "a_result_stays", Patch(operations, "tell", _last_wins)),
    in_waiting_worlds("a time-out overwrites an outcome", "a_result_stays", Patch(operations, "begin", _timing_out)),
    in_waiting_worlds("an event ends two waits", "an_event_ends_at_most_one_wait", Patch(Tree, "told", _waking_all)),
    in_waiting_worlds(
        "an event before its wait is lost", "what_was_taken_in_is_kept", Patch(Tree, "told", _losing_events)
    ),
    in_waiting_worlds(
        "an event that is kept ends no wait",
        "nobody_waits_for_what_has_come",
        Patch(Tree, "answered_early", _answered_by_no_event),
    ),
    in_waiting_worlds(
        "whatever comes ends all waits of a job", "no_wait_ends_early", Patch(Tree, "told", _waking_others)
    ),
    in_waiting_worlds(
        "a waiting job wishes to keep its slot",
        "who_only_waits_wants_no_slot",
        Patch(rule_of_trees, "wanted", _keeping_its_slot),
    ),
    in_waiting_worlds(
        "a waiting job keeps its slot",
        "who_wants_no_slot_holds_none",
        Patch(book_in_memory, "take", _taking_nothing_back),
    ),
    in_waiting_worlds(
        "a timer on its way ends its wait", "no_leg_begins_early", Patch(operations, "begin", _beginning_early)
    ),
    in_waiting_worlds(
        "a wait's timer is not handed on", "every_leg_is_guaranteed", Patch(Tree, "carried", _without_timers)
    ),
    in_waiting_worlds(
        "an outcome from outside has no witness",
        "every_leg_is_guaranteed",
        Patch(acceptance.Acceptance, "_witness", _unwitnessed),
    ),
    in_waiting_worlds(
        "the witness of an outcome does not tell it again",
        "what_counted_is_not_lost",
        Patch(operations, "tell", _deaf_witness),
    ),
    in_waiting_worlds(
        "an outcome of a forgotten call is not kept",
        "what_counted_is_not_lost",
        Patch(operations, "tell", _knowing_its_calls),
    ),
    in_waiting_worlds(
        "a refused outcome keeps its witness",
        "what_is_refused_leaves_no_witness",
        idle(acceptance.Acceptance, "_not_needed"),
    ),
    in_waiting_worlds(
        "an outcome that is told again is refused",
        "what_is_refused_does_not_count",
        answering_step("tell", _refusing_repeats),
    ),
    in_waiting_worlds("a time-out is no outcome", "what_ends_a_wait_was_said", Patch(calls, "waits", _nothing_in_time)),
    in_waiting_worlds(
        "a waiting job does not say for what",
        "what_it_waits_for_is_the_truth",
        constant(waiting, "_wait", "something to happen"),
    ),
    in_waiting_worlds(
        "each slot hands on again what is to come later",
        "messages_are_few",
        constant(handed_on.HandedOn, "is_under_way", answer=False),
    ),
    in_waiting_worlds(
        "a turn counts that was told a forgotten result",
        "a_job_ends_as_its_script_says",
        constant(operations, "is_anew", answer=False),
    ),
)
