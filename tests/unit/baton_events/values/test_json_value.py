"""Canonical JSON: what a reader reads is what the value said, and what does not fit is named by its place."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count, cycle, repeat
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic_core import from_json

from baton_events.values.json_value import DEPTH_LIMIT, TooLarge, Unrecordable, plain, read_value, recorded_json
from tests.values.durations import Content
from tests.values.odd import Box, Broken, Level, Silent

CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)
ANY_TEXT = st.text(st.characters(exclude_categories=()))
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


class Price(BaseModel):
    """A model with a field that JSON may not hold."""

    amount: float
    note: str = ""


def nested(levels: int) -> Any:
    return json.loads(f'{"[" * levels}"end"{"]" * levels}')


@given(JSON_VALUES)
def test_json_is_written_as_every_reader_reads_it(value: Any) -> None:
    text = recorded_json(value, "result")
    assert plain(value, "result") == value
    for read in (json.loads, from_json, msgspec.json.decode):
        assert read(text) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Price(amount=1), '{"amount":1.0,"note":""}'),
        (Box((1, 2)), '{"content":[1,2]}'),
        (Level.HIGH, "3"),
        ({2: "a", None: "b", True: "c"}, '{"2":"a","None":"b","true":"c"}'),
        (datetime(2026, 1, 2, tzinfo=UTC), '"2026-01-02T00:00:00Z"'),
        (Decimal("0.10"), '"0.10"'),
        ((piece for piece in "ab"), '["a","b"]'),
        ({"a\ud83d\ude00": "\ud800"}, '{"a\U0001f600":"\ufffd"}'),
        (2**70, str(2**70)),
        pytest.param(10**4_299, f"1{'0' * 4_299}", id="4300-digits"),
        (nested(DEPTH_LIMIT), f'{"[" * DEPTH_LIMIT}"end"{"]" * DEPTH_LIMIT}'),
    ],
)
def test_values_of_python_become_json(value: Any, text: str) -> None:
    assert recorded_json(value, "result") == text


@pytest.mark.parametrize(
    ("value", "place", "problem"),
    [
        (float("nan"), "result", "nan is no number in JSON"),
        ({"items": [1, 2, 3, {"price": float("-inf")}]}, "result.items[3].price", "-inf is no number"),
        (Price(amount=float("nan")), "result.amount", "nan is no number"),
        ([Box(Box(Silent()))], "result[0].content.content", "a Silent that JSON cannot hold"),
        ({"a": Broken()}, "result.a", "a Broken that JSON cannot hold"),
        (b"\xff", "result", "a bytes that JSON cannot hold"),
        ({1: "a", "1": "b"}, "result.1", "the same text"),
        pytest.param(10**4_300, "result", "more than 4300 digits", id="4301-digits"),
        (nested(DEPTH_LIMIT + 1), "result[0]", f"nested deeper than {DEPTH_LIMIT}"),
        ({f"k{at}": [1] for at in range(99)} | {"deep": nested(DEPTH_LIMIT)}, "result.deep", "nested deeper"),
        (CIRCLE, "result[0]", "nested deeper"),
        ((1 / 0 for _ in "a"), "result", "its items cannot be read: ZeroDivisionError"),
        (int, "result", "a type that JSON cannot hold"),
    ],
)
def test_what_json_cannot_hold_is_named_by_its_place(value: Any, place: str, problem: str) -> None:
    with pytest.raises(Unrecordable) as caught:
        recorded_json(value, "result")
    assert caught.value.place.startswith(place)
    assert problem in caught.value.problem


def test_a_value_that_holds_itself_is_refused() -> None:
    itself: list[Any] = []
    itself.append(itself)
    with pytest.raises(Unrecordable, match="nested deeper"):
        plain(itself, "result")


def test_a_value_over_the_limit_names_size_and_limit() -> None:
    assert recorded_json("äö", "result", 6) == '"äö"'
    with pytest.raises(TooLarge, match=r"^result: 6 bytes, over the limit of 5"):
        recorded_json("äö", "result", 5)


@given(st.recursive(ANY_TEXT | st.floats() | st.integers(), lambda inner: st.lists(inner) | st.tuples(inner, inner)))
def test_any_value_is_written_or_refused(value: Any) -> None:
    try:
        text = recorded_json(value, "result")
    except Unrecordable:
        return
    assert recorded_json(json.loads(text), "result") == text


ODD_NUMBERS = st.sampled_from([float("nan"), float("inf"), -float("inf"), 10**400, -0.0, 1e308])
ODD_TEXT = ANY_TEXT | st.sampled_from(["NaN", "Infinity", "\ud800", "a\udc00b"])
READ_VALUES = st.recursive(
    st.none() | st.booleans() | ODD_NUMBERS | ODD_TEXT, lambda inner: st.lists(inner) | st.dictionaries(ODD_TEXT, inner)
)


@given(READ_VALUES, st.sampled_from([0, 1, DEPTH_LIMIT - 1, DEPTH_LIMIT, DEPTH_LIMIT + 1, 2 * DEPTH_LIMIT]))
def test_what_was_read_is_judged_as_any_other_data(value: Any, levels: int) -> None:
    for _ in range(levels):
        value = [value]
    outcomes = list[Any]()
    for let_in in (plain, read_value):
        try:
            outcomes.append(repr(let_in(value, "here")))
        except Unrecordable as error:
            outcomes.append((error.place, error.problem))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize(
    ("holder", "endless"),
    [
        (lambda value: value, count()),
        (Box, cycle("ab")),
        (lambda value: Box([{"a": Box(value)}]), repeat(1)),
        (lambda value: Content(content=value), map(str, count())),
    ],
)
def test_what_never_ends_is_refused_and_what_ends_is_a_list(holder: Any, endless: Any) -> None:
    """Pydantic would read it until the process dies."""
    with pytest.raises(Unrecordable, match="more than 1000000 items; return less"):
        plain(holder(endless), "result")
    assert plain(holder(iter([1, 2])), "result") == plain(holder([1, 2]), "result")
