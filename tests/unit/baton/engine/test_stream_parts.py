"""The entries of a job's stream: valid JSON always, in the shapes of the UI message stream."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton.engine import stream_parts
from baton.engine.state import CallRecord
from baton.engine.step_results import ModelAnswered
from baton.engine.work_items import ItemKind, slot_request_item
from baton.sdk.records import Failure
from baton.sdk.redaction import redacted
from baton_events.ids import canonical_json, event_id
from tests.unit.baton.engine.part_reader import decoded, types_of
from tests.unit.baton.engine.sample_state import CLAIMED_MS, NOW_MS, call_record, call_state, turn_state

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def strict(text: str) -> Any:
    """The value of a text that is JSON to the letter: no NaN, and nothing that UTF-8 cannot carry."""

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is no JSON")

    return json.loads(text.encode().decode(), parse_constant=refuse)


@given(st.text())
def test_a_text_of_any_kind_is_streamed_as_one_block(content: str) -> None:
    found = [strict(part) for part in stream_parts.text("text-2-1-abc", content)]
    if not content:
        assert found == []
        return
    assert [part["type"] for part in found] == ["text-start", "text-delta", "text-end"]
    assert {part["id"] for part in found} == {"text-2-1-abc"}
    assert found[1]["delta"] == content


@given(st.text(), st.dictionaries(st.text(), JSON_VALUES, max_size=3), JSON_VALUES)
def test_a_call_with_any_arguments_and_any_result_is_streamed(
    tool: str, arguments: dict[str, Any], result: Any
) -> None:
    """By the call's id, which ties the two; secrets apart."""
    requested = strict(stream_parts.tool_input(CallRecord("call_1", 1, 0, tool, arguments)))
    assert requested == {
        "type": "tool-input-available",
        "toolCallId": "call_1",
        "toolName": tool,
        "input": redacted(arguments),
    }
    returned = strict(stream_parts.tool_output("call_1", canonical_json(result)))
    assert returned == {"type": "tool-output-available", "toolCallId": "call_1", "output": result}


@given(st.text(), st.text())
def test_an_error_with_any_message_is_streamed(kind: str, message: str) -> None:
    failure = Failure(kind, message)
    assert strict(stream_parts.tool_error("call_1", failure))["errorText"] == message
    error, end = (strict(part) for part in stream_parts.finish("failed", failure))
    assert (error["type"], error["errorText"], end["type"]) == ("error", message, "finish")


@pytest.mark.parametrize("character", ["x", "漢"])
def test_a_result_is_repeated_up_to_a_limit_of_bytes(character: str) -> None:
    width = len(character.encode())
    fits = character * ((stream_parts.INLINE_RESULT_BYTES - 2) // width)
    assert decoded([stream_parts.tool_output("c", f'"{fits}"')])[0]["output"] == fits
    size_bytes = len((fits + "xxx").encode()) + 2
    too_large = decoded([stream_parts.tool_output("c", f'"{fits}xxx"')])[0]["output"]
    assert too_large == {"storedApart": True, "sizeBytes": size_bytes}


def test_a_turn_ends_the_one_before() -> None:
    assert types_of(stream_parts.step_start(1)) == ["start-step"]
    assert types_of(stream_parts.step_start(2)) == ["finish-step", "start-step"]


def test_a_job_begins_and_ends_once() -> None:
    assert decoded([stream_parts.start("job_1"), *stream_parts.finish("completed")]) == [
        {"type": "start", "messageId": "job_1"},
        {"type": "finish", "messageMetadata": {"status": "completed"}},
    ]


def test_a_handled_event_says_which_how_long_and_what_came_of_it() -> None:
    state = call_state(ItemKind.CALL, call_record(), 2)
    [found] = decoded([stream_parts.handled(state.item, NOW_MS, "returned")])
    assert found == {
        "type": "data-event",
        "transient": True,
        "data": {
            "eventId": event_id(state.item.key),
            "type": "agent.tool.call",
            "turn": 2,
            "attempt": 2,
            "at": NOW_MS,
            "durationMs": NOW_MS - CLAIMED_MS,
            "outcome": "returned",
            "tool": "read_file",
            "callId": "job_1-2-0-aaaaaaaaaa",
            "position": 0,
        },
    }


@pytest.mark.parametrize("cost_usd", [0, 0.0, 0.000001, 0.25])
def test_parts_are_written_as_one_text_whichever_code_writes_them(cost_usd: float) -> None:
    failure, answer = Failure("kind", "why", retryable=True), ModelAnswered("é", cost_usd=cost_usd)
    found = [
        *(
            stream_parts.start("job_1"),
            stream_parts.job_retried(2, from_start=True, by="me"),
            stream_parts.usage(1, answer),
        ),
        *(
            *stream_parts.text("text-1", "é\n"),
            *stream_parts.abandoned("text-1"),
            *stream_parts.step_start(2),
            *stream_parts.finish("x", failure),
        ),
        stream_parts.handled(call_state(ItemKind.CALL).item, NOW_MS, "failed", failure),
        stream_parts.handled(turn_state().item, NOW_MS, "asks"),
        *(stream_parts.tool_error("call_1", failure), stream_parts.abort("why")),
    ]
    assert found == [canonical_json(json.loads(part)) for part in found]


def test_a_turns_event_names_no_tool() -> None:
    """Nor does a clock that went back make a negative duration."""
    [found] = decoded([stream_parts.handled(turn_state().item, CLAIMED_MS - 5, "answers")])
    assert found["data"]["durationMs"] == 0
    assert set(found["data"]) == {"eventId", "type", "turn", "attempt", "at", "durationMs", "outcome"}


def test_a_slot_request_is_rendered_as_the_type_that_carries_it() -> None:
    [found] = decoded([stream_parts.handled(slot_request_item("job_1", "slot", 1, NOW_MS), NOW_MS, "heard")])
    assert found["data"]["type"] == "agent.loop.init"


def test_a_planner_that_thinks_nothing_says_nothing() -> None:
    assert stream_parts.reflection(2, "") == ()
    assert decoded(stream_parts.reflection(2, "it went well")) == [
        {"type": "data-reflection", "data": {"turn": 2, "text": "it went well"}}
    ]
