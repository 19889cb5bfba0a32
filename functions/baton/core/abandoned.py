"""What becomes of a step whose process dies while it is worked on: it is not started for ever.

A claim that somebody else takes over has ended with its process, without a word. Each such end counts as an attempt,
but for the first one: several pieces of work die with a process, and only one of them is to blame. Invariant: a step
that may be tried `retries` times again starts at most `retries + 2` times.
"""

from msgspec.structs import replace

from baton.core.state import Failure, State
from baton.core.work_items import ItemKind, WorkItem

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
