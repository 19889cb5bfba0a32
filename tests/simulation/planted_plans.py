"""Defects of plans; caught in worlds whose jobs plan."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from baton.engine import tool_call, turn
from baton.engine.commit.answers import History
from baton.engine.effects import Decision, Join, Skip
from baton.engine.state import CallRecord, State
from baton.engine.work_items import WorkItem
from baton.executors import tool_run
from baton.sdk.records import Failure
from baton.storage.redis.tree_details import Details
from tests.fakes import Tree
from tests.simulation.planting import Defect, Patch, constant, idle, replaced

_Skipping = Callable[[CallRecord, Sequence[CallRecord], int], tuple[Skip, ...]]


def _leaving_items(made: Callable[[State, Failure, int], Decision]) -> Callable[[State, Failure, int], Decision]:
    """What is skipped is recorded as over, and its work item stays."""

    def leaving(state: State, failure: Failure, now_ms: int) -> Decision:
        decision = made(state, failure, now_ms)
        changes = decision.changes
        if changes is None or not changes.skips:
            return decision
        calls_of = (*changes.calls, *(skip.record for skip in changes.skips))
        results = {**changes.results, **{skip.record.id: skip.result for skip in changes.skips}}
        return replace(decision, changes=replace(changes, calls=calls_of, results=results, skips=()))

    return leaving


def _direct_only(skipping: _Skipping) -> _Skipping:
    def direct(failed: CallRecord, dependants: Sequence[CallRecord], now_ms: int) -> tuple[Skip, ...]:
        near = [record for record in dependants if failed.step in record.after]
        return skipping(failed, near, now_ms)

    return direct


def _without_results(_skipping: _Skipping) -> _Skipping:
    """What is skipped neither goes nor is recorded as over: it stays as if its time were still to come."""
    return lambda *_about: ()


def _never_unblocked(self: Tree, *_arguments: Any) -> Tree:
    return self


def _joining_at_once(join: Callable[[WorkItem, int], Join]) -> Callable[[WorkItem, int], Join]:
    return lambda item, now_ms: replace(join(item, now_ms), group="nobody's")


def _with(**fields: Any) -> Callable[[Any], Any]:
    """A record made with other fields."""

    def make(original: Callable[..., tuple[CallRecord, ...]]) -> Callable[..., tuple[CallRecord, ...]]:
        return lambda *about: tuple(replace(record, **fields) for record in original(*about))

    return make


def _of_the_last(resolved: Callable[..., Any]) -> Callable[..., Any]:
    """A reference is to the last result that there is."""

    def wrong(arguments: dict[str, Any], after: dict[str, str], results: dict[str, Any]) -> Any:
        last = results.get(list(after.values())[-1], {}) if after else {}
        found = dict.fromkeys(after.values(), last) if "number" in (last.get("ok") or ()) else results
        return resolved(arguments, after, found)

    return wrong


def _plans(name: str, invariant: str, *patches: Patch) -> Defect:
    return Defect(name, invariant, patches, plans=True)


DEFECTS = (
    _plans(
        "a step starts before the one before it is over",
        "a_step_starts_after_those_before_it",
        constant(Tree, "blocked", answer=False),
    ),
    _plans("a skipped step runs", "a_skipped_step_does_not_start", Patch(tool_call, "_given_up", _leaving_items)),
    _plans(
        "what comes after a skipped step runs",
        "calls_end_as_the_script_says",
        Patch(tool_call, "skipping", _direct_only),
    ),
    _plans(
        "what comes after a failed step is never over",
        "calls_end_as_the_script_says",
        Patch(tool_call, "skipping", _without_results),
    ),
    _plans(
        "nobody dispatches a step that has become due",
        "every_item_is_guaranteed",
        replaced(Tree, "unblocked", _never_unblocked),
    ),
    _plans(
        "the next turn begins while a step is open",
        "no_turn_begins_while_a_step_is_open",
        Patch(tool_call, "_join", _joining_at_once),
    ),
    _plans(
        "a failed step never fails the job",
        "a_job_ends_as_its_script_says",
        Patch(turn, "in_order", _with(on_failure="continue")),
    ),
    _plans(
        "a step is not told what came of those before it",
        "calls_end_as_the_script_says",
        idle(Details, "_history", History()),
    ),
    _plans(
        "a step is told the result of another one",
        "what_runs_is_what_is_recorded",
        Patch(tool_run, "resolved", _of_the_last),
    ),
)
