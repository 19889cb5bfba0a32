"""What a turn decides about a text of which something was appended while it was made."""

import pytest
from msgspec.structs import replace

from baton.engine import stream_parts
from baton.engine.decide import decide
from baton.engine.effects import Changes, Decision, TextStream
from baton.engine.step_results import ModelAnswered, StreamedText
from baton.sdk.limits import Limits
from baton.sdk.records import Wanted
from tests.unit.baton.engine.part_reader import decoded, types_of
from tests.unit.baton.engine.sample_state import JOB, NOW_MS, turn_state

READ = Wanted("read_file", {"path": "a"})
STREAMED_TEXT = StreamedText("text-2-1-x.1", 3, "It is")
ITEM = turn_state().item
WHOLE_ID = stream_parts.text_id(ITEM.turn, ITEM.attempt, ITEM.owner)


def changes_of(decision: Decision) -> Changes:
    assert decision.changes is not None
    return decision.changes


def test_a_text_that_was_appended_goes_on_and_is_streamed_anew_if_it_is_gone() -> None:
    changes = changes_of(decide(turn_state(), ModelAnswered("It is 42.", streamed_text=STREAMED_TEXT), NOW_MS))
    assert changes.text_stream == TextStream(
        "text-2-1-x.1",
        3,
        stream_parts.text_rest("text-2-1-x.1", " 42."),
        (*stream_parts.step_start(2), *stream_parts.text(WHOLE_ID, "It is 42.")),
    )
    assert types_of(changes.parts) == ["data-usage", "finish-step", "data-event", "finish"]


def test_a_text_that_was_appended_whole_only_ends() -> None:
    streamed_text = replace(STREAMED_TEXT, text="It is 42.")
    text_stream = changes_of(
        decide(turn_state(), ModelAnswered("It is 42.", (READ,), streamed_text=streamed_text), NOW_MS)
    ).text_stream
    assert text_stream is not None
    assert types_of(text_stream.rest) == ["text-end"]


@pytest.mark.parametrize("text", ["Another answer.", "It", ""])
def test_a_text_that_is_not_what_was_appended_is_streamed_whole(text: str) -> None:
    changes = changes_of(decide(turn_state(), ModelAnswered(text, streamed_text=STREAMED_TEXT), NOW_MS))
    assert changes.text_stream is None
    assert types_of(changes.parts)[:2] == ["finish-step", "start-step"]
    assert [part["delta"] for part in decoded(changes.parts) if part["type"] == "text-delta"] == [text] * bool(text)


def test_a_text_of_which_nothing_is_made_before_a_person_decides_does_not_go_on() -> None:
    """It is said again, by the attempt that follows."""
    job = replace(JOB, limits=Limits(tool_calls=1, on_limit="ask"))
    changes = changes_of(
        decide(turn_state(job), ModelAnswered("It is 42.", (READ,), streamed_text=STREAMED_TEXT), NOW_MS)
    )
    assert (changes.ends, changes.text_stream) == (False, None)


def test_two_claims_of_a_turn_say_under_different_ids() -> None:
    ids = {
        stream_parts.text_id(turn, attempt, owner) for turn in (1, 2) for attempt in (1, 2) for owner in ("o1", "o2")
    }
    assert len(ids) == 8
