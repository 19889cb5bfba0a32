"""What a job may use."""

from dataclasses import replace
from typing import Any

import pytest

from events.core.limits import Limits, Used, exceeded

ROOMY = Limits(turns=3, tool_calls=5, tokens=100, cost_usd=1.0, wall_seconds=60)


@pytest.mark.parametrize(
    ("used", "age_ms", "expected"),
    [
        (Used(), 0, None),
        (Used(turns=2, tool_calls=5, input_tokens=49, output_tokens=50, cost_usd=0.99), 59_999, None),
        (Used(turns=3), 0, "turns"),
        (Used(input_tokens=60, output_tokens=40), 0, "tokens"),
        (Used(cost_usd=1.0), 0, "cost_usd"),
        (Used(), 60_000, "wall_seconds"),
        (Used(turns=3, input_tokens=100, cost_usd=1.0), 60_000, "wall_seconds"),
    ],
)
def test_the_first_limit_that_leaves_no_room_is_named(used: Used, age_ms: int, expected: str | None) -> None:
    """A limit is reached when what is used equals it."""
    assert exceeded(ROOMY, used, age_ms) == expected


def test_without_a_cost_limit_cost_is_not_limited() -> None:
    """Models of unknown price cost nothing that we know of."""
    assert exceeded(replace(ROOMY, cost_usd=None), Used(cost_usd=1e9), 0) is None


@pytest.mark.parametrize("name", ["turns", "tool_calls", "tokens", "wall_seconds", "cost_usd"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_limit_that_is_no_positive_number_is_refused(name: str, value: float) -> None:
    """With its name and value."""
    wrong: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=rf"Limits\({name}={value!r}\): a limit is a positive number"):
        Limits(**wrong)


def test_an_unknown_way_to_end_is_refused() -> None:
    """With those that there are."""
    wrong: Any = "explode"
    with pytest.raises(ValueError, match=r"Limits\(on_limit='explode'\): one of 'stop', 'fail'"):
        Limits(on_limit=wrong)
