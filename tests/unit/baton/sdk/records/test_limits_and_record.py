"""What a job may use, and what records can do."""

import dataclasses
from dataclasses import replace
from typing import Any

import pytest
from msgspec import field

from baton.sdk.records.limits import Limits, Spend, Used, exceeded, shared_use, since, spent
from baton.sdk.records.record import Record

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


def test_no_cost_limit_and_no_levels_below_are_sound() -> None:
    """Models of unknown price cost nothing that we know of; an agent without levels starts no others."""
    assert exceeded(replace(ROOMY, cost_usd=None), Used(cost_usd=1e9), 0) is None
    assert Limits(depth=0).depth == 0


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        *[(name, 0, "a limit is a positive number") for name in ("turns", "tool_calls", "tokens", "wall_seconds")],
        ("cost_usd", -1, "a limit is a positive number"),
        ("cost_usd", float("nan"), "a limit is a positive number"),
        ("depth", -1, ""),
        ("on_limit", "explode", "one of 'stop', 'fail'"),
    ],
)
def test_a_limit_that_is_none_is_refused_with_its_name_and_value(name: str, value: Any, fault: str) -> None:
    wrong: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=rf"{name}={value!r}\): {fault}"):
        Limits(**wrong)


_BEFORE = Used(turns=2, tool_calls=1, input_tokens=10, output_tokens=5, cost_usd=0.25)
_USED = Used(turns=7, tool_calls=5, input_tokens=40, output_tokens=25, cost_usd=1.0)


def test_what_was_used_before_is_left_out() -> None:
    assert since(_USED, _BEFORE) == Used(turns=5, tool_calls=4, input_tokens=30, output_tokens=20, cost_usd=0.75)
    assert spent(_BEFORE, _USED) == Spend(turns=5, tool_calls=4, tokens=50, cost_usd=0.75)


def test_what_is_used_below_and_under_way_counts_too() -> None:
    """A limit is shared with the jobs below, and with calls that have not ended."""
    below = Spend(turns=3, tool_calls=2, tokens=100, cost_usd=0.5)
    expected = Used(turns=8, tool_calls=6, input_tokens=1_130, output_tokens=20, cost_usd=1.25)
    assert shared_use(_USED, _BEFORE, below, 1_000) == expected


class Point(Record, frozen=True):
    x: int
    y: int = 2
    tags: dict[str, int] = field(default_factory=dict[str, int])


def test_dataclasses_takes_a_record_for_one_of_its_own() -> None:
    point = Point(1, tags={"a": 1})
    assert dataclasses.replace(point, y=5) == Point(1, 5, {"a": 1})
    assert dataclasses.asdict(point) == {"x": 1, "y": 2, "tags": {"a": 1}}
    assert [each.name for each in dataclasses.fields(Point)] == ["x", "y", "tags"]
    assert dataclasses.is_dataclass(point)
    with pytest.raises(TypeError, match="z"):
        dataclasses.replace(point, z=3)  # type: ignore[call-arg]
    with pytest.raises(AttributeError):  # as of a frozen dataclass
        point.x = 2  # type: ignore[misc]
    assert point == Point(1, 2, {"a": 1})
