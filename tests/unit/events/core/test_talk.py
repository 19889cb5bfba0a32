"""What a turn decides about a text of which something was appended while it was made."""

import pytest
from msgspec.structs import replace

from baton.core import parts
from baton.core.decide import decide
from baton.core.effects import Changes, Decision, Talk
from baton.core.happenings import ModelAnswered, Spoken, Wanted
from baton.core.limits import Limits
from tests.unit.events.core.part_reader import decoded, types_of
from tests.unit.events.core.sample_state import JOB, NOW_MS, turn_state

READ = Wanted("read_file", {"path": "a"})
SPOKEN = Spoken("text-2-1-x.1", 3, "It is")
LEG = turn_state().leg
WHOLE_ID = parts.text_id(LEG.turn, LEG.attempt, LEG.owner)


def changes_of(decision: Decision) -> Changes:
    """What is to be committed."""
    assert decision.changes is not None
    return decision.changes


def test_a_text_that_was_appended_goes_on_and_is_said_anew_if_it_is_gone() -> None:
    """The step was begun with it; the rest and the whole are the same text."""
    changes = changes_of(decide(turn_state(), ModelAnswered("It is 42.", spoken=SPOKEN), NOW_MS))
    assert changes.talk == Talk(
        "text-2-1-x.1",
        3,
        parts.text_rest("text-2-1-x.1", " 42."),
        (*parts.step_start(2), *parts.text(WHOLE_ID, "It is 42.")),
    )
    assert types_of(changes.parts) == ["data-usage", "finish-step", "data-event", "finish"]


def test_a_text_that_was_appended_whole_only_ends() -> None:
    """No empty part."""
    spoken = replace(SPOKEN, text="It is 42.")
    talk = changes_of(decide(turn_state(), ModelAnswered("It is 42.", (READ,), spoken=spoken), NOW_MS)).talk
    assert talk is not None
    assert types_of(talk.rest) == ["text-end"]


@pytest.mark.parametrize("text", ["Another answer.", "It", ""])
def test_a_text_that_is_not_what_was_appended_is_said_whole(text: str) -> None:
    """What was appended is abandoned by the script."""
    changes = changes_of(decide(turn_state(), ModelAnswered(text, spoken=SPOKEN), NOW_MS))
    assert changes.talk is None
    assert types_of(changes.parts)[:2] == ["finish-step", "start-step"]
    assert [part["delta"] for part in decoded(changes.parts) if part["type"] == "text-delta"] == [text] * bool(text)


def test_a_text_of_which_nothing_is_made_before_a_person_decides_does_not_go_on() -> None:
    """It is said again, by the attempt that follows."""
    job = replace(JOB, limits=Limits(tool_calls=1, on_limit="ask"))
    changes = changes_of(decide(turn_state(job), ModelAnswered("It is 42.", (READ,), spoken=SPOKEN), NOW_MS))
    assert (changes.ends, changes.talk) == (False, None)


def test_two_claims_of_a_turn_say_under_different_ids() -> None:
    """So do two attempts."""
    ids = {parts.text_id(turn, attempt, owner) for turn in (1, 2) for attempt in (1, 2) for owner in ("o1", "o2")}
    assert len(ids) == 8
