"""The entries of a job's stream: valid JSON always, in the shapes of the UI message stream, and texts that go on."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from baton.engine import stream_parts
from baton.engine.decide import decide
from baton.engine.effects import TextStream
from baton.engine.state import CallRecord
from baton.engine.step_results import ModelAnswered, StreamedText
from baton.engine.work_items import ItemKind, slot_request_item
from baton.sdk.records.limits import Limits
from baton.sdk.records.redaction import redacted
from baton.sdk.records.transcript import Failure, Wanted
from baton_events.ids import canonical_json, event_id
from tests.unit.baton.engine.sample_state import (
    CLAIMED_MS,
    JOB,
    NOW_MS,
    call_record,
    call_state,
    changes_of,
    decoded,
    turn_state,
    types_of,
)

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


def test_a_handled_event_says_which_how_long_and_what_came_of_it() -> None:
    """A turn's names no tool, and a clock that went back makes no negative duration."""
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
    [turns] = decoded([stream_parts.handled(turn_state().item, CLAIMED_MS - 5, "answers")])
    assert turns["data"]["durationMs"] == 0
    assert set(turns["data"]) == set(found["data"]) - {"tool", "callId", "position"}
    [slot] = decoded([stream_parts.handled(slot_request_item("job_1", "slot", 1, NOW_MS), NOW_MS, "heard")])
    assert slot["data"]["type"] == "agent.loop.init"


@pytest.mark.parametrize("cost_usd", [0, 0.0, 0.000001, 0.25])
def test_parts_are_written_as_one_text_whichever_code_writes_them(cost_usd: float) -> None:
    failure, answer = Failure("kind", "why", retryable=True), ModelAnswered("é", cost_usd=cost_usd)
    found = [
        *(
            stream_parts.start("job_1"),
            stream_parts.job_retried(2, NOW_MS, from_start=True, by="me"),
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


def test_a_job_begins_and_ends_once_and_a_turn_ends_the_one_before() -> None:
    assert decoded([stream_parts.start("job_1"), *stream_parts.finish("completed")]) == [
        {"type": "start", "messageId": "job_1"},
        {"type": "finish", "messageMetadata": {"status": "completed"}},
    ]
    assert types_of(stream_parts.step_start(1)) == ["start-step"]
    assert types_of(stream_parts.step_start(2)) == ["finish-step", "start-step"]
    assert stream_parts.reflection(2, "") == ()


READ = Wanted("read_file", {"path": "a"})
STREAMED_TEXT = StreamedText("text-2-1-x.1", 3, "It is")
ITEM = turn_state().item
WHOLE_ID = stream_parts.text_id(ITEM.turn, ITEM.attempt, ITEM.owner)


def test_a_text_that_was_appended_goes_on_and_is_streamed_anew_if_it_is_gone() -> None:
    """One that was appended whole only ends; two claims of a turn say under different ids."""
    changes = changes_of(decide(turn_state(), ModelAnswered("It is 42.", streamed_text=STREAMED_TEXT), NOW_MS))
    assert changes.text_stream == TextStream(
        "text-2-1-x.1",
        3,
        stream_parts.text_rest("text-2-1-x.1", " 42."),
        (*stream_parts.step_start(2), *stream_parts.text(WHOLE_ID, "It is 42.")),
    )
    assert types_of(changes.parts) == ["data-usage", "finish-step", "data-event", "finish"]
    whole = ModelAnswered("It is 42.", (READ,), streamed_text=replace(STREAMED_TEXT, text="It is 42."))
    text_stream = changes_of(decide(turn_state(), whole, NOW_MS)).text_stream
    assert text_stream is not None
    assert types_of(text_stream.rest) == ["text-end"]
    assert len({stream_parts.text_id(*each) for each in itertools.product((1, 2), (1, 2), ("o1", "o2"))}) == 8


@pytest.mark.parametrize("text", ["Another answer.", "It", ""])
def test_a_text_that_is_not_what_was_appended_is_streamed_whole(text: str) -> None:
    changes = changes_of(decide(turn_state(), ModelAnswered(text, streamed_text=STREAMED_TEXT), NOW_MS))
    assert changes.text_stream is None
    assert types_of(changes.parts)[:2] == ["finish-step", "start-step"]
    assert [part["delta"] for part in decoded(changes.parts) if part["type"] == "text-delta"] == [text] * bool(text)


def test_a_text_of_which_nothing_is_made_before_a_person_decides_does_not_go_on() -> None:
    job = replace(JOB, limits=Limits(tool_calls=1, on_limit="ask"))
    changes = changes_of(
        decide(turn_state(job), ModelAnswered("It is 42.", (READ,), streamed_text=STREAMED_TEXT), NOW_MS)
    )
    assert (changes.ends, changes.text_stream) == (False, None)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_json_does_not_have_is_never_written(value: float) -> None:
    """`NaN` in a part would break every browser's JSON.parse."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        stream_parts.tool_input(CallRecord("c", 1, 0, "unknown", {"x": value}))
