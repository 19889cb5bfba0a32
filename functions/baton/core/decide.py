"""decide(state, happened, now) → Decision: the one place where a job's state changes (DESIGN 3).

Pure and total over the union of happenings. What a turn decides is in turns.py, what a tool call decides in calls.py,
how a job ends in ending.py, how it is remembered then in remembering.py, how it begins again in retrying.py.
"""

from typing import assert_never

from baton.core import budget, calls, ending, remembering, retrying, taking_in, turns
from baton.core.abandoned import is_given_up, process_died
from baton.core.counts import counted
from baton.core.effects import Changes, Decision
from baton.core.happenings import (
    Admitted,
    Cancelled,
    Happening,
    ModelAnswered,
    ModelFailed,
    NotRemembered,
    Remembered,
    Retried,
    Started,
    Submitted,
    ToolAsks,
    ToolFailed,
    ToolReturned,
    ToolWaits,
    Undeliverable,
    Unheeded,
)
from baton.core.legs import LegKind
from baton.core.retrying import EndedJob
from baton.core.state import Job, State
from baton.core.submitting import submitted


def submit(happened: Submitted, now_ms: int) -> Decision:
    """A new job: the one fact that has no state before it."""
    return submitted(happened, now_ms)


def cancel(job: Job, happened: Cancelled, now_ms: int) -> Decision:
    """Somebody cancels: no changes where the job has ended already."""
    return ending.cancelled(job, happened, now_ms)


def retry(ended: EndedJob, happened: Retried, now_ms: int) -> Decision:
    """Somebody retries an ended job: no changes where that is not possible, or it runs again already."""
    return retrying.retried(ended, happened, now_ms)


def decide(state: State, happened: Happening, now_ms: int, *, at_once: bool = False) -> Decision:
    """What follows from a fact about the leg that `state` holds.

    Args:
        state: the job, the claimed leg, and the tool call that the leg is about, if any.
        happened: the fact.
        now_ms: the time, in milliseconds.
        at_once: what follows from a tool run without any work is decided with it, instead of by a leg of its own.

    Returns:
        Changes to COMMIT, or a piece of work to do first.
    """
    decided = _decided(state, happened, now_ms)
    if at_once:
        decided = taking_in.at_once(state, decided, now_ms)
    if decided.changes is None:
        return decided
    decision = budget.shared(state, remembering.after_end(decided, now_ms))
    return counted(state.job, happened, decision)


def _decided(state: State, happened: Happening, now_ms: int) -> Decision:  # noqa: C901, PLR0911, PLR0912 - one each
    match happened:
        case Admitted():
            return Decision(Changes(admitted=True))
        case Unheeded():
            return Decision(Changes(later_lap=happened.later_lap))
        case Started():
            return _started(state, now_ms)
        case ModelAnswered():
            return turns.answered(state, happened, now_ms)
        case ModelFailed():
            return turns.model_failed(state, happened, now_ms)
        case ToolReturned():
            return calls.returned(state, happened, now_ms)
        case ToolFailed():
            return calls.failed(state, happened, now_ms)
        case ToolWaits():
            return calls.waits(state, happened, now_ms)
        case ToolAsks():
            return calls.asks(state, happened, now_ms)
        case Remembered():
            return remembering.stored()
        case NotRemembered():
            return remembering.failed(state, happened, now_ms)
        case Undeliverable() if state.leg.kind is LegKind.REMEMBER:
            return remembering.undeliverable(state, happened)
        case Undeliverable():
            return ending.undeliverable(state, happened, now_ms)
        case _:
            assert_never(happened)


def _started(state: State, now_ms: int) -> Decision:  # noqa: PLR0911 - one for each kind
    if is_given_up(state):
        return ending.end_failed(state.job, state.leg, process_died(state.leg, f"taking in {state.leg.key}"), now_ms)
    match state.leg.kind:
        case LegKind.LOOP:
            return turns.started(state, now_ms)
        case LegKind.WISH:
            return turns.wishes(state)
        case LegKind.CALL:
            return calls.started(state, now_ms)
        case LegKind.COMPLETE:
            return calls.taken_in(state, now_ms)
        case LegKind.WAIT:
            return calls.waited(state, now_ms)
        case LegKind.REMEMBER:
            return remembering.started(state)
        case LegKind.FAILED:
            return calls.retry_or_give_up(state, now_ms)
        case _:
            assert_never(state.leg.kind)
