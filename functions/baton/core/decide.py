"""decide(state, happened, now) → Decision: the one place where a job's state changes (decisions/0003-pure-core).

Pure and total over the union of step results. What a turn decides is in turns.py, what a tool call decides in calls.py,
how a job ends in ending.py, how it is remembered then in remembering.py, how it begins again in retrying.py.
"""

from typing import assert_never

from baton.core import budget, calls, ending, remembering, retrying, taking_in, turns
from baton.core.abandoned import is_given_up, process_died
from baton.core.counts import counted
from baton.core.effects import Changes, Decision
from baton.core.retrying import EndedJob
from baton.core.state import Job, State
from baton.core.step_results import (
    Admitted,
    Cancelled,
    ModelAnswered,
    ModelFailed,
    NotRemembered,
    Remembered,
    Retried,
    Started,
    StepResult,
    Submitted,
    Superseded,
    ToolAsks,
    ToolFailed,
    ToolReturned,
    ToolWaits,
    Undeliverable,
)
from baton.core.submitting import submitted
from baton.core.work_items import ItemKind


def submit(step_result: Submitted, now_ms: int) -> Decision:
    """A new job: the one fact that has no state before it."""
    return submitted(step_result, now_ms)


def cancel(job: Job, step_result: Cancelled, now_ms: int) -> Decision:
    """Somebody cancels: no changes where the job has ended already."""
    return ending.cancelled(job, step_result, now_ms)


def retry(ended: EndedJob, step_result: Retried, now_ms: int) -> Decision:
    """Somebody retries an ended job: no changes where that is not possible, or it runs again already."""
    return retrying.retried(ended, step_result, now_ms)


def decide(state: State, step_result: StepResult, now_ms: int, *, at_once: bool = False) -> Decision:
    """Derive what follows from a step result of the work item in `state`.

    Args:
        state: the job, the claimed work item, and the tool call that the work item is about, if any.
        step_result: the fact.
        now_ms: the time, in milliseconds.
        at_once: what follows from a tool run without any work is decided with it, instead of by a work item of its own.

    Returns:
        Changes to COMMIT, or a piece of work to do first.
    """
    decided = _decided(state, step_result, now_ms)
    if at_once:
        decided = taking_in.at_once(state, decided, now_ms)
    if decided.changes is None:
        return decided
    decision = budget.shared(state, remembering.after_end(decided, now_ms))
    return counted(state.job, step_result, decision)


def _decided(state: State, step_result: StepResult, now_ms: int) -> Decision:  # noqa: C901, PLR0911, PLR0912 - one each
    match step_result:
        case Admitted():
            return Decision(Changes(admitted=True))
        case Superseded():
            return Decision(Changes(later_epoch=step_result.later_epoch))
        case Started():
            return _started(state, now_ms)
        case ModelAnswered():
            return turns.answered(state, step_result, now_ms)
        case ModelFailed():
            return turns.model_failed(state, step_result, now_ms)
        case ToolReturned():
            return calls.returned(state, step_result, now_ms)
        case ToolFailed():
            return calls.failed(state, step_result, now_ms)
        case ToolWaits():
            return calls.waits(state, step_result, now_ms)
        case ToolAsks():
            return calls.asks(state, step_result, now_ms)
        case Remembered():
            return remembering.stored()
        case NotRemembered():
            return remembering.failed(state, step_result, now_ms)
        case Undeliverable() if state.item.kind is ItemKind.REMEMBER:
            return remembering.undeliverable(state, step_result)
        case Undeliverable():
            return ending.undeliverable(state, step_result, now_ms)
        case _:
            assert_never(step_result)


def _started(state: State, now_ms: int) -> Decision:  # noqa: PLR0911 - one for each kind
    if is_given_up(state):
        return ending.end_failed(state.job, state.item, process_died(state.item, f"taking in {state.item.key}"), now_ms)
    match state.item.kind:
        case ItemKind.LOOP:
            return turns.started(state, now_ms)
        case ItemKind.SLOT_REQUEST:
            return turns.slot_requests(state)
        case ItemKind.CALL:
            return calls.started(state, now_ms)
        case ItemKind.COMPLETE:
            return calls.taken_in(state, now_ms)
        case ItemKind.WAIT:
            return calls.waited(state, now_ms)
        case ItemKind.REMEMBER:
            return remembering.started(state)
        case ItemKind.FAILED:
            return calls.retry_or_give_up(state, now_ms)
        case _:
            assert_never(state.item.kind)
