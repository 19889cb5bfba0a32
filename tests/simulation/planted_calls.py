"""Defects of calls: in plans, in the background, made by the queue, run again, and with limits."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from baton.engine import lifecycle, tool_call, turn
from baton.engine.commit import operations
from baton.engine.commit.draft import Draft
from baton.engine.commit.tree import Tree
from baton.engine.effects import Changes, Decision, Join, RunTool, Skip
from baton.engine.state import CallRecord, State
from baton.engine.step_results import FollowedUp, ToolReturned
from baton.engine.work_items import WorkItem
from baton.queue import brought_answers
from baton.sdk.records.transcript import FOREVER_MS, Failure
from baton.sdk.tools.running_calls import NotYetError
from baton.store.records import call_limits
from baton.store.redis import store
from baton.store.redis.call_limits import CallLimits
from baton.store.redis.tree import details
from baton.worker.admission.limited_calls import Limited, Waking
from baton.worker.commands.taking_back import TakeBack
from baton.worker.executors import tool_run
from baton.worker.executors.continuing import ContinueSession
from baton.worker.executors.started_jobs import BackgroundCalls
from tests.simulation import plan
from tests.simulation.planting import Patch, around, constant, defects, given, idle, replaced


def _leaving_items(given_up: Callable[..., Decision], state: State, failure: Failure, now_ms: int) -> Decision:
    """What is skipped is recorded as over, and its work item stays."""
    decision = given_up(state, failure, now_ms)
    changes = decision.changes
    if changes is None or not changes.skips:
        return decision
    calls_of = (*changes.calls, *(skip.record for skip in changes.skips))
    results = {**changes.results, **{skip.record.id: skip.result for skip in changes.skips}}
    return replace(decision, changes=replace(changes, calls=calls_of, results=results, skips=()))


def _direct_only(skipping: Any, failed: CallRecord, dependants: Sequence[CallRecord], now_ms: int) -> tuple[Skip, ...]:
    near = [record for record in dependants if failed.step in record.after]
    skips: tuple[Skip, ...] = skipping(failed, near, now_ms)
    return skips


def _joining_at_once(join: Callable[..., Join], _group: str, item: WorkItem) -> Join:
    return join("nobody's", item)


def _never_failing(in_order: Callable[..., tuple[CallRecord, ...]], *about: Any) -> tuple[CallRecord, ...]:
    return tuple(replace(record, on_failure="continue") for record in in_order(*about))


def _of_the_last(resolved: Any, arguments: dict[str, Any], after: dict[str, str], results: dict[str, Any]) -> Any:
    """A reference is to the last result that there is."""
    last = results.get(list(after.values())[-1], {}) if after else {}
    found = dict.fromkeys(after.values(), last) if "number" in (last.get("ok") or ()) else results
    return resolved(arguments, after, found)


async def _told_to_nobody(_self: Any, _operation: Any, _snapshot: Any) -> FollowedUp:
    return FollowedUp()


async def _without_an_operation(start: Any, self: BackgroundCalls, effect: RunTool, *rest: Any, **named: Any) -> Any:
    """Say that it goes on, and start nothing."""
    answer: ToolReturned = await start(_Nobody(self), effect, *rest, **named)
    return answer


class _Nobody:
    """Stands for what starts operations, and starts none."""

    def __init__(self, real: BackgroundCalls) -> None:
        self._clock, self._outcomes, self._take_back, self._commands = real._clock, real._outcomes, self, self

    async def submit(self, *_given: Any, **_named: Any) -> None:
        pass

    async def if_rolled_back(self, *_given: Any) -> None:
        pass


def _waiting(change: Callable[..., WorkItem]) -> Patch:
    """The turn's work item that waits goes through `change(item, state)`."""

    def waits(original: Callable[..., Any], state: State, *rest: Any) -> Any:
        decision = original(state, *rest)
        (item,) = decision.changes.items
        return replace(decision, changes=replace(decision.changes, items=(change(item, state),)))

    return around(turn, "_waits", waits)


def _of_the_next(read: Any, below: str) -> Any:
    event, number = read(below)
    payload = replace(event.payload, attempt=event.payload.attempt + 1)
    return replace(event, payload=payload), number


async def _impatient(begin: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return await begin(*arguments)
    except NotYetError:
        return 0


async def _unpaused(after: Callable[..., Any], self: Limited, claim: Any, news: Any) -> None:
    """Keep to oneself that the other side wants patience."""
    if news.__qualname__.endswith("pause_calls"):
        news.close()
    else:
        await after(self, claim, news)


async def _given_in_any_case(place: Callable[..., Any], *arguments: Any) -> tuple[bool, list[str]]:
    _, events = await place(*arguments)
    return True, events


async def _as_it_is(_self: Any, _limit: Any, moment: Any, _now_ms: int) -> Any:
    return moment


DEFECTS = (
    *defects(
        plan.PLANNING_SEEDS,
        a_step_starts_after_those_before_it={
            "a step starts before the one before it is over": constant(Tree, "blocked", answer=False)
        },
        a_skipped_step_does_not_start={"a skipped step runs": around(tool_call, "_given_up", _leaving_items)},
        calls_end_as_the_script_says={
            "what comes after a skipped step runs": around(tool_call, "_skipping", _direct_only),
            # What is skipped neither goes nor is recorded as over: it stays as if its time were still to come.
            "what comes after a failed step is never over": constant(tool_call, "_skipping", ()),
            "a step is not told what came of those before it": constant(details, "results_needed", ()),
        },
        every_item_is_guaranteed={"nobody dispatches a step that has become due": constant(Draft, "unblock", None)},
        no_turn_begins_while_a_step_is_open={
            "the next turn begins while a step is open": around(tool_call, "Join", _joining_at_once)
        },
        a_job_ends_as_its_script_says={"a failed step never fails the job": around(turn, "_in_order", _never_failing)},
        what_runs_is_what_is_recorded={
            "a step is told the result of another one": around(tool_run, "resolved", _of_the_last)
        },
    ),
    *defects(
        plan.BLOCKING_SEEDS + plan.PLANNING_SEEDS + 130_000_000,
        calls_end_as_the_script_says={
            "a step of a forgotten plan counts": around(
                operations, "is_anew", lambda is_anew, tree, item, claim, _: is_anew(tree, item, claim, Changes())
            )
        },
    ),
    *defects(
        plan.BACKGROUND_SEEDS + plan.WAITING_SEEDS,
        a_session_goes_on_once_with_each_operation={
            "nobody is told what an operation came to": replaced(ContinueSession, "__call__", _told_to_nobody),
            "a session goes on with what was cancelled": replaced(lifecycle, "_SENT_TO_NOBODY", {}),
        },
        what_was_rolled_back_goes_on_in_nothing={
            "a rollback takes no operation back": idle(TakeBack, "operations_of"),
            "a session goes on with what was rolled back": idle(TakeBack, "rolled_back_owner"),
            "who begins to continue does not look back": idle(TakeBack, "before_it_continues"),
        },
        what_waits_for_an_ended_job_finds_it={
            "an ended job goes after its own time, whatever waits for it": around(
                Tree, "kept_ms", lambda kept_ms, *given: given[-1]
            )
        },
        each_call_that_goes_on_has_its_operation={
            "a call goes on by no job": around(BackgroundCalls, "start", _without_an_operation)
        },
    ),
    *defects(
        plan.OFFLOADING_SEEDS,
        every_item_is_guaranteed={
            "an offloaded call waits for ever": _waiting(lambda item, _: replace(item, not_before_ms=FOREVER_MS))
        },
        an_item_is_committed_once={
            "a turn that waits is the one that was held": (
                _waiting(lambda item, state: replace(item, since_ms=state.item.since_ms)),
                constant(operations, "is_anew", answer=False),
            ),
            "it is noted nowhere that somebody else asks": _waiting(lambda item, _: replace(item, offloaded=0)),
        },
        a_job_ends_as_its_script_says={
            "an answer is for the next attempt": around(brought_answers, "_read", _of_the_next)
        },
    ),
    *defects(
        plan.AGAIN_SEEDS,
        an_item_is_committed_once={
            "a call that runs again is the one that was held": around(
                operations,
                "is_anew",
                lambda is_anew, tree, item, claim, changes: is_anew(
                    tree, item, replace(claim, looks=item.offloaded), changes
                ),
            )
        },
        an_attempt_is_the_next_one={
            "a call that runs again knows nothing of the runs before": given(tool_call, "runs_again", 1, memo={})
        },
    ),
    *defects(
        plan.START_SEEDS,
        a_call_of_a_tool_that_starts_at_most_once_has_begun_at_most_once={
            "a call that may have run begins again": constant(tool_call, "may_have_run", None)
        },
    ),
    *defects(
        plan.CALL_LIMIT_SEEDS,
        every_place_is_given_back={"a place is never given back": idle(Limited, "_end")},
        what_acts_has_begun={"a call over its limit begins": around(Limited, "_begin", _impatient)},
        no_more_are_in_flight={"a call without a place runs": around(CallLimits, "_place", _given_in_any_case)},
        moments_are_apart={
            "two calls get one moment": around(
                CallLimits, "_taken", lambda taken, self, key, _step_ms, *rest: taken(self, key, 0.0, *rest)
            )
        },
        a_call_begins_at_its_moment={
            "a pause of a key is forgotten": idle(CallLimits, "pause_calls"),
            "all calls that are late begin at once": replaced(CallLimits, "_replaced", _as_it_is),
        },
        who_wants_patience_gets_it={"nobody pauses a key": around(Limited, "_after", _unpaused)},
        who_gets_a_place_comes_at_once={"a call that has a place is not woken": idle(Waking, "wake")},
        nobody_waits_for_a_free_place={
            "the place of a call that died is never free": constant(call_limits, "abandoned", {})
        },
        a_sweep_leaves_a_call_that_comes_by_itself={
            "a sweep brings a call that comes by itself": given(store, "give_back", 1, comes_ms=0)
        },
    ),
)
