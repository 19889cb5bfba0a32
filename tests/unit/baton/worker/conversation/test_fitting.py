"""A conversation is made to fit: results are told in short, turns are left out or summed up, and some never go."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton.engine.commit.answers import History
from baton.sdk.agents.history import Summarize
from baton.sdk.models.model import UserMessage
from baton.worker.conversation.conversation import Turn, conversation_of, size_bytes
from baton.worker.conversation.exchanges import fitting
from baton.worker.conversation.fitting import LEAST_RESULT_BYTES, cut, due, entry_of, fit, request_of, shorten
from tests.unit.baton.worker.conversation.sample_history import TASK, history_of, streamed_text, summary


def fitted(history: History, limit_bytes: int) -> History:
    return fit(conversation_of(history), limit_bytes).history()


def test_the_oldest_turns_go_first_and_the_number_is_shown() -> None:
    history = history_of(10, 200)
    found = fitted(history, 2_000)
    omitted = found.transcript[1]
    left = omitted["turns"]
    assert omitted["role"] == "omitted"
    assert found.transcript == (TASK, omitted, *history.transcript[1 + left :])
    assert sorted(found.results) == sorted(f"c{number}" for number in range(left + 1, 11))
    assert 0 < left < 9


def test_a_large_result_does_not_push_out_all_other_turns() -> None:
    history = history_of(4, 100, streamed_text(5))
    history.results["c5"] = {"ok": "x" * 100_000}
    found = fitted(history, 4_000)
    assert found.transcript == history.transcript
    assert "left out here" in found.results["c5"]["ok"]


def test_a_summary_stays_when_turns_after_it_go() -> None:
    found = fitted(history_of(9, 300, summary(3)), 1_500)
    assert [entry["role"] for entry in found.transcript[:3]] == ["user", "summary", "omitted"]


@given(sizes=st.lists(st.integers(0, 5_000), max_size=12), limit_bytes=st.integers(0, 30_000), up_to=st.integers(0, 5))
def test_whatever_the_sizes_calls_and_results_stay_together_and_the_limit_is_held(
    sizes: list[int], limit_bytes: int, up_to: int
) -> None:
    """The task, and the newest turn, are sent whatever their size; what fits is given whole."""
    numbers = range(1, len(sizes) + 1)
    results = {f"c{number}": {"ok": "x" * size} for number, size in zip(numbers, sizes, strict=True)}
    summaries = (summary(up_to),) if up_to < len(sizes) and up_to else ()
    history = History((TASK, *map(streamed_text, numbers), *summaries), results)
    found = fitted(history, limit_bytes)
    requested = [call["id"] for entry in found.transcript if entry["role"] == "model" for call in entry["calls"]]
    assert requested == list(found.results)
    assert found.transcript[0] == TASK
    assert requested[-1:] == [f"c{number}" for number in numbers][-1:]
    history_bytes = sum(map(size_bytes, (*found.transcript, *found.results.values())))
    unavoidable = conversation_of(history).head_bytes + size_bytes(streamed_text(99)) + LEAST_RESULT_BYTES + 50
    assert history_bytes <= max(limit_bytes, unavoidable)
    assert fitted(history, limit_bytes) == found
    whole = conversation_of(history)
    assert fitted(history, whole.size_bytes) == whole.history()


def test_of_told_calls_the_newest_stay_and_the_others_are_counted() -> None:
    lines = tuple(f"- call {number} {'x' * 90}" for number in range(10))
    assert fitting(lines, 1_000) == lines
    assert fitting(lines, 260) == ("- 8 calls before these are left out here.", *lines[-2:])


def turn_of(**results: object) -> Turn:
    return Turn(1, (streamed_text(1),), {name: {"ok": value} for name, value in results.items()})


def test_what_fits_and_what_the_model_said_stays_as_it_is() -> None:
    for turn in (turn_of(a="x" * 1000), Turn(1, (streamed_text(1, text="x" * 5_000),), {})):
        assert shorten(turn, turn_of(a="x" * 1000).size_bytes) is turn


def test_a_result_keeps_its_beginning_and_its_end() -> None:
    """Of its JSON where it is no text."""
    rows = shorten(turn_of(a={"rows": list(range(10_000))}), 1_000).results["a"]["ok"]
    assert (rows[:14], rows[-6:]) == ('{"rows":[0,1,2', "9999]}")
    turn = shorten(turn_of(a="begin" + "x" * 100_000 + "end"), 2_000)
    text = turn.results["a"]["ok"]
    assert text.startswith("beginxx")
    assert text.endswith("xxend")
    assert "of 100008 bytes are left out here" in text
    assert turn.size_bytes <= 2_000


def test_small_results_stay_whole_and_large_ones_share_the_room_that_they_leave() -> None:
    turn = shorten(turn_of(small="s" * 300, a="a" * 50_000, b="b" * 90_000), 4_000)
    assert turn.results["small"] == {"ok": "s" * 300}
    assert 3_000 < turn.size_bytes <= 4_000
    assert abs(len(turn.results["a"]["ok"]) - len(turn.results["b"]["ok"])) < 10


def test_a_long_error_stays_an_error() -> None:
    turn = Turn(1, (streamed_text(1),), {"a": {"error": {"type": "boom", "message": "m" * 10_000}}})
    error = shorten(turn, 1_000).results["a"]["error"]
    assert error["type"] == "boom"
    assert "are left out here" in error["message"]


@pytest.mark.parametrize("limit_bytes", [0, 97, 150])
def test_a_cut_never_splits_a_character(limit_bytes: int) -> None:
    assert "\ufffd" not in cut("é😀" * 1_000, limit_bytes)
    assert cut("short", 5) == "short"


POLICY = Summarize(1_000, keep_turns=2)


def numbers_due(history: History, limit_bytes: int) -> list[int]:
    return [turn.number for turn in due(conversation_of(history), POLICY, limit_bytes)]


def text_for(history: History, limit_bytes: int = 10_000) -> str:
    conversation = conversation_of(history)
    old = conversation.turns[:-2]
    [message] = request_of(conversation, old, limit_bytes).messages
    assert isinstance(message, UserMessage)
    return message.text


def test_nothing_is_due_while_everything_fits_nor_what_is_covered_or_newest() -> None:
    history = history_of(6)
    size = conversation_of(history).size_bytes
    assert numbers_due(history, size) == []
    assert numbers_due(history, size - 1) == [1, 2, 3, 4]
    assert numbers_due(history_of(9, 400, summary(4)), 2_000) == [5, 6, 7]
    assert numbers_due(history_of(2, 10_000), 1_000) == []


def test_a_summary_that_would_gain_little_is_not_due() -> None:
    """Else each turn of a conversation whose newest turns are large would write one."""
    history = history_of(5, 400, summary(2))
    history.results["c5"] = {"ok": "x" * 10_000}
    assert numbers_due(history, 5_000) == []


def test_the_writer_reads_plain_text_with_task_former_summary_turns_and_results() -> None:
    """No calls and no tools, which some providers refuse without each other."""
    task = {**TASK, "data": {"n": 1}}
    requested = [{"id": "c9", "tool": "fly", "arguments": {}, "error": {"type": "unknown_tool", "message": "no"}}]
    refused = streamed_text(2, text="", calls=[*streamed_text(2)["calls"], *requested])
    results: dict[str, dict[str, Any]] = {"c1": {"ok": "one"}, "c2": {"error": {"type": "boom", "message": "broke"}}}
    history = History((task, streamed_text(1), refused, streamed_text(3), streamed_text(4)), results)
    assert text_for(history) == (
        'The task:\ndo it {"n":1}\n'
        '\nTurn 1:\nturn 1\ncalled read({"n":1})\n→ one\n'
        '\nTurn 2:\ncalled read({"n":2})\n→ {"error":{"message":"broke","type":"boom"}}\n'
        'called fly({})\n→ {"error":{"message":"no","type":"unknown_tool"}}'
    )
    only_data = History(({"role": "user", "v": 1, "data": {"n": 1}}, *history.transcript[1:]), results)
    assert text_for(only_data).startswith('The task:\n {"n":1}\n')
    only_text = History((TASK, *history.transcript[1:]), results)
    assert text_for(only_text).startswith("The task:\ndo it\n\nTurn 1:")
    again = text_for(history_of(6, 10, summary(2, "what was found")))
    assert "Summary of what was before:\nwhat was found\n\nTurn 3:" in again


def test_what_the_writer_reads_fits_as_well() -> None:
    text = text_for(history_of(6, 50_000), 8_000)
    assert all(f"Turn {number}:" in text for number in (1, 2, 3, 4))
    assert len(text.encode()) < 9_000


def test_a_summary_says_up_to_which_turn_and_does_not_fill_the_limit() -> None:
    old = conversation_of(history_of(4)).turns
    assert entry_of("short", old, 4_000) == {"role": "summary", "upTo": 4, "text": "short", "v": 1}
    assert size_bytes(entry_of("x" * 50_000, old, 4_000)) < 1_100


@pytest.mark.parametrize("stored", [{"ok": "x" * 5_000}, {"error": {"type": "E", "message": "x" * 5_000}}])
def test_that_a_person_changed_a_call_is_told_however_short_its_result_is(stored: dict[str, Any]) -> None:
    turn = Turn(1, (streamed_text(1),), {"a": {**stored, "edited": {"amount": 5}}})
    short = shorten(turn, 1_000).results["a"]
    assert short["edited"] == {"amount": 5}
    assert size_bytes(short) < 1_500
