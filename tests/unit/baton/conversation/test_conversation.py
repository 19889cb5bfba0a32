"""A history in turns."""

import pytest

from baton.conversation.conversation import compacted, conversation_of, size_bytes, summarized
from baton.engine.commit.answers import History
from tests.unit.baton.conversation.sample_history import TASK, history_of, streamed_text, summary


def test_a_history_is_read_and_rendered_as_it_was() -> None:
    history = history_of(3)
    assert conversation_of(history).history() == history


def test_a_job_that_has_not_streamed_text_has_only_its_head() -> None:
    conversation = conversation_of(History((TASK,)))
    assert (conversation.head, conversation.turns) == ((TASK,), ())


def test_the_newest_summary_stands_for_the_turns_that_it_covers() -> None:
    conversation = conversation_of(
        history_of(4, 10, summary(1, "old"), streamed_text(5), summary(3, "new"), streamed_text(6))
    )
    found = conversation.history()
    assert found.transcript == (TASK, summary(3, "new"), streamed_text(4), streamed_text(5), streamed_text(6))
    assert list(found.results) == ["c4"]
    assert [turn.number for turn in conversation.turns] == [4, 5, 6]


def test_entries_of_unknown_roles_stay_where_they_stand() -> None:
    """Before the first turn with the task, later with the turn before."""
    memory, later = {"role": "memory", "entries": ["m"]}, {"role": "later"}
    entries = (memory, TASK, streamed_text(1), later, streamed_text(2))
    conversation = conversation_of(History(entries))
    assert conversation.head == (memory, TASK)
    assert conversation.turns[0].entries == (streamed_text(1), later)
    assert conversation.history().transcript == entries


def test_what_the_user_wrote_later_stays_when_its_turn_is_left_out() -> None:
    more = {"role": "user", "text": "and this"}
    conversation = conversation_of(History((TASK, streamed_text(1), more, streamed_text(2))))
    assert summarized(conversation, summary(1)).history().transcript == (TASK, more, summary(1), streamed_text(2))


def test_turns_that_are_summed_up_need_not_be_loaded_any_more() -> None:
    history = history_of(6)
    assert compacted(history, 4) == (1, 5)
    assert compacted(history, 6) == (1, 7)
    entries = (TASK, *(streamed_text(n) for n in (5, 6)), summary(4), streamed_text(7), streamed_text(8))
    assert compacted(History(entries, compacted=(1, 5)), 6) == (1, 8)
    assert compacted(History(entries, compacted=(1, 5)), 7) == (1, 9)


@pytest.mark.parametrize("role", ["user", "of the future"])
def test_turns_with_something_else_among_them_are_loaded_again(role: str) -> None:
    """What the user said is always told."""
    history = History((TASK, streamed_text(1), {"role": role}, streamed_text(2), streamed_text(3)))
    assert compacted(history, 1) is None
    assert compacted(history, 2) is None


def test_what_a_retried_job_remembered_anew_stays_visible() -> None:
    """It stands behind what is left out of the runs before, and before the turns to sum up."""
    entries = [{"role": role, "turn": turn} for turn, role in enumerate(("user", "memory", "model", "model"))]
    assert compacted(History(tuple(entries), compacted=(1, 5)), 2) is None
    kept = [{"role": role, "turn": turn} for turn, role in enumerate(("user", "model", "model"))]
    assert compacted(History(tuple(kept), compacted=(1, 5)), 1) == (1, 6)


def test_sizes_add_up_to_what_is_sent() -> None:
    assert size_bytes("é") == 4
    found = conversation_of(history_of(2, 50))
    history = found.history()
    assert found.size_bytes == sum(map(size_bytes, (*history.transcript, *history.results.values())))
    assert found.head_bytes == size_bytes(TASK)
