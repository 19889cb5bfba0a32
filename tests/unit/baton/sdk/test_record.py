"""Records: what users, and code of older times, may do with a dataclass works with them, too."""

import dataclasses

import pytest
from msgspec import field

from baton.sdk.record import Record


class Point(Record, frozen=True):
    """A record with all kinds of fields."""

    x: int
    y: int = 2
    tags: dict[str, int] = field(default_factory=dict[str, int])


def test_dataclasses_takes_a_record_for_one_of_its_own() -> None:
    """`replace`, `asdict`, `fields`, `is_dataclass`; none of them changes it."""
    point = Point(1, tags={"a": 1})
    assert dataclasses.replace(point, y=5) == Point(1, 5, {"a": 1})
    assert dataclasses.asdict(point) == {"x": 1, "y": 2, "tags": {"a": 1}}
    assert [each.name for each in dataclasses.fields(Point)] == ["x", "y", "tags"]
    assert dataclasses.is_dataclass(point)
    assert point == Point(1, 2, {"a": 1})


def test_a_field_that_is_unknown_is_refused() -> None:
    """As by a dataclass."""
    with pytest.raises(TypeError, match="z"):
        dataclasses.replace(Point(1), z=3)  # type: ignore[call-arg]


def test_a_record_does_not_change() -> None:
    """As a frozen dataclass: its error is an AttributeError, too."""
    with pytest.raises(AttributeError):
        Point(1).x = 2  # type: ignore[misc]
