"""Defects of waits, caught in worlds whose jobs wait."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from msgspec import structs

from baton.commands.backup import Backup
from baton.engine import tool_call
from baton.engine import waits as waiting
from baton.engine.all_jobs.slots import Taken
from baton.engine.commit import operations
from baton.engine.commit import tree as rule_of_trees
from baton.engine.commit.answers import Claim, ClaimResult, Signal, SignalAnswer, SignalResult
from baton.engine.effects import Decision
from baton.engine.work_items import ItemKind, WorkItem
from baton.runtime import invocation
from baton.sdk.records import FOREVER_MS
from baton.storage.in_memory import admission as slot_table_in_memory
from baton_events.schema import Completion, Occurrence
from tests.fakes import Tree
from tests.simulation.invocation import CURRENT
from tests.simulation.planting import Patch, answering_step, constant, idle, in_waiting_worlds, replaced

_Signal = Callable[[Tree, str, Signal, str, int], Tree]


def _open_waits(tree: Tree, job_id: str) -> list[WorkItem]:
    return [item for item in tree.items.values() if item.kind is ItemKind.WAIT and item.job_id == job_id]


def _dropping_early_outcomes(found: _Signal) -> _Signal:
    def dropping(self: Tree, job_id: str, signal: Signal, *rest: Any) -> Tree:
        waits = any(item.call_id == signal.call_id for item in _open_waits(self, job_id))
        return found(self, job_id, signal, *rest) if waits or not signal.call_id else self

    return dropping


def _result_at_once(found: _Signal) -> _Signal:
    def at_once(self: Tree, job_id: str, signal: Signal, *rest: Any) -> Tree:
        tree = found(self, job_id, signal, *rest)
        return tree.with_result(job_id, signal.call_id, signal.outcome) if signal.call_id else tree

    return at_once


def _losing_events(found: _Signal) -> _Signal:
    def losing(self: Tree, *rest: Any) -> Tree:
        return structs.replace(found(self, *rest), events=self.events)

    return losing


def _waking_all(found: _Signal) -> _Signal:
    """An event ends each wait for it."""

    def waking(self: Tree, job_id: str, signal: Signal, message_id: str, now_ms: int) -> Tree:
        tree = found(self, job_id, signal, message_id, now_ms)
        for item in tree.waits(job_id, now_ms):
            if signal.event and item.event == signal.event:
                tree = tree.with_result(job_id, item.call_id, signal.outcome).woken(item, message_id, now_ms)
        return tree

    return waking


def _waking_others(found: _Signal) -> _Signal:
    """Whatever comes ends all waits of the job."""

    def waking(self: Tree, job_id: str, signal: Signal, message_id: str, now_ms: int) -> Tree:
        tree = found(self, job_id, signal, message_id, now_ms)
        for item in tree.waits(job_id, now_ms):
            tree = tree.woken(item, message_id, now_ms)
        return tree

    return waking


def _as_it_was(self: Tree, *_arguments: Any) -> Tree:
    return self


def _answered_by_no_event(answered_early: Callable[..., Tree]) -> Callable[..., Tree]:
    def answered(self: Tree, item: WorkItem, *rest: Any) -> Tree:
        return answered_early(self, structs.replace(item, event=""), *rest)

    return answered


def _last_wins(tell: Callable[..., Any]) -> Callable[..., Any]:
    def last_wins(tree: Tree, job_id: str, message_id: str, signal: Signal, *rest: Any) -> tuple[Tree, SignalAnswer]:
        tree, found = tell(tree, job_id, message_id, signal, *rest)
        if found.signal_result is SignalResult.OTHER and signal.call_id in tree.results[job_id]:
            tree = tree.with_result(job_id, signal.call_id, signal.outcome)
        return tree, found

    return last_wins


def _deaf_backup(tell: Callable[..., Any]) -> Callable[..., Any]:
    def deaf(
        tree: Tree, job_id: str, message: str, signal: Signal, now_ms: int, *rest: Any
    ) -> tuple[Tree, SignalAnswer]:
        if CURRENT.get().kind == "witness" and signal.call_id and job_id in tree.jobs:
            return tree, SignalAnswer(SignalResult.OTHER, tree.jobs[job_id], tree.pending(message, now_ms))
        tree, found = tell(tree, job_id, message, signal, now_ms, *rest)
        return tree, found

    return deaf


def _knowing_its_calls(tell: Callable[..., Any]) -> Callable[..., Any]:
    """A failover forgot the call that an outcome is of: it is told later, which may be too late."""

    def found(tree: Tree, job_id: str, message: str, signal: Signal, *rest: Any) -> tuple[Tree, SignalAnswer]:
        if signal.call_id and signal.call_id not in tree.calls.get(job_id, {}):
            return tree, SignalAnswer(SignalResult.UNKNOWN)
        tree, received = tell(tree, job_id, message, signal, *rest)
        return tree, received

    return found


def _timing_out(begin: Callable[..., Any]) -> Callable[..., Any]:
    def timing_out(tree: Tree, claim: Claim) -> tuple[Tree, ClaimResult]:
        tree, claim_result = begin(tree, claim)
        if (
            claim_result.state is None
            or claim_result.state.item.kind is not ItemKind.WAIT
            or not claim_result.state.item.timeout_result
        ):
            return tree, claim_result
        outcome = claim_result.state.item.timeout_result
        tree = tree.with_result(claim.job_id, claim_result.state.item.call_id, outcome)
        return tree, structs.replace(claim_result, state=structs.replace(claim_result.state, outcome=outcome))

    return timing_out


def _beginning_early(begin: Callable[..., Any]) -> Callable[..., Any]:
    def early(tree: Tree, claim: Claim) -> tuple[Tree, ClaimResult]:
        item = tree.items.get(claim.item_key)
        if item is not None and item.kind is ItemKind.WAIT and claim.now_ms < item.not_before_ms < FOREVER_MS:
            items = {**tree.items, item.key: structs.replace(item, not_before_ms=claim.now_ms)}
            tree = structs.replace(tree, items=items)
        tree, claim_result = begin(tree, claim)
        return tree, claim_result

    return early


def _keeping_its_slot(wanted: Callable[..., Any]) -> Callable[..., Any]:
    def keeping(slot_state: Any, items: Any, **rest: Any) -> Any:
        want = wanted(slot_state, items, **rest)
        return "slot" if want == "none" and slot_state.want == "slot" else want

    return keeping


def _taking_nothing_back(take: Callable[..., Taken]) -> Callable[..., Taken]:
    def keeping(slot_table: Any, job_id: str, slot_state: Any, *rest: Any, **named: Any) -> Taken:
        taken = take(slot_table, job_id, slot_state, *rest, **named)
        before, entry = slot_table.get(job_id), taken.slot_table[job_id]
        if slot_state.want != "none" or before is None or not before.slot:
            return taken
        return structs.replace(taken, slot_table={**taken.slot_table, job_id: structs.replace(entry, slot=True)})

    return keeping


def _without_timers(pending: Callable[..., Any]) -> Callable[..., Any]:
    def without(self: Tree, *rest: Any) -> Any:
        return tuple(item for item in pending(self, *rest) if item.kind is not ItemKind.WAIT or not item.not_before_ms)

    return without


def _unwitnessed(send: Callable[..., Any]) -> Callable[..., Any]:
    async def unwitnessed(self: Backup) -> str:
        if isinstance(self.command, Completion | Occurrence):
            return "nobody"
        message_id: str = await send(self)
        return message_id

    return unwitnessed


def _refusing_repeats(found: SignalAnswer, *_arguments: Any) -> SignalAnswer:
    return replace(found, signal_result=SignalResult.OTHER) if found.signal_result is SignalResult.AGAIN else found


def _nothing_in_time(waits: Callable[..., Decision]) -> Callable[..., Decision]:
    return lambda state, step_result, now_ms: waits(
        state, structs.replace(step_result, timeout_result='{"ok":null}'), now_ms
    )


DEFECTS = (
    in_waiting_worlds(
        "an outcome before its wait is dropped",
        "what_was_taken_in_is_kept",
        Patch(Tree, "signalled", _dropping_early_outcomes),
    ),
    in_waiting_worlds(
        "an outcome before its wait does not end it",
        "nobody_waits_for_what_has_come",
        replaced(Tree, "answered_early", _as_it_was),
    ),
    in_waiting_worlds(
        "an outcome before its wait is the call's at once",
        "a_result_stays",
        Patch(Tree, "signalled", _result_at_once),
    ),
    in_waiting_worlds("the last outcome wins", "a_result_stays", Patch(operations, "signal", _last_wins)),
    in_waiting_worlds("a time-out overwrites an outcome", "a_result_stays", Patch(operations, "claim", _timing_out)),
    in_waiting_worlds(
        "an event ends two waits", "an_event_ends_at_most_one_wait", Patch(Tree, "signalled", _waking_all)
    ),
    in_waiting_worlds(
        "an event before its wait is lost", "what_was_taken_in_is_kept", Patch(Tree, "signalled", _losing_events)
    ),
    in_waiting_worlds(
        "an event that is kept ends no wait",
        "nobody_waits_for_what_has_come",
        Patch(Tree, "answered_early", _answered_by_no_event),
    ),
    in_waiting_worlds(
        "whatever comes ends all waits of a job", "no_wait_ends_early", Patch(Tree, "signalled", _waking_others)
    ),
    in_waiting_worlds(
        "a waiting job requests to keep its slot",
        "who_only_waits_wants_no_slot",
        Patch(rule_of_trees, "wanted", _keeping_its_slot),
    ),
    in_waiting_worlds(
        "a waiting job keeps its slot",
        "who_wants_no_slot_holds_none",
        Patch(slot_table_in_memory, "take", _taking_nothing_back),
    ),
    in_waiting_worlds(
        "a timer on its way ends its wait", "no_item_begins_early", Patch(operations, "claim", _beginning_early)
    ),
    in_waiting_worlds(
        "a wait's timer is not dispatched", "every_item_is_guaranteed", Patch(Tree, "pending", _without_timers)
    ),
    in_waiting_worlds(
        "an outcome from outside has no backup message",
        "every_item_is_guaranteed",
        Patch(Backup, "_send", _unwitnessed),
    ),
    in_waiting_worlds(
        "the backup message of an outcome does not tell it again",
        "what_counted_is_not_lost",
        Patch(operations, "signal", _deaf_backup),
    ),
    in_waiting_worlds(
        "an outcome of a forgotten call is not kept",
        "what_counted_is_not_lost",
        Patch(operations, "signal", _knowing_its_calls),
    ),
    in_waiting_worlds(
        "a refused outcome keeps its backup message",
        "what_is_refused_leaves_no_backup",
        idle(Backup, "not_needed"),
    ),
    in_waiting_worlds(
        "an outcome that is told again is refused",
        "what_is_refused_does_not_count",
        answering_step("signal", _refusing_repeats),
    ),
    in_waiting_worlds(
        "a time-out is no outcome", "what_ends_a_wait_was_sent", Patch(tool_call, "waits", _nothing_in_time)
    ),
    in_waiting_worlds(
        "a waiting job does not say for what",
        "what_it_waits_for_is_the_truth",
        constant(waiting, "_wait", "something to happen"),
    ),
    in_waiting_worlds(
        "each slot dispatches again what is to come later",
        "messages_are_few",
        constant(invocation.Dispatched, "is_under_way", answer=False),
    ),
    in_waiting_worlds(
        "a turn counts that was told a forgotten result",
        "a_job_ends_as_its_script_says",
        constant(operations, "is_anew", answer=False),
    ),
)
