"""How parts of a job become events of a run: what is abandoned, cut off, failed, cancelled or run again."""

import json
from typing import Any

import pytest
from ag_ui.core import Event
from pydantic import TypeAdapter

from baton.engine.state import Job
from baton.server.api.jobs.open_calls import OpenCalls
from baton.server.protocols.ag_ui.runs import Run, RunStream

JOB = Job("job_1", "thread-1", "acme", "agent", created_at_ms=7)
Part = dict[str, Any]


def events(*parts: Part, run: Run | None = None, first: int = 1) -> list[dict[str, Any]]:
    form = RunStream(run or Run("thread-1", "r1"), JOB.id)
    text = "".join(form.part(JOB, number, json.dumps(part)) for number, part in enumerate(parts, first))
    found = [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]
    for event in found:
        typed = TypeAdapter[Any](Event).validate_python(event)
        assert not typed.model_extra, f"AG-UI knows no {typed.model_extra} of {event}"
    return found


def kinds(*parts: Part, **options: Any) -> list[str]:
    return [event["type"] for event in events(*parts, **options)][1:]


def text(text_id: str, *what: str) -> list[Part]:
    return [{"type": f"text-{one}", "id": text_id} | ({"delta": "hi"} if one == "delta" else {}) for one in what]


def data(kind: str, **fields: Any) -> Any:
    return {"type": f"data-{kind}", "data": fields}


def finish(status: str) -> Part:
    return {"type": "finish", "messageMetadata": {"status": status}}


STEP = {"type": "start-step"}


def test_an_abandoned_text_is_taken_back() -> None:
    """The front end gets the conversation without it, and what came before."""
    question = {"id": "m1", "role": "user", "content": "hello"}
    said = data("message", text="and?") | {"id": "m2"}
    parts = [said, STEP, *text("a", "start", "delta", "end"), data("retry", textId="a"), {"type": "finish-step"}]
    run = Run("thread-1", "r1", [question])
    snapshot = next(event for event in events(*parts, run=run) if event["type"] == "MESSAGES_SNAPSHOT")
    assert snapshot["messages"] == [question, {"id": "m2", "role": "user", "content": "and?"}]


def test_readers_that_drop_and_return_get_each_event_once() -> None:
    """Each goes away after some events, also in the middle of a part's, and comes back with its last id.

    After 70 readers their paces come again.
    """
    abandoned = [STEP, *text("a", "start", "delta", "end"), data("retry", textId="a"), {"type": "finish-step"}]
    call = {"type": "tool-input-available", "toolCallId": "c", "toolName": "look", "input": {"at": 1}}
    parts = [*abandoned, STEP, *text("b", *["start", *["delta"] * 20, "end"]), call, finish("completed")]
    whole = written(parts, None)
    for reader in range(70):
        got, visits = list[str](), 0
        while len(got) < len(whole):
            seen = tuple(map(int, got[-1].split("\n")[0].rpartition("-")[2].split("."))) if got else None
            visits += 1
            got += written(parts, seen)[: (reader + visits * (3 + reader % 7)) % 10]
        assert got == whole


def written(parts: list[Part], seen: Any) -> list[str]:
    """The events, each with its id, that a reader gets who has got those up to `seen`."""
    form = RunStream(Run("thread-1", "r1", [{"id": "m1", "role": "user", "content": "hello"}]), JOB.id, seen)
    text = "".join(form.part(JOB, number, json.dumps(part)) for number, part in enumerate(parts, 1))
    return text.split("\n\n")[:-1]


def test_a_run_waits_for_people_alone_once_every_other_call_waits_as_well() -> None:
    calls = OpenCalls()
    for call_id in ("asks", "operates"):
        calls.take({"type": "tool-input-available", "toolCallId": call_id, "toolName": "t", "input": {}})
    calls.take(data("checkpoint", type="approval", id="op_1", callId="asks", status="pending"))
    for status, alone in (("waiting", True), ("running", False)):
        calls.take(data("operation", callId="operates", status=status))
        assert calls.only_people_are_awaited is alone
    calls.take({"type": "tool-output-available", "toolCallId": "operates", "output": 1})
    assert calls.only_people_are_awaited
    calls.take(data("checkpoint", type="approval", id="op_1", callId="asks", status="approved"))
    assert not calls.only_people_are_awaited


def test_a_decision_without_a_part_lets_its_call_go_on() -> None:
    calls = OpenCalls()
    for call_id in ("one", "two"):
        calls.take({"type": "tool-input-available", "toolCallId": call_id, "toolName": "t", "input": {}})
        calls.take(data("checkpoint", type="approval", id=f"op_{call_id}", callId=call_id, status="pending"))
    assert calls.only_people_are_awaited
    calls.decided(frozenset({"op_one", "op_three"}))
    assert not calls.only_people_are_awaited
    assert calls.questions.keys() == {"op_two"}


QUESTION = {"id": "op_1", "callId": "c", "tool": "pay", "arguments": {"to": "Ann"}, "digest": "d", "title": "Pay?"}


def test_a_run_that_waits_for_people_alone_ends_with_their_questions() -> None:
    asked = data("checkpoint", type="approval", status="pending", expiresAt=None, **QUESTION)
    call = {"type": "tool-input-available", "toolCallId": "c", "toolName": "pay", "input": {"to": "Ann"}}
    (interrupt,) = events(call, asked)[-1]["outcome"]["interrupts"]
    assert isinstance(interrupt.pop("responseSchema"), dict)
    about = {name: QUESTION[name] for name in ("tool", "arguments", "digest")}
    assert interrupt == {
        "id": "op_1",
        "reason": "tool_call",
        "toolCallId": "c",
        "message": "Pay?",
        "metadata": {"baton": about},
    }


def test_what_is_open_at_the_end_is_closed() -> None:
    """A job that is cancelled in mid-text; a second end of a step is none."""
    parts = [STEP, *text("a", "start"), {"type": "abort", "reason": "x"}, finish("cancelled")]
    assert kinds(*parts) == [
        *("STEP_STARTED", "TEXT_MESSAGE_START", "TEXT_MESSAGE_END", "STEP_FINISHED", "RUN_FINISHED")
    ]
    assert events(*parts)[-1]["outcome"] == {"type": "cancelled"}
    assert kinds(STEP, {"type": "finish-step"}, {"type": "finish-step"}) == ["STEP_STARTED", "STEP_FINISHED"]


def test_a_failure_is_the_runs_error_and_a_retry_is_another_run() -> None:
    """Nothing stands between them; usage is the whole run's."""
    usage = data("usage", turn=1, inputTokens=3, outputTokens=4, costUsd=0, cached=False)
    failed = [STEP, usage, {"type": "error", "errorText": "broken"}, finish("failed"), data("memory", entries=1)]
    error = events(*failed)[-1]
    tokens = {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7}
    assert error == {"type": "RUN_ERROR", "message": "broken", "usage": [tokens]}
    again = [*failed, data("job-retried", run=2), STEP, finish("completed")]
    assert kinds(*again)[2:] == ["RUN_STARTED", "CUSTOM", "STEP_STARTED", "STEP_FINISHED", "RUN_FINISHED"]


@pytest.mark.parametrize(
    ("part", "wanted"),
    [
        (
            data("reflection", turn=1, text="good"),
            {"type": "REASONING_MESSAGE_CONTENT", "messageId": "job_1-1", "delta": "good"},
        ),
        (data("reflection", text="good"), {"type": "REASONING_MESSAGE_START", "role": "reasoning"}),
        (
            data("progress", callId="c", fraction=0.5, text="half"),
            {"type": "ACTIVITY_SNAPSHOT", "messageId": "c-progress", "activityType": "progress"},
        ),
        (
            data("plan-created", turn=2, steps=[]),
            {"type": "ACTIVITY_SNAPSHOT", "messageId": "job_1-plan-2", "activityType": "plan"},
        ),
        (text("a", "start")[0], {"type": "TEXT_MESSAGE_START", "messageId": "job_1-a", "role": "assistant"}),
        (
            data("checkpoint", type="info", title="state", data={"city": "Oslo"}),
            {"type": "STATE_SNAPSHOT", "snapshot": {"city": "Oslo"}},
        ),
        (data("operation", callId="c", status="waiting"), {"type": "CUSTOM", "name": "data-operation"}),
        (data("message", text="and?") | {"id": "m2"}, {"type": "TEXT_MESSAGE_START", "role": "user"}),
        (
            {"type": "tool-output-error", "toolCallId": "c", "errorText": "no"},
            {"type": "TOOL_CALL_RESULT", "messageId": "c-result", "content": "no", "metadata": {"error": True}},
        ),
    ],
)
def test_each_part_has_its_event(part: Part, wanted: dict[str, Any]) -> None:
    """Among others, where it has several."""
    assert any(wanted.items() <= event.items() for event in events(part))
    assert kinds(data("event", type="agent.loop.init"), {"type": "new"}) == [], (
        "an operator's timeline, and what is new"
    )


def test_a_run_whose_beginning_is_gone_begins_all_the_same_or_says_so_at_its_end() -> None:
    """Where the question that it answers is no longer kept, nobody knows where it began."""
    found = events(*text("a", "delta", "end"), STEP, first=400)
    assert [event["type"] for event in found] == ["RUN_STARTED", "STEP_STARTED"]
    form = RunStream(Run("thread-1", "r2", answers=frozenset({"op_x"})), JOB.id)
    assert form.part(JOB, 400, json.dumps(STEP)) == ""
    started, lost = [json.loads(line[6:]) for line in form.ending(JOB).split("\n\n")[:-1]]
    message = "job job_1 has ended, and this run of it is no longer kept"
    assert (started["type"], lost) == ("RUN_STARTED", {"type": "RUN_ERROR", "message": message, "code": "gone"})


def test_each_call_has_the_turn_s_text_as_its_parent_and_an_abandoned_one_none() -> None:
    call = {"type": "tool-input-available", "toolCallId": "c", "toolName": "look", "input": {}}
    for parts in ([STEP], [STEP, *text("a", "start", "end"), data("retry", textId="a")]):
        starts = [each for each in events(*parts, call) if each["type"] == "TOOL_CALL_START"]
        assert [each["parentMessageId"] for each in starts] == ["c"]
