"""Defects of approvals; caught in worlds whose jobs ask people."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from msgspec import structs

from baton.api.jobs import approvals
from baton.commands.approve import DecideApproval
from baton.engine import approvals as engine_approvals
from baton.engine import tool_call
from baton.engine.commit import tree as rule_of_trees
from baton.engine.commit.answers import SignalAnswer, SignalResult
from baton.engine.effects import Decision, RunTool
from baton.engine.state import State
from baton.engine.step_results import ToolNeedsApproval
from baton.engine.work_items import WorkItem
from baton.executors import tool_run
from tests.simulation.planting import Defect, Patch, answering_step, constant

_Approved = Callable[[State, int], Decision | engine_approvals.Refused]
_Questions = Callable[[State, ToolNeedsApproval, int], Decision]


def _running_what_was_refused(approved: _Approved) -> _Approved:
    def running(state: State, now_ms: int) -> Decision | engine_approvals.Refused:
        verdict = approved(structs.replace(state, outcome='{"ok":{"arguments":null}}'), now_ms)
        assert isinstance(verdict, Decision), "it was told that somebody said yes"
        assert verdict.changes is not None, "a yes changes the job"
        # The store holds the end of a wait to what is recorded, and takes nothing else.
        return structs.replace(
            verdict, changes=structs.replace(verdict.changes, results={state.the_call.id: state.outcome})
        )

    return running


def _approving_when_time_is_up(requests: _Questions) -> _Questions:
    def requesting(state: State, step_result: ToolNeedsApproval, now_ms: int) -> Decision:
        decision = requests(state, step_result, now_ms)
        assert decision.changes is not None, "a question changes the job"
        items = tuple(
            structs.replace(item, timeout_result='{"ok":{"arguments":null}}') for item in decision.changes.items
        )
        return structs.replace(decision, changes=structs.replace(decision.changes, items=items))

    return requesting


def _usage_of_the_question(requests: _Questions) -> _Questions:
    """Nobody sees that the call is not over while somebody is asked about it."""

    def requesting(state: State, step_result: ToolNeedsApproval, now_ms: int) -> Decision:
        decision = requests(state, step_result, now_ms)
        assert decision.changes is not None, "a question changes the job"
        items = tuple(structs.replace(item, approval_of_call="") for item in decision.changes.items)
        return structs.replace(decision, changes=structs.replace(decision.changes, items=items))

    return requesting


def _without_edits(_restored: Callable[..., Any]) -> Callable[..., Any]:
    return lambda _edited, original: original


def _two_firsts(found: SignalAnswer, *_arguments: Any) -> SignalAnswer:
    return replace(found, signal_result=SignalResult.FIRST) if found.signal_result is SignalResult.OTHER else found


def _never_blocked(_blocked: Callable[..., bool]) -> Callable[..., bool]:
    def blocked(item: WorkItem, items: Any) -> bool:
        before = item.after.split(",") if item.after else []
        return any(other.call_id in before for other in items)

    return blocked


def _counting_questions(started: Callable[[State, int], Decision]) -> Callable[[State, int], Decision]:
    def counting(state: State, now_ms: int) -> Decision:
        match started(state, now_ms):
            case Decision(effects=(RunTool() as run,)):
                return Decision(effects=(structs.replace(run, attempt=state.item.attempt),))
            case timeout_result:
                return timeout_result

    return counting


def _whatever_it_is_about(undecided: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, checkpoint_id, _digest: undecided(self, checkpoint_id, "")


def _requested(name: str, invariant: str, *patches: Patch) -> Defect:
    return Defect(name, invariant, patches, approvals=True)


def _one_is_enough(_after: Callable[..., Any]) -> Callable[..., Any]:
    return lambda question, _decision: [{"by": str(n), "at": 0} for n in range(question.arguments.get("people", 1))]


def _edits_keep_who_approved(after: Callable[..., Any]) -> Callable[..., Any]:
    def keeping(question: Any, decision: Any) -> Any:
        found = after(question, decision)
        return [*question.arguments.get("approvals", []), *found[-1:]] if "ok" in decision else found

    return keeping


def _by_anybody(decide: Callable[..., Any]) -> Callable[..., Any]:
    async def deciding(self: Any, job: Any, question: Any, *rest: Any) -> Any:
        arguments = {name: value for name, value in question.arguments.items() if name != "approvals"}
        return await decide(self, job, structs.replace(question, arguments=arguments), *rest)

    return deciding


def _of_two(name: str, invariant: str, *patches: Patch) -> Defect:
    return Defect(name, invariant, patches, people=True)


DEFECTS = (
    _requested(
        "a tool that needs approval runs without",
        "what_runs_was_approved",
        constant(tool_run, "_is_approved", answer=True),
    ),
    _requested(
        "a call that was refused runs",
        "what_runs_was_approved",
        Patch(engine_approvals, "approved", _running_what_was_refused),
    ),
    _requested(
        "no decision in time is a yes",
        "what_runs_was_approved",
        Patch(engine_approvals, "wait_for_approval", _approving_when_time_is_up),
    ),
    _requested(
        "an edited call runs as it was asked for",
        "what_runs_was_approved",
        Patch(engine_approvals, "restored", _without_edits),
    ),
    _requested(
        "a step starts while somebody is asked about the one before it",
        "a_step_starts_after_those_before_it",
        Patch(engine_approvals, "wait_for_approval", _usage_of_the_question),
    ),
    _requested(
        "what waits for a decision is not seen to be open",
        "a_step_starts_after_those_before_it",
        Patch(rule_of_trees, "blocked", _never_blocked),
    ),
    _requested(
        "two decisions are said to count",
        "a_decision_that_counts_is_recorded",
        answering_step("signal", _two_firsts),
    ),
    _requested(
        "a decision about something else counts",
        "a_decision_is_answered_as_it_should_be",
        Patch(approvals.Approvals, "_undecided", _whatever_it_is_about),
    ),
    _requested(
        "asking a person is an attempt of the tool",
        "an_attempt_is_the_next_one",
        Patch(tool_call, "started", _counting_questions),
    ),
    _of_two(
        "one person is enough where two must approve",
        "what_runs_was_approved",
        Patch(engine_approvals, "approvals_after", _one_is_enough),
    ),
    _of_two(
        "an edit keeps the approvals of what was asked before",
        "what_runs_was_approved_by_enough_people",
        Patch(engine_approvals, "approvals_after", _edits_keep_who_approved),
    ),
    _of_two(
        "one person may approve twice",
        "a_decision_is_answered_as_it_should_be",
        Patch(DecideApproval, "__call__", _by_anybody),
    ),
)
