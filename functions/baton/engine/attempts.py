"""How often and how late a step is tried again: after a failure, a death of its process, an endpoint without place.

A claim that somebody else takes over has ended with its process, and counts as an attempt, but for the first one:
several pieces of work die with a process, and only one of them is to blame. Invariant: a step that may be tried
`retries` times again starts at most `retries + 2` times. Delays are in milliseconds and have no jitter: nothing random
is in the engine. An endpoint without a place says nothing about the step, so it does not count against its budget.
"""

from msgspec.structs import replace

from baton.engine.state import State
from baton.engine.work_items import ItemKind, WorkItem
from baton.sdk.records import Failure

# How often the process may die that takes in a result, the end of a wait, or a failure: no foreign code runs there.
TAKING_IN_BUDGET = 10
_TAKING_IN = frozenset({ItemKind.COMPLETE, ItemKind.FAILED, ItemKind.WAIT})


def no_start_left(item: WorkItem, attempts_before: int, retries: int) -> bool:
    """Whether a step that its processes died of may not be started again.

    Args:
        item: the step, claimed.
        attempts_before: how many of its attempts have ended otherwise.
        retries: how often it may be tried again.
    """
    return item.deaths > 0 and attempts_before + item.deaths > retries + 1


def with_deaths(following: WorkItem, done: WorkItem) -> WorkItem:
    """What goes on with a step, with all deaths of it that are known when it is done.

    Who was overtaken may still be the one that ends the attempt, and has not heard of those who took it over since.

    Args:
        following: a work item that is new.
        done: the work item that is done, as it stands.
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
    """Whether a result, a failure or the end of a wait cannot be taken in: each process that tried so has died."""
    return state.item.kind in _TAKING_IN and state.item.deaths > TAKING_IN_BUDGET


def process_died(item: WorkItem, what: str) -> Failure:
    """Why it is not started again; `what`: what ran, for people."""
    message = (
        f"{what}: the process died while it ran, {item.deaths} times. It may have run out of memory, crashed in"
        " native code, or ended itself"
    )
    return Failure("process_died", message)


# What an endpoint that has no place answers, or whoever stands before it: its host is away, or has too much to do.
THROTTLED = frozenset({429, 502, 503, 504})
# Somebody is told, after about half an hour; and after some days it is over.
THROTTLED_ALERT, THROTTLED_BUDGET = 6, 300

_FIRST_PAUSE_MS, _LONGEST_PAUSE_MS = 30_000, 960_000
_DOUBLED = 5


def redriven_at_ms(redriven: int, now_ms: int) -> int:
    """When a step is redriven for the so-manieth time, from 1: after a pause, and before two.

    A multiple of the pause, so that all who redrive the same step say the same time, and the queue takes it once.
    """
    pause_ms = min(_LONGEST_PAUSE_MS, _FIRST_PAUSE_MS << min(redriven - 1, _DOUBLED))
    return (now_ms // pause_ms + 2) * pause_ms


MAX_DELAY_MS = 3_600_000


def backoff_ms(base_seconds: float, attempt: int, requested_seconds: float | None = None) -> int:
    """`base · 2^(attempt-1)`, at least what the other side asked for (`Retry-After`), at most an hour.

    backoff_ms(1.0, 3) is 4000.
    """
    own = base_seconds * 1000 * 2 ** min(attempt - 1, 30)
    return int(min(MAX_DELAY_MS, max(own, (requested_seconds or 0) * 1000)))
