"""Asking a person before a tool call runs: what the question is, and what follows from the decision."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from baton.engine.decide import decide
from baton.engine.effects import Changes
from baton.engine.state import CallRecord, State
from baton.engine.step_results import Started, ToolNeedsApproval
from baton.engine.waits import EXPIRED, TOOL_APPROVAL, tool_digest
from baton.engine.work_items import ItemKind, blocked
from tests.unit.baton.engine.sample_state import NOW_MS, call_record, call_state, changes_of, types_of

ARGUMENTS = {"path": "resolved"}
UNTIL_MS = NOW_MS + 60_000
DEPENDANT = replace(call_record(), id="job_1-2-1-bbbbbbbbbb", position=1, step="b")
STEP = replace(call_record(), step="a", dependants=(DEPENDANT.id,), on_failure="skip")


def requesting(record: CallRecord = STEP, attempt: int = 1) -> Changes:
    """The call's attempt finds that it may not run."""
    state = call_state(ItemKind.CALL, record, attempt)
    return changes_of(decide(state, ToolNeedsApproval(ARGUMENTS, "read it", UNTIL_MS), NOW_MS))


def deciding(outcome: str) -> Changes:
    """The decision is taken in."""
    record, question = requesting().calls
    (item,) = requesting().items
    state = State(call_state(ItemKind.CALL).job, item, question, outcome, (record, DEPENDANT))
    return changes_of(decide(state, Started(), NOW_MS + 5))


def test_the_question_is_a_wait_of_its_own_and_the_call_stays_open() -> None:
    """Without its call it is damage, and that is said, rather than that something runs."""
    changes = requesting()
    record, question = changes.calls
    (item,) = changes.items
    assert (record.status, record.attempts, record.questions, question.status) == ("waiting", 0, 1, "waiting")
    assert (question.tool, question.dependants) == (TOOL_APPROVAL, (record.id, DEPENDANT.id))
    assert question.arguments["digest"] == tool_digest("read_file", ARGUMENTS)
    assert (item.kind, item.call_id, item.approval_of_call) == (ItemKind.WAIT, question.id, record.id)
    assert (item.timeout_result, item.not_before_ms) == (EXPIRED, UNTIL_MS)
    assert item.group == call_state(ItemKind.CALL).item.group
    after = replace(call_state(ItemKind.CALL, DEPENDANT).item, after=record.id)
    assert blocked(after, [item])
    with pytest.raises(ValueError, match="damaged"):
        decide(State(call_state(ItemKind.CALL).job, item, question, EXPIRED), Started(), NOW_MS)


def test_other_arguments_or_another_attempt_are_another_question() -> None:
    """So that a decision never meets a question that it is not about; the same are the same one."""
    state = call_state(ItemKind.CALL, STEP)
    other = changes_of(decide(state, ToolNeedsApproval({"path": "x"}, "read it", UNTIL_MS), NOW_MS))
    later = changes_of(decide(state, ToolNeedsApproval(ARGUMENTS, "read it", UNTIL_MS + 9), NOW_MS + 9))
    assert len({requesting().calls[1].id, requesting(attempt=2).calls[1].id, other.calls[1].id}) == 3
    assert later.calls[1].id == requesting().calls[1].id


@pytest.mark.parametrize("edited", [None, {"path": "edited"}])
def test_an_approved_call_runs_with_what_was_approved(edited: dict[str, Any] | None) -> None:
    """As its next work item, which waits for nothing any more."""
    outcome = json.dumps({"ok": {"arguments": edited, "by": "ops"}})
    changes = deciding(outcome)
    question, record = changes.calls
    (item,) = changes.items
    assert record.arguments == (edited or ARGUMENTS)
    assert (record.status, record.approved) == ("queued", tool_digest("read_file", record.arguments))
    assert (item.kind, item.call_id, item.attempt, item.after, item.approval_of_call) == (
        ItemKind.CALL,
        record.id,
        2,
        "",
        "",
    )
    assert (item.not_before_ms, item.position) == (0, STEP.position)
    assert (question.status, changes.results) == ("completed", {question.id: outcome})
    run = decide(call_state(ItemKind.CALL, record, 2), Started(), NOW_MS).effects[0]
    assert getattr(run, "attempt", 0) == 1


@pytest.mark.parametrize("outcome", [EXPIRED, '{"error":{"message":"no","type":"rejected"}}'])
def test_a_call_that_may_not_run_has_failed(outcome: str) -> None:
    changes = deciding(outcome)
    question, record = changes.calls
    error = json.loads(outcome)["error"]
    assert (record.status, question.status) == ("failed", "failed")
    assert record.error is not None
    assert {"type": record.error.type, "message": record.error.message} == error
    assert list(changes.results.items()) == [(question.id, outcome), (record.id, outcome)]
    assert [skip.record.id for skip in changes.skips] == [DEPENDANT.id]
    assert changes.join is not None
    assert types_of(changes.parts)[:2] == ["data-checkpoint", "tool-output-error"]
    assert "data-operation" not in types_of(changes.parts)
