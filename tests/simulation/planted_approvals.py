"""Defects of approvals; caught in worlds whose jobs ask people."""

import dataclasses
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from baton.engine import approvals as engine_approvals
from baton.engine import tool_call
from baton.engine.commit import tree as rule_of_trees
from baton.engine.commit.answers import SignalAnswer, SignalResult
from baton.engine.effects import Decision, RunTool
from baton.engine.state import State
from baton.engine.step_results import ToolNeedsApproval
from baton.engine.work_items import WorkItem
from baton.server.api.jobs import approvals
from baton.worker.commands.approve import DecideApproval
from baton.worker.executors import tool_run
from tests.simulation import plan
from tests.simulation.planting import Patch, answering_step, around, constant, defects, replaced

_YES = '{"ok":{"arguments":null}}'


def _running_what_was_refused(approved: Callable[..., Any], state: State, now_ms: int) -> Decision:
    verdict = approved(replace(state, outcome=_YES), now_ms)
    assert isinstance(verdict, Decision), "it was told that somebody said yes"
    assert verdict.changes is not None, "a yes changes the job"
    # The store holds the end of a wait to what is recorded, and takes nothing else.
    return replace(verdict, changes=replace(verdict.changes, results={state.the_call.id: state.outcome}))


def _waiting_with(**fields: Any) -> Patch:
    """The work items that wait for a decision have other fields."""

    def requesting(requests: Callable[..., Decision], state: State, result: ToolNeedsApproval, now_ms: int) -> Decision:
        decision = requests(state, result, now_ms)
        assert decision.changes is not None, "a question changes the job"
        items = tuple(replace(item, **fields) for item in decision.changes.items)
        return replace(decision, changes=replace(decision.changes, items=items))

    return around(engine_approvals, "wait_for_approval", requesting)


def _two_firsts(found: SignalAnswer, *_arguments: Any) -> SignalAnswer:
    other = found.signal_result is SignalResult.OTHER
    return dataclasses.replace(found, signal_result=SignalResult.FIRST) if other else found


def _never_blocked(item: WorkItem, items: Any) -> bool:
    before = item.after.split(",") if item.after else []
    return any(other.call_id in before for other in items)


def _counting_questions(started: Callable[[State, int], Decision], state: State, now_ms: int) -> Decision:
    match started(state, now_ms):
        case Decision(effects=(RunTool() as run,)):
            return Decision(effects=(replace(run, attempt=state.item.attempt),))
        case timeout_result:
            return timeout_result


def _one_is_enough(question: Any, _decision: Any) -> list[dict[str, Any]]:
    return [{"by": str(n), "at": 0} for n in range(question.arguments.get("people", 1))]


def _edits_keep_who_approved(after: Callable[..., Any], question: Any, decision: Any) -> Any:
    found = after(question, decision)
    return [*question.arguments.get("approvals", []), *found[-1:]] if "ok" in decision else found


async def _by_anybody(decide: Callable[..., Any], self: Any, job: Any, question: Any, *rest: Any) -> Any:
    arguments = {name: value for name, value in question.arguments.items() if name != "approvals"}
    return await decide(self, job, replace(question, arguments=arguments), *rest)


DEFECTS = (
    *defects(
        plan.APPROVING_SEEDS,
        what_runs_was_approved={
            "a tool that needs approval runs without": constant(tool_run, "_is_approved", answer=True),
            "a call that was refused runs": around(engine_approvals, "approved", _running_what_was_refused),
            "no decision in time is a yes": _waiting_with(timeout_result=_YES),
            "an edited call runs as it was asked for": replaced(
                engine_approvals, "restored", lambda _edited, original: original
            ),
        },
        a_step_starts_after_those_before_it={
            # Nobody sees that the call is not over while somebody is asked about it.
            "a step starts while somebody is asked about the one before it": _waiting_with(approval_of_call=""),
            "what waits for a decision is not seen to be open": replaced(rule_of_trees, "blocked", _never_blocked),
        },
        a_decision_that_counts_is_recorded={"two decisions are said to count": answering_step("signal", _two_firsts)},
        a_decision_is_answered_as_it_should_be={
            "a decision about something else counts": around(
                approvals,
                "_undecided",
                lambda undecided, container, checkpoint_id, _digest: undecided(container, checkpoint_id, ""),
            )
        },
        an_attempt_is_the_next_one={
            "asking a person is an attempt of the tool": around(tool_call, "started", _counting_questions)
        },
    ),
    *defects(
        plan.PEOPLE_SEEDS + plan.APPROVING_SEEDS,
        what_runs_was_approved={
            "one person is enough where two must approve": replaced(engine_approvals, "approvals_after", _one_is_enough)
        },
        what_runs_was_approved_by_enough_people={
            "an edit keeps the approvals of what was asked before": around(
                engine_approvals, "approvals_after", _edits_keep_who_approved
            )
        },
        a_decision_is_answered_as_it_should_be={
            "one person may approve twice": around(DecideApproval, "__call__", _by_anybody)
        },
    ),
)
