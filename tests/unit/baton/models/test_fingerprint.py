"""Digests of what a model was asked."""

from dataclasses import replace
from typing import Any

import pytest

from baton.models.fingerprint import fingerprint, parts_of, request_digests
from baton.models.model import File, ModelMessage, ModelRequest, PastCall, ToolMessage, ToolSpec, UserMessage

ADD = ToolSpec("add", "Add.", {"type": "object"})


ASKED = UserMessage("do it", {"n": 1})
WITH_FILE = replace(ASKED, files=(File("image/png", name="a"),))


def question(call_id: str = "job_1-1-0-aa", **changes: Any) -> ModelRequest:
    """A second turn."""
    found = (
        ASKED,
        ModelMessage("I add", (PastCall(call_id, "add", {"a": 1}),)),
        ToolMessage(call_id, "add", 3),
    )
    return replace(ModelRequest("be good", found, (ADD,), 2), **changes)


def test_the_same_question_of_another_job_has_the_same_digests() -> None:
    """A call's id does not count; the parts are told apart, and messages are counted."""
    digests = request_digests(question())
    assert digests == request_digests(question("job_2-1-0-bb"))
    assert digests is not None
    assert sorted(digests) == ["instructions", "messages", "tools"]
    assert digests["messages"].startswith("3-")


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


def test_the_digests_are_those_of_the_parts() -> None:
    """Whatever is known of them from the turn before: recordings are read by them."""
    full = question(settings={"temperature": 1}, output=ADD)
    for _ in range(2):
        digests = request_digests(full, reads_history=False) or {}
        assert digests == {name: fingerprint(value) for name, value in parts_of(full).items()}


def test_tools_that_are_other_ones_have_another_digest_however_many_there_were() -> None:
    """What is known of tools is dropped from time to time."""
    seen = {(request_digests(question(tools=(ToolSpec(f"tool_{n}", "", {}),))) or {})["tools"] for n in range(200)}
    assert len(seen) == 200


def test_a_secret_does_not_count() -> None:
    """What is played back from a redacted recording is the same question."""
    found = [(UserMessage("do it", {"password": password}),) for password in ("hidden-value", "[redacted]")]
    assert request_digests(question(messages=found[0])) == request_digests(question(messages=found[1]))


def test_a_model_that_reads_no_history_is_asked_no_messages() -> None:
    """They are not loaded for it."""
    assert "messages" not in (request_digests(question(), reads_history=False) or {})


def test_a_question_that_is_no_json_has_no_digests() -> None:
    """It is asked all the same."""
    assert request_digests(question(settings={"temperature": float("nan")})) is None
    assert request_digests(question(settings={"x": object()})) is None
