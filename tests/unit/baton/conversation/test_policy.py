"""Policies refuse what cannot work, when they are made."""

from typing import Any

import pytest

from baton import DropOldest, ScriptedModel, Summarize
from baton.conversation.policy import LEAST_TOKENS


@pytest.mark.parametrize("policy", [DropOldest, Summarize])
@pytest.mark.parametrize("max_tokens", [0, -1, LEAST_TOKENS - 1, 1000.0, "1000", True, None])
def test_a_limit_that_nothing_fits_into_is_refused(policy: Any, max_tokens: Any) -> None:
    with pytest.raises(ValueError, match=rf"{policy.__name__}\(max_tokens={max_tokens!r}\)"):
        policy(max_tokens)


@pytest.mark.parametrize("keep_turns", [0, -1, 1.5, True])
def test_a_summary_leaves_at_least_the_newest_turn(keep_turns: Any) -> None:
    """Its results are what the model waits for."""
    with pytest.raises(ValueError, match="keep_turns="):
        Summarize(1000, keep_turns=keep_turns)


@pytest.mark.parametrize("model", [3, ScriptedModel])
def test_a_summary_is_written_by_a_model(model: Any) -> None:
    with pytest.raises(TypeError, match="a model's name"):
        Summarize(1000, model=model)


def test_usual_policies_are_taken() -> None:
    assert DropOldest(LEAST_TOKENS).max_tokens == LEAST_TOKENS
    assert Summarize(1000).model is None
    assert Summarize(1000, model="demo").model == "demo"
    assert Summarize(1000, 1, ScriptedModel(["s"])).keep_turns == 1
