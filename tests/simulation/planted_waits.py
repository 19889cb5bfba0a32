"""Defects of waits and of child jobs, caught in worlds whose jobs wait."""

import dataclasses
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from baton.engine import tool_call
from baton.engine import waits as waiting
from baton.engine.commit import draft as drafts
from baton.engine.commit import operations
from baton.engine.commit.answers import Claim, ClaimResult, Signal, SignalAnswer, SignalResult
from baton.engine.commit.draft import Draft
from baton.engine.commit.tree import Tree
from baton.engine.effects import Changes, Decision
from baton.engine.work_items import ItemKind
from baton.sdk.records.transcript import FOREVER_MS
from baton.store.redis import semaphore
from baton.worker.commands.backup import Backup
from baton.worker.executors import started_jobs
from baton.worker.recovery import sweep
from baton.worker.runtime import invocation
from baton_events.ids import job_of_call
from baton_events.schema import Completion, Occurrence
from tests.simulation import plan
from tests.simulation.invocation import CURRENT
from tests.simulation.planting import answering_step, around, constant, defects, given, idle, in_script, replaced

_Call = Callable[..., Any]
_Signal = Callable[..., None]


def _dropping_early_outcomes(take: _Signal, self: Draft, job_id: str, signal: Signal, *rest: Any) -> None:
    waits = any(
        item.call_id == signal.call_id
        for item in self.items.values()
        if item.kind is ItemKind.WAIT and item.job_id == job_id
    )
    if waits or not signal.call_id:
        take(self, job_id, signal, *rest)


def _result_at_once(take: _Signal, self: Draft, job_id: str, signal: Signal, *rest: Any) -> None:
    take(self, job_id, signal, *rest)
    if signal.call_id:
        self.put_results(job_id, {signal.call_id: signal.outcome})


def _losing_events(take: _Signal, self: Draft, *rest: Any) -> None:
    before = self.events
    take(self, *rest)
    if self.events is not before:
        self.events = before
        for name in [name for name in self.fields if name.startswith("event:")]:
            del self.fields[name]


def _waking_all(take: _Signal, self: Draft, job_id: str, signal: Signal, message_id: str, now_ms: int) -> None:
    """An event ends each wait for it."""
    take(self, job_id, signal, message_id, now_ms)
    for item in self.waits(job_id, now_ms):
        if signal.event and item.event == signal.event:
            self.put_results(job_id, {item.call_id: signal.outcome})
            self.wake(item, message_id, now_ms)


def _waking_others(take: _Signal, self: Draft, job_id: str, signal: Signal, message_id: str, now_ms: int) -> None:
    """Whatever comes ends all waits of the job."""
    take(self, job_id, signal, message_id, now_ms)
    for item in self.waits(job_id, now_ms):
        self.wake(item, message_id, now_ms)


def _last_wins(tell: _Call, draft: Draft, job_id: str, message_id: str, signal: Signal, *rest: Any) -> Any:
    found = tell(draft, job_id, message_id, signal, *rest)
    if found.signal_result is SignalResult.OTHER and signal.call_id in draft.results[job_id]:
        draft.put_results(job_id, {signal.call_id: signal.outcome})
    return found


def _deaf_backup(tell: _Call, draft: Draft, job_id: str, message: str, signal: Signal, now_ms: int, *rest: Any) -> Any:
    if CURRENT.get().kind == "witness" and signal.call_id and job_id in draft.jobs:
        return SignalAnswer(SignalResult.OTHER, draft.jobs[job_id], draft.pending(message, now_ms))
    return tell(draft, job_id, message, signal, now_ms, *rest)


def _knowing_its_calls(tell: _Call, draft: Draft, job_id: str, message: str, signal: Signal, *rest: Any) -> Any:
    """A failover forgot the call that an outcome is of: it is told later, which may be too late."""
    if signal.call_id and signal.call_id not in draft.calls.get(job_id, {}):
        return SignalAnswer(SignalResult.UNKNOWN)
    return tell(draft, job_id, message, signal, *rest)


def _timing_out(begin: _Call, draft: Draft, claim: Claim) -> ClaimResult:
    claim_result: ClaimResult = begin(draft, claim)
    state = claim_result.state
    if state is None or state.item.kind is not ItemKind.WAIT or not state.item.timeout_result:
        return claim_result
    outcome = state.item.timeout_result
    draft.put_results(claim.job_id, {state.item.call_id: outcome})
    return replace(claim_result, state=replace(state, outcome=outcome))


def _beginning_early(begin: _Call, draft: Draft, claim: Claim) -> Any:
    item = draft.items.get(claim.item_key)
    if item is not None and item.kind is ItemKind.WAIT and claim.now_ms < item.not_before_ms < FOREVER_MS:
        draft.put_items(replace(item, not_before_ms=claim.now_ms))
    return begin(draft, claim)


def _keeping_its_slot(wanted: _Call, slot_state: Any, items: Any, **rest: Any) -> Any:
    want = wanted(slot_state, items, **rest)
    return "slot" if want == "none" and slot_state.want == "slot" else want


def _without_timers(pending: _Call, self: Tree, *rest: Any) -> Any:
    return tuple(item for item in pending(self, *rest) if item.kind is not ItemKind.WAIT or not item.not_before_ms)


async def _without_backup(send: _Call, self: Backup) -> Any:
    return "nobody" if isinstance(self.command, Completion | Occurrence) else await send(self)


def _refusing_repeats(found: SignalAnswer, *_arguments: Any) -> SignalAnswer:
    again = found.signal_result is SignalResult.AGAIN
    return dataclasses.replace(found, signal_result=SignalResult.OTHER) if again else found


def _recorded_only(self: Draft, call_id: str, outcome: str, _message_id: str, _now_ms: int) -> None:
    self.put_results(job_of_call(call_id), {call_id: outcome})


def _requesting_no_slot(end_jobs: _Call, draft: Draft, *rest: Any) -> None:
    before, slot_states = draft.items, draft.slot_states
    end_jobs(draft, *rest)
    new = draft.items.keys() - before.keys()
    draft.drop_items(*[key for key in new if draft.items[key].kind is ItemKind.SLOT_REQUEST])
    draft.slot_states = slot_states
    for name in [name for name in draft.fields if name.startswith("slot_state:")]:
        del draft.fields[name]


def _starting_again(commit: _Call, draft: Draft, claim: Claim, changes: Changes, *rest: Any) -> Any:
    committed = commit(draft, claim, changes, *rest)
    child = changes.child
    if not committed.applied and child and child.job and child.job.id in draft.jobs:
        draft.put_items(*[replace(item, relay_id=claim.message_id) for item in child.items])
        draft.put_job(child.job)
    return committed


def _nameless(waits: Callable[..., Decision], *arguments: Any) -> Decision:
    changes = waits(*arguments).changes
    assert changes is not None, "a wait is recorded"
    return Decision(replace(changes, calls=tuple(replace(call, child="") for call in changes.calls)))


_WAITS = defects(
    plan.WAITING_SEEDS,
    what_was_taken_in_is_kept={
        "an outcome before its wait is dropped": around(Draft, "take_signal", _dropping_early_outcomes),
        "an event before its wait is lost": around(Draft, "take_signal", _losing_events),
    },
    nobody_waits_for_what_has_come={
        "an outcome before its wait does not end it": constant(Draft, "answer_early", None),
        "an event that is kept ends no wait": given(Draft, "answer_early", 1, event=""),
        "a child's end wakes nobody": replaced(Draft, "report", _recorded_only),
    },
    a_result_stays={
        "an outcome before its wait is the call's at once": around(Draft, "take_signal", _result_at_once),
        "the last outcome wins": around(operations, "signal", _last_wins),
        "a time-out overwrites an outcome": around(operations, "claim", _timing_out),
    },
    an_event_ends_at_most_one_wait={"an event ends two waits": around(Draft, "take_signal", _waking_all)},
    no_wait_ends_early={"whatever comes ends all waits of a job": around(Draft, "take_signal", _waking_others)},
    who_only_waits_wants_no_slot={
        "a waiting job requests to keep its slot": around(drafts, "wanted", _keeping_its_slot)
    },
    who_wants_no_slot_holds_none={
        "a waiting job keeps its slot": in_script(("r.held and r.state == 'asks'", "r.held and r.state ~= 'out'"))
    },
    no_item_begins_early={"a timer on its way ends its wait": around(operations, "claim", _beginning_early)},
    every_item_is_guaranteed={
        "a wait's timer is not dispatched": around(Tree, "pending", _without_timers),
        "an outcome from outside has no backup message": around(Backup, "_send", _without_backup),
    },
    what_counted_is_not_lost={
        "the backup message of an outcome does not tell it again": around(operations, "signal", _deaf_backup),
        "an outcome of a forgotten call is not kept": around(operations, "signal", _knowing_its_calls),
    },
    what_is_refused_leaves_no_backup={"a refused outcome keeps its backup message": idle(Backup, "not_needed")},
    what_is_refused_does_not_count={
        "an outcome that is told again is refused": answering_step("signal", _refusing_repeats)
    },
    what_ends_a_wait_was_sent={"a time-out is no outcome": given(tool_call, "waits", 1, timeout_result='{"ok":null}')},
    what_it_waits_for_is_the_truth={
        "a waiting job does not say for what": constant(waiting, "_wait", "something to happen")
    },
    messages_are_few={
        "each slot dispatches again what is to come later": constant(
            invocation.Dispatched, "is_under_way", answer=False
        )
    },
    a_job_ends_as_its_script_says={
        "a turn counts that was told a forgotten result": constant(operations, "is_anew", answer=False)
    },
)
_CHILDREN = defects(
    plan.WAITING_SEEDS,
    a_childs_end_is_recorded_at_its_parent={"a child's end is not reported": constant(Draft, "report", None)},
    children_end_with_their_parent={"children outlive their parent": constant(operations, "end_jobs", None)},
    who_ends_gives_its_slot_back={
        "a child that ends with its parent keeps its slot": around(operations, "end_jobs", _requesting_no_slot)
    },
    no_slot_stays_free={"a child needs its parent's session": constant(semaphore, "is_child", answer=False)},
    a_live_job_does_not_expire={
        "a child's end ends the data of its tree": constant(operations, "is_child", answer=False)
    },
    an_item_is_committed_once={
        "a commit that comes too late starts its child again": around(operations, "commit", _starting_again)
    },
    a_child_has_a_parent={"a call does not say which job it started": around(tool_call, "waits", _nameless)},
    who_waits_without_end_has_a_child={
        "a child has another id than its call says": around(
            started_jobs, "child_of", lambda child_of, *call_and_run: f"{child_of(*call_and_run)}x"
        )
    },
)
_PLANNING = defects(
    plan.PLANNING_SEEDS,
    the_book_is_empty_at_last={"a child that a failover forgot keeps its slot": given(sweep, "over", 1, forgotten=())},
)
DEFECTS = (*_WAITS, *_CHILDREN, *_PLANNING)
