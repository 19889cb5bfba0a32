"""Records: what users, and code of older times, may do with a dataclass works with them, too."""

import dataclasses

import pytest
from msgspec import field

from baton.sdk.record import Record


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
