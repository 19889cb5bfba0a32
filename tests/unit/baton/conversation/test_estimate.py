"""Tokens and bytes."""

import pytest

from baton.conversation.conversation import capacity_bytes, correction, fixed_bytes, tokens_of
from baton.engine.commit.answers import History
from baton.models.model import ToolSpec
from tests.unit.baton.conversation.sample_history import TASK, streamed_text


def history_with(*tokens: dict[str, int] | None) -> History:
    turns = (streamed_text(i, tokens=noted) if noted else streamed_text(i) for i, noted in enumerate(tokens, start=1))
    return History((TASK, *turns))


@pytest.mark.parametrize(("size", "tokens"), [(0, 0), (1, 1), (4, 1), (5, 2), (400, 100)])
def test_a_token_is_four_bytes_rounded_up(size: int, tokens: int) -> None:
    assert tokens_of(size) == tokens


def test_the_newest_known_usage_corrects_the_estimate() -> None:
    assert correction(history_with()) == 1.0
    assert correction(history_with({"estimated": 100, "input": 150}, {"estimated": 100, "input": 120}, None)) == 1.2


@pytest.mark.parametrize(("used", "ratio"), [(1, 0.5), (10_000, 4.0)])
def test_no_correction_goes_without_bounds(used: int, ratio: float) -> None:
    """A provider that counts something else must not empty the conversation."""
    assert correction(history_with({"estimated": 100, "input": used})) == ratio


def test_the_room_is_what_instructions_and_tools_leave() -> None:
    history = history_with({"estimated": 100, "input": 200})
    assert capacity_bytes(1_000, History((TASK,)), 500) == 3_500
    assert capacity_bytes(1_000, history, 500) == 1_500
    assert capacity_bytes(1_000, history, 5_000) == 0


def test_tools_are_part_of_what_is_sent() -> None:
    tool = ToolSpec("read", "Read.", {"type": "object", "properties": {"n": {"type": "integer"}}})
    assert fixed_bytes("be kind", (tool,)) > fixed_bytes("be kind", ()) > fixed_bytes("", ())
