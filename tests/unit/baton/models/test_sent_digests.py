"""The digest of a conversation is that of all of it, whatever is known of the turn before."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton.models.fingerprint import DIGEST_CHARS, LIMIT_BYTES, PromptDigests, fingerprint, prompt_value
from baton.models.model import Message, ModelMessage, PastCall, ToolMessage, UserMessage

CONTENTS = st.one_of(
    st.none(), st.integers(0, 3), st.text("ab\ud800é", max_size=3), st.just({"token": "secret", "b": [1]})
)
MESSAGES = st.one_of(
    st.builds(UserMessage, st.text("ab", max_size=2), st.just({}), st.booleans()),
    st.builds(
        ModelMessage, st.text("ab", max_size=2), st.builds(lambda n: (PastCall(f"c{n}", "t", {}),), st.integers(0, 5))
    ),
    st.builds(ToolMessage, st.integers(0, 5).map(lambda n: f"c{n}"), st.just("t"), CONTENTS, st.booleans()),
)
# In which job, how many of the messages before still stand, and what is told after them.
TURNS = st.tuples(st.sampled_from(["", "a", "b", "c"]), st.integers(0, 12), st.lists(MESSAGES, max_size=4))


class Counting(PromptDigests):
    """Counts what is read."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        super().__init__(self._counted, limit_bytes)
        self.read = 0

    def _counted(self, messages: Sequence[Message], numbers: dict[str, int]) -> list[Any]:
        self.read += len(messages)
        return prompt_value(messages, numbers)


def whole(messages: Sequence[Message]) -> str:
    """The digest by itself."""
    return fingerprint(prompt_value(messages))


def a_conversation(turns: int) -> tuple[Message, ...]:
    """A task, and so many calls with their results."""
    found: list[Message] = [UserMessage("do it", {"n": 1})]
    for number in range(turns):
        call = PastCall(f"job_a-{number}-0", "add", {"a": number})
        found += [ModelMessage("", (call,)), ToolMessage(call.call_id, "add", {"sum": number})]
    return tuple(found)


@given(turns=st.lists(TURNS, max_size=12), limit_bytes=st.sampled_from([0, 100, 300, LIMIT_BYTES]))
def test_it_is_that_of_all_messages(turns: list[tuple[str, int, list[Message]]], limit_bytes: int) -> None:
    """Whatever was told in which job before."""
    digests, found = PromptDigests(prompt_value, limit_bytes), dict[str, tuple[Message, ...]]()
    for job_id, stands, more in turns:
        found[job_id] = (*found.get(job_id, ())[:stands], *more)
        assert digests.of(job_id, found[job_id])[:DIGEST_CHARS] == whole(found[job_id])


def test_each_message_is_read_once() -> None:
    """Though each turn brings them anew."""
    digests = Counting()
    for turns in range(50):
        digests.of("job_a", a_conversation(turns))
    assert digests.read == len(a_conversation(49))


def test_who_changes_what_was_sent_changes_nothing_here() -> None:
    """A model is foreign code, and has the very values."""
    digests, found = Counting(), a_conversation(2)
    before = digests.of("job_a", found)
    last = found[-1]
    assert isinstance(last, ToolMessage)
    last.content["sum"] = "something else"
    assert digests.of("job_a", a_conversation(2)) == before


def test_what_is_no_json_is_refused_and_forgotten() -> None:
    """The next turn is digested as a whole."""
    digests, wrong = Counting(), ToolMessage("c", "add", float("nan"))
    digests.of("job_a", a_conversation(1))
    with pytest.raises(ValueError, match="JSON"):
        digests.of("job_a", (*a_conversation(1), wrong))
    assert digests.of("job_a", a_conversation(2))[:DIGEST_CHARS] == whole(a_conversation(2))


def test_no_more_is_kept_than_there_is_room_for() -> None:
    """The longest unused goes first; what is larger by itself is not kept."""
    digests = Counting(limit_bytes=200)
    for job_id in ("job_a", "job_b", "job_a", "job_c"):
        digests.of(job_id, a_conversation(1))
    read = digests.read
    digests.of("job_a", a_conversation(1))
    assert digests.read == read
    digests.of("job_b", a_conversation(1))
    assert digests.read > read
    large = Counting(limit_bytes=200)
    large.of("job_b", a_conversation(1))
    for _ in range(2):
        large.of("job_a", a_conversation(9))
    large.of("job_b", a_conversation(1))
    assert large.read == len(a_conversation(1)) + 2 * len(a_conversation(9))
