"""A conversation is made to fit: what goes first, and what never goes."""

from hypothesis import given
from hypothesis import strategies as st

from baton.conversation.conversation import conversation_of, size_bytes
from baton.conversation.fitting import LEAST_RESULT_BYTES, fit
from baton.engine.commit.answers import History
from tests.unit.baton.conversation.sample_history import TASK, history_of, streamed_text, summary


def fitted(history: History, limit_bytes: int) -> History:
    return fit(conversation_of(history), limit_bytes).history()


def test_what_fits_is_given_whole() -> None:
    history = history_of(5)
    assert fitted(history, conversation_of(history).size_bytes) == history


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


def test_the_newest_turn_is_sent_whatever_its_size() -> None:
    found = fitted(history_of(3, 50_000), 600)
    assert [entry["role"] for entry in found.transcript] == ["user", "omitted", "model"]
    assert list(found.results) == ["c3"]


def test_a_task_that_is_too_large_is_given_whole() -> None:
    """The provider will say so; a job without its task is none."""
    task = {**TASK, "text": "t" * 10_000}
    found = fitted(History((task, streamed_text(1)), {"c1": {"ok": "r"}}), 1_000)
    assert found.transcript == (task, streamed_text(1))


def test_a_summary_stays_when_turns_after_it_go() -> None:
    found = fitted(history_of(9, 300, summary(3)), 1_500)
    assert [entry["role"] for entry in found.transcript[:3]] == ["user", "summary", "omitted"]


@given(
    sizes=st.lists(st.integers(0, 5_000), max_size=12),
    limit_bytes=st.integers(0, 30_000),
    up_to=st.integers(0, 5),
)
def test_whatever_the_sizes_calls_and_results_stay_together_and_the_limit_is_held(
    sizes: list[int], limit_bytes: int, up_to: int
) -> None:
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
