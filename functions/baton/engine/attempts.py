"""The number and delay of a step's retries: after a failure, the death of its process, or an endpoint without capacity.

A claim that another invocation takes over has ended with its process. It counts as an attempt, except for the first
one: several pieces of work die with a process, and only one of them is to blame. Invariant: a step that may be retried
`retries` times starts at most `retries + 2` times. Delays are in milliseconds and have no jitter: nothing random is in
the engine. An endpoint without capacity says nothing about the step, so it does not count against the step's budget.
"""

from msgspec.structs import replace

from baton.engine.state import CallRecord, State
from baton.engine.work_items import ItemKind, WorkItem
from baton.sdk.records.transcript import Failure

# How many processes may die while taking in a result, the end of a wait, or a failure: no foreign code runs there.
TAKING_IN_BUDGET = 10
_TAKING_IN = frozenset({ItemKind.COMPLETE, ItemKind.FAILED, ItemKind.WAIT})


def no_start_left(item: WorkItem, attempts_before: int, retries: int) -> bool:
    """Return whether a step may not be started again, since its processes died too often.

    `attempts_before`: how many of its attempts have ended otherwise. `retries`: how often it may be retried.
    """
    return item.deaths > 0 and attempts_before + item.deaths > retries + 1


def may_have_run(item: WorkItem, record: CallRecord) -> Failure | None:
    """Return why a call that starts at most once is not started: it has begun before; None: it may start.

    It has begun where a claim of it ended with its process or in the middle of its work, or in an earlier run of its
    job. A claim that was given back before the tool's code began is none.
    """
    if not (item.deaths or item.lost or 0 < record.attempts <= record.earlier):
        return None
    message = (
        f"tool {record.tool!r} may have run: it starts at most once, and this call has begun before."
        " Find out what it has done before you ask for it again"
    )
    return Failure("may_have_run", message)


def with_deaths(following: WorkItem, done: WorkItem) -> WorkItem:
    """Return the follow-up item with every death known when its step finished; `done`: that, as stored.

    An invocation that was overtaken may still end the attempt, without knowing of the claims made since.
    """
    if done.kind is following.kind is ItemKind.CALL and done.attempt == following.attempt:
        return following  # it has run without a death, and runs again
    if done.kind is ItemKind.CALL and done.call_id in (following.call_id, following.approval_of_call):
        return replace(following, died=max(following.died, done.deaths))
    same_turn = (following.job_id, following.turn) == (done.job_id, done.turn)
    if done.kind is following.kind is ItemKind.LOOP and same_turn:
        return replace(following, abandoned=max(following.abandoned, done.abandoned))
    return following


def is_given_up(state: State) -> bool:
    """Return whether a result, a failure or the end of a wait is given up: too many processes died of it."""
    return state.item.kind in _TAKING_IN and state.item.deaths > TAKING_IN_BUDGET


def process_died(item: WorkItem, what: str) -> Failure:
    """Return the failure of a step that is not started again; `what`: what ran, for people."""
    message = (
        f"{what}: the process died while it ran, {item.deaths} times. It may have run out of memory, crashed in"
        " native code, or ended itself"
    )
    return Failure("process_died", message)


# Statuses of an endpoint without capacity, or of a proxy before it: the host is down, or overloaded.
THROTTLED = frozenset({429, 502, 503, 504})
# Replays before people are alerted (about half an hour), and before the step is given up (some days).
THROTTLED_ALERT, THROTTLED_BUDGET = 6, 300

_FIRST_PAUSE_MS, _LONGEST_PAUSE_MS = 30_000, 960_000
_DOUBLED = 5


def replayed_at_ms(replayed: int, now_ms: int) -> int:
    """Return the time of a step's next replay; `replayed`: its number, from 1. It is one to two pauses away.

    It is a multiple of the pause, so that all replays of the same step compute the same time, and the queue takes one.
    """
    pause_ms = min(_LONGEST_PAUSE_MS, _FIRST_PAUSE_MS << min(replayed - 1, _DOUBLED))
    return (now_ms // pause_ms + 2) * pause_ms


MAX_DELAY_MS = 3_600_000


def backoff_ms(base_seconds: float, attempt: int, requested_seconds: float | None = None) -> int:
    """Return `base · 2^(attempt-1)` in ms, at least what the other side requested (`Retry-After`), at most an hour.

    backoff_ms(1.0, 3) is 4000.
    """
    own = base_seconds * 1000 * 2 ** min(attempt - 1, 30)
    return int(min(MAX_DELAY_MS, max(own, (requested_seconds or 0) * 1000)))
