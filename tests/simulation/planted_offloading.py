"""Defects of model calls that the queue makes, and of calls that run again."""

from typing import Any

from msgspec.structs import replace

from baton.engine import tool_call, turn
from baton.engine.commit import operations
from baton.queue import brought_answers
from baton.sdk.records import FOREVER_MS
from tests.simulation.planting import Defect, Patch


def _changed_waits(change: Any) -> Any:
    """Change the turn's work item that waits."""

    def make(decide: Any) -> Any:
        def decided(*given: Any) -> Any:
            decision = decide(*given)
            (item,) = decision.changes.items
            return replace(decision, changes=replace(decision.changes, items=(change(item, *given),)))

        return decided

    return make


def _for_ever(item: Any, *_: Any) -> Any:
    """Wait for as long as it takes."""
    return replace(item, not_before_ms=FOREVER_MS)


def _as_it_was(item: Any, state: Any, *_: Any) -> Any:
    """Be the same work item for whoever holds it."""
    return replace(item, since_ms=state.item.since_ms)


def _unnumbered(item: Any, *_: Any) -> Any:
    """Note nowhere that somebody else asks."""
    return replace(item, offloaded=0)


def _not_anew(_is_anew: Any) -> Any:
    return lambda _item, _claim: False


def _of_the_next(read: Any) -> Any:
    """Take an answer for one to the next attempt."""

    def changed(below: str) -> Any:
        event, number = read(below)
        payload = event.payload.model_copy(update={"attempt": event.payload.attempt + 1})
        return event.model_copy(update={"payload": payload}), number

    return changed


def _held_before(is_anew: Any) -> Any:
    """Take a COMMIT of a call that runs again from whoever held it."""
    return lambda item, claim: is_anew(item, replace(claim, looks=item.offloaded))


def _forgetful(runs_again: Any) -> Any:
    """Keep nothing for the next run."""
    return lambda state, result, now_ms: runs_again(state, replace(result, memo={}), now_ms)


def _offloaded(name: str, invariant: str, *patches: Patch) -> Defect:
    return Defect(name, invariant, patches, offloads=True)


DEFECTS = (
    _offloaded(
        "an offloaded call waits for ever", "every_item_is_guaranteed", Patch(turn, "_waits", _changed_waits(_for_ever))
    ),
    _offloaded(
        "a turn that waits is the one that was held",
        "an_item_is_committed_once",
        Patch(turn, "_waits", _changed_waits(_as_it_was)),
        Patch(operations, "is_anew", _not_anew),
    ),
    _offloaded(
        "it is noted nowhere that somebody else asks",
        "an_item_is_committed_once",
        Patch(turn, "_waits", _changed_waits(_unnumbered)),
    ),
    _offloaded(
        "an answer is for the next attempt",
        "a_job_ends_as_its_script_says",
        Patch(brought_answers, "_read", _of_the_next),
    ),
    Defect(
        "a call that runs again is the one that was held",
        "an_item_is_committed_once",
        (Patch(operations, "is_anew", _held_before),),
        again=True,
    ),
    Defect(
        "a call that runs again knows nothing of the runs before",
        "an_attempt_is_the_next_one",
        (Patch(tool_call, "runs_again", _forgetful),),
        again=True,
    ),
)
