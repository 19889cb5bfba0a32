"""Digests of what a model was asked: of each part, and of a conversation whatever is known of the turn before."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton.sdk.models.fingerprint import (
    DIGEST_CHARS,
    LIMIT_BYTES,
    PromptDigests,
    fingerprint,
    parts_of,
    prompt_value,
    request_digests,
)
from baton.sdk.models.model import (
    File,
    Message,
    ModelMessage,
    ModelRequest,
    PastCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
)

ADD = ToolSpec("add", "Add.", {"type": "object"})


ASKED = UserMessage("do it", {"n": 1})
WITH_FILE = replace(ASKED, files=(File("image/png", name="a"),))


def question(call_id: str = "job_1-1-0-aa", **changes: Any) -> ModelRequest:
    found = (ASKED, ModelMessage("I add", (PastCall(call_id, "add", {"a": 1}),)), ToolMessage(call_id, "add", 3))
    return replace(ModelRequest("be good", found, (ADD,), 2), **changes)


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("instructions", {"instructions": "be bad"}),
        ("tools", {"tools": (replace(ADD, parameters={}),)}),
        ("tools", {"tools": (replace(ADD, description="Sum."),)}),
        ("settings", {"settings": {"temperature": 1}}),
        ("output", {"output": ADD}),
        ("messages", {"messages": (UserMessage("do it"),)}),
        ("messages", {"messages": (WITH_FILE, *question().messages[1:])}),
    ],
)
def test_each_part_has_its_own_digest(part: str, changes: dict[str, Any]) -> None:
    """So that a difference has a name."""
    before, after = request_digests(question()) or {}, request_digests(question(**changes)) or {}
    assert {name for name in {*before, *after} if before.get(name) != after.get(name)} == {part}


def test_neither_a_calls_id_nor_a_secret_counts() -> None:
    """What is played back from a redacted recording is the same question."""
    digests = request_digests(question())
    assert digests == request_digests(question("job_2-1-0-bb"))
    assert digests is not None
    assert re.fullmatch(r"3-[0-9a-f]+", digests["messages"])
    call = ["model", "I add", [[0, "add", {"a": 1}]]]
    assert prompt_value(question().messages) == [["user", "do it", {"n": 1}], call, ["result", 0, "add", 3]]
    tools = [{"name": "add", "description": "Add.", "parameters": {"type": "object"}}]
    assert digests["tools"] == fingerprint(tools)
    found = [(UserMessage("do it", {"password": password}),) for password in ("hidden-value", "[redacted]")]
    assert request_digests(question(messages=found[0])) == request_digests(question(messages=found[1]))


def test_the_digests_are_those_of_the_parts() -> None:
    """Whatever is known of them from the turn before: recordings are read by them."""
    full = question(settings={"temperature": 1}, output=ADD)
    for _ in range(2):
        digests = request_digests(full, reads_history=False) or {}
        assert digests == {name: fingerprint(value) for name, value in parts_of(full).items()}


def test_tools_that_are_other_ones_have_another_digest_however_many_there_were() -> None:
    seen = {(request_digests(question(tools=(ToolSpec(f"tool_{n}", "", {}),))) or {})["tools"] for n in range(200)}
    assert len(seen) == 200


def test_a_question_that_is_no_json_has_no_digests() -> None:
    assert request_digests(question(settings={"temperature": float("nan")})) is None
    assert request_digests(question(settings={"x": object()})) is None


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
    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        super().__init__(self._counted, limit_bytes)
        self.read = 0

    def _counted(self, messages: Sequence[Message], numbers: dict[str, int]) -> list[Any]:
        self.read += len(messages)
        return prompt_value(messages, numbers)


def whole(messages: Sequence[Message]) -> str:
    return fingerprint(prompt_value(messages))


def a_conversation(turns: int) -> tuple[Message, ...]:
    found: list[Message] = [UserMessage("do it", {"n": 1})]
    for number in range(turns):
        call = PastCall(f"job_a-{number}-0", "add", {"a": number})
        found += [ModelMessage("", (call,)), ToolMessage(call.call_id, "add", {"sum": number})]
    return tuple(found)


@given(turns=st.lists(TURNS, max_size=12), limit_bytes=st.sampled_from([0, 100, 300, LIMIT_BYTES]))
def test_it_is_that_of_all_messages(turns: list[tuple[str, int, list[Message]]], limit_bytes: int) -> None:
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
    digests, wrong = Counting(), ToolMessage("c", "add", float("nan"))
    digests.of("job_a", a_conversation(1))
    with pytest.raises(ValueError, match="JSON"):
        digests.of("job_a", (*a_conversation(1), wrong))
    assert digests.of("job_a", a_conversation(2))[:DIGEST_CHARS] == whole(a_conversation(2))


def test_no_more_is_kept_than_there_is_room_for() -> None:
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
