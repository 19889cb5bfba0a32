"""What an object holds, as JSON and back, and how calls beside each other are added up."""

import json
import threading
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID
from weakref import WeakSet

import pytest
from pydantic import BaseModel
from pydantic_ai.messages import ModelRequest, UserPromptPart

from baton.sdk.pydantic_ai.held_values import ANEW, CannotBeHeldError, HeldValues, merged


class Colour(Enum):
    RED = "red"


class City(BaseModel):
    name: str
    people: int = 1


@dataclass(frozen=True)
class Point:
    x: int
    at: date = date(2026, 1, 2)


@dataclass(slots=True)
class Slim:
    names: set[str] = field(default_factory=set)


class Plain:
    def __init__(self, n: int) -> None:
        self.n, self.lock = n, threading.Lock()
        self.seen: WeakSet[object] = WeakSet()


SETTING = ["a setting"]
MODULES = {"tests", "pydantic_ai"}
VALUES = HeldValues({"Agent 0.words": SETTING}, MODULES)


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 0, -1, 2**80, 10**5000, 1.5, float("inf"), "text", "", b"\x00\xff", Decimal("1.10"), 1 + 2j),
        *(datetime(2026, 1, 2, tzinfo=UTC), date(2026, 1, 2), time(1, 2), timedelta(days=1, microseconds=3)),
        *(
            UUID(int=5),
            Path("a/b"),
            Colour.RED,
            City(name="Ur"),
            Point(3),
            Slim({"a"}),
            ModelRequest([UserPromptPart("x")]),
        ),
        *(
            [1, [2]],
            (1, ("a",)),
            {3, 1, 2},
            frozenset({"b", "a"}),
            deque([1, 2]),
            {},
            {"a": {1: (2,)}},
            {(1, 2): {"x"}},
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_data_comes_back_as_it_was(value: Any) -> None:
    kept = json.loads(json.dumps(VALUES.written(value, "v")))
    again = VALUES.read(kept, None)
    assert (again, type(again)) == (value, type(value))


def test_a_setting_is_kept_by_its_place_and_so_is_its_id() -> None:
    """An `id()` is another number in the next process."""
    kept = VALUES.written((SETTING, {id(SETTING): 2}), "v")
    assert kept == {"tuple": [{"own": "Agent 0.words"}, {"map": [[{"id": "Agent 0.words"}, 2]]}]}
    there = ["the same setting"]
    assert HeldValues({"Agent 0.words": there}, MODULES).read(kept, None) == (there, {id(there): 2})
    with pytest.raises(CannotBeHeldError, match=r"the agent has no Agent 0\.words any more"):
        HeldValues({}, MODULES).read(kept, None)


def test_containers_and_plain_objects_are_filled_in_place() -> None:
    """Others may hold them, too; and a plain object is never built."""
    counts, plain = Counter({"a": 1}), Plain(1)
    lock = plain.lock
    kept = VALUES.written(Plain(7), "shelf")
    assert kept["object"][1] == {"n": 7, "lock": ANEW, "seen": ANEW}
    assert VALUES.read(kept, plain) is plain
    assert (plain.n, plain.lock) == (7, lock)
    assert VALUES.read(VALUES.written(Counter({"b": 2}), "c"), counts) is counts
    assert counts == {"b": 2}
    with pytest.raises(CannotBeHeldError, match="shelf is a Plain, which is not there when a piece begins"):
        VALUES.read(kept, None, "shelf")


def numbers() -> Iterator[int]:
    yield 1


def test_what_is_neither_is_refused_by_its_place_and_type() -> None:
    class Local(BaseModel):
        n: int = 1

    for value, told in (
        (numbers(), r"v is a generator"),
        ({"a": [iter([])]}, r"v\['a'\]\[0\] is a list_iterator"),
        (Local(), "v is a Local, a class inside a function; move it to a module"),
        (object(), "v is a object"),
    ):
        with pytest.raises(CannotBeHeldError, match=told):
            VALUES.written(value, "v")
    with pytest.raises(CannotBeHeldError, match="the class os:system is none of the agent's"):
        VALUES.read({"data": ["os:system", {}]}, None, "v")


@pytest.mark.parametrize(
    ("before", "first", "second", "expected"),
    [
        (1, 3, 2, 4),
        ([0], [0, 1], [0, 2], [0, 1, 2]),
        ([0], [0, 1], [5], [5]),
        ({"a"}, {"a", "b"}, {"c"}, {"b", "c"}),
        ({"a": 1}, {"a": 2, "b": 1}, {"a": 3, "b": 1}, {"a": 4, "b": 2}),
        ({"a": 1, "b": 1}, {"b": 1}, {"a": 1, "b": 2}, {"b": 2}),
        (City(name="Ur"), City(name="Ur", people=3), City(name="Ur", people=2), City(name="Ur", people=4)),
        (None, "first", "second", "second"),
        ("same", "same", "other", "other"),
        ("same", "other", "same", "other"),
    ],
)
def test_calls_beside_each_other_are_added_up(before: Any, first: Any, second: Any, expected: Any) -> None:
    kept = [VALUES.written(value, "v") for value in (first, before, second)]
    found = VALUES.read(merged(*kept), None)
    if isinstance(found, City):
        assert found.people == expected.people
    else:
        assert found == expected
