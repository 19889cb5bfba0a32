import json
from typing import Any

import pytest

from baton.engine import stream_parts
from baton.engine.state import CallRecord
from baton.engine.transitions import CallStatus
from baton.engine.work_items import ItemKind, WorkItem
from baton.sdk.planning.reference import result_of
from baton_local.cli.job_events import JobLines

EVENT = {"type": "agent.tool.call", "turn": 2, "attempt": 1, "durationMs": 12, "outcome": "done", "tool": "look"}
STEPS = [
    {"step": "list", "tool": "list_files", "callId": "c1", "dependsOn": [], "onFailure": "fail"},
    {"step": "count", "tool": "count_words", "callId": "c2", "dependsOn": ["list", "read"], "onFailure": "skip"},
]


def shown(*given: Any, name: str = "", depth: int = 0, **event: Any) -> list[str]:
    """The lines of some parts and one event, without their outer blanks."""
    lines = JobLines(name, depth)
    for part in given:
        assert lines.of(part, 0) == []
    return [line.plain.strip() for line in lines.of({"type": "data-event", "data": EVENT | event}, 1.0)]


def operation(**data: Any) -> Any:
    return {"type": "data-operation", "data": {"callId": "c1", "tool": "look", "status": "waiting", **data}}


def test_a_job_below_another_is_indented_and_named() -> None:
    lines = JobLines("helper", 1).of({"type": "data-event", "data": EVENT}, 1.0)
    assert lines[0].plain == "  1.00s    agent.tool.call            12 ms    1  helper look: done"
    requested = JobLines("helper", 2)
    requested.of({"type": "tool-input-available", "toolCallId": "c1", "toolName": "look", "input": {}}, 0)
    assert requested.of({"type": "data-event", "data": EVENT}, 1.0)[1].plain == f"{' ' * 13}look {{}}"


def test_a_plan_its_steps_and_what_is_thought_of_it_are_shown() -> None:
    plan = {"type": "data-plan-created", "data": {"turn": 1, "steps": STEPS}}
    assert shown(plan)[1:] == ["plan: step list = list_files", "plan: step count = count_words, after list and read"]
    over = {"type": "data-step-completed", "data": {"step": "list", "callId": "c1", "status": "completed"}}
    lines = shown(plan, over, callId="c1", tool="list_files")
    assert lines[0].endswith("list (list_files): done")
    assert lines[-1] == "step list is over: completed"
    assert shown({"type": "data-reflection", "data": {"turn": 2, "text": "All\nthere."}})[1:] == [
        "reflects: All there."
    ]


@pytest.mark.parametrize(
    ("kind", "data", "line"),
    [
        ("data-step-started", {"step": "list", "callId": "c1", "tool": "list_files"}, "step list begins"),
        ("data-progress", {"fraction": 0.5, "text": "half way"}, "progress 50% half way"),
        ("data-progress", {"fraction": 1.0, "text": ""}, "progress 100%"),
        (
            "data-checkpoint",
            {"type": "approval", "status": "pending", "title": "may I?"},
            "checkpoint (approval, pending): may I?",
        ),
    ],
)
def test_what_happens_while_an_event_is_handled_is_shown_at_once(kind: str, data: dict[str, Any], line: str) -> None:
    """The event comes when it is over, and other steps' events may come before."""
    part: Any = {"type": kind, "data": data}
    assert [shown.plain for shown in JobLines().of(part, 0)] == [f"         {line}"]


def test_a_reference_to_a_result_is_shown_in_short() -> None:
    """At any depth; anything that only looks like one is shown as it is."""
    reference = result_of("files")["rows"][0].as_json()
    given = {"x": [reference], "y": {"$resultOf": 3}}
    part = {"type": "tool-input-available", "toolCallId": "c", "toolName": "read", "input": given}
    assert shown(part)[1:] == ['read {"x": ["<files.rows.0>"], "y": {"$resultOf": 3}}']


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ({"jobId": "job_a.1f"}, "waits, at no cost, for its job ….1f"),
        ({"event": "paid", "until": 1_767_225_600_000}, "waits, at no cost, for the event 'paid', until 00:00:00 UTC"),
        ({"operationId": "op"}, "waits, at no cost, to be completed from outside"),
        ({"until": 1_767_225_600_000}, "waits, at no cost, until 00:00:00 UTC"),
    ],
)
def test_a_wait_says_what_for(data: dict[str, Any], line: str) -> None:
    assert shown(operation(**data))[1:] == [line]


def test_a_real_part_of_a_waiting_call_is_understood() -> None:
    call = CallRecord("c1", 1, 0, "ask", {}, status=CallStatus.WAITING, operation_id="op_1")
    item = WorkItem("wait:c1:1", ItemKind.WAIT, "job_1", 1, 1, not_before_ms=1_767_225_600_000)
    assert shown(json.loads(stream_parts.operation(call, item)))[1:] == [
        "waits, at no cost, to be completed from outside, until 00:00:00 UTC"
    ]


@pytest.mark.parametrize(
    ("entries", "warnings", "line"),
    [
        (0, [], "memory: nothing is remembered yet"),
        (1, [], "memory: 1 entry retrieved"),
        (3, ["long-term memory did not answer"], "memory: 3 entries retrieved; long-term memory did not answer"),
    ],
)
def test_what_was_retrieved_of_memory_is_shown(entries: int, warnings: list[str], line: str) -> None:
    assert shown({"type": "data-memory", "data": {"entries": entries, "warnings": warnings}})[1:] == [line]


def test_the_end_of_a_wait_and_parts_that_it_does_not_know_are_left_out() -> None:
    assert len(shown(operation(status="completed"))) == 1
    assert len(shown({"type": "start", "messageId": "j"}, {"type": "data-new", "data": {"x": 1}})) == 1


def test_what_an_abandoned_attempt_streamed_is_not_shown() -> None:
    requests = {"type": "tool-input-available", "toolCallId": "c1", "toolName": "look", "input": {}}
    printed = [
        *stream_parts.text("text-1.1", "I se")[:2],
        *stream_parts.abandoned("text-1.1"),
        *stream_parts.text("text-2.1", "I look"),
    ]
    assert shown(*map(json.loads, printed), requests)[1:2] == ['"I look"']
