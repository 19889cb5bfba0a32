"""When a summary is due, and what its writer is told."""

from typing import Any

from baton.conversation.conversation import conversation_of, size_bytes
from baton.conversation.fitting import due, entry_of, request_of
from baton.conversation.policy import Summarize
from baton.engine.commit.answers import History
from baton.models.model import UserMessage
from tests.unit.baton.conversation.sample_history import TASK, history_of, streamed_text, summary

POLICY = Summarize(1_000, keep_turns=2)


def numbers_due(history: History, limit_bytes: int) -> list[int]:
    return [turn.number for turn in due(conversation_of(history), POLICY, limit_bytes)]


def text_for(history: History, limit_bytes: int = 10_000) -> str:
    conversation = conversation_of(history)
    old = conversation.turns[:-2]
    [message] = request_of(conversation, old, limit_bytes).messages
    assert isinstance(message, UserMessage)
    return message.text


def test_nothing_is_due_while_everything_fits() -> None:
    history = history_of(6)
    size = conversation_of(history).size_bytes
    assert numbers_due(history, size) == []
    assert numbers_due(history, size - 1) == [1, 2, 3, 4]


def test_what_a_summary_covers_is_not_due_again() -> None:
    assert numbers_due(history_of(9, 400, summary(4)), 2_000) == [5, 6, 7]


def test_a_summary_that_would_gain_little_is_not_due() -> None:
    """Else each turn of a conversation whose newest turns are large would write one."""
    history = history_of(5, 400, summary(2))
    history.results["c5"] = {"ok": "x" * 10_000}
    assert numbers_due(history, 5_000) == []


def test_the_newest_turns_alone_are_never_due() -> None:
    assert numbers_due(history_of(2, 10_000), 1_000) == []


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
