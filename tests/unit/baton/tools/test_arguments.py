"""What a tool's arguments may be."""

import contextlib
import datetime as dt
import json
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from baton.tools.arguments import InvalidArguments
from baton.tools.context import ToolContext
from baton.tools.tool import tool

CONTEXT = ToolContext.for_test()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


class Unit(Enum):
    """A choice."""

    KELVIN = "kelvin"


class Place(BaseModel):
    """An object within the arguments."""

    name: str
    since: dt.date | None = None


@tool
def measure(place: Place, count: int, unit: Unit = Unit.KELVIN, tags: tuple[str, ...] = ()) -> Any:
    """Measure."""
    return place, count, unit, tags


def test_arguments_are_coerced_to_json_that_fits_again() -> None:
    """What `check` gives can be stored, and goes through `check` unchanged."""
    checked = measure.check({"place": {"name": "Kew", "since": "2020-01-02"}, "count": "3", "unit": "kelvin"})
    assert checked == {"place": {"name": "Kew", "since": "2020-01-02"}, "count": 3, "unit": "kelvin"}
    assert measure.check(json.loads(json.dumps(checked))) == checked


async def test_the_function_gets_python_values_and_its_own_defaults() -> None:
    """From what the model sent as well as from what `check` gave."""
    sent = {"place": {"name": "Kew", "since": "2020-01-02"}, "count": "3"}
    expected = (Place(name="Kew", since=dt.date(2020, 1, 2)), 3, Unit.KELVIN, ())
    assert await measure.run(sent, CONTEXT) == expected
    assert await measure.run(measure.check(sent), CONTEXT) == expected


def test_all_faults_are_reported_at_once_one_line_each() -> None:
    """A model then corrects them in one go; long values are shortened."""
    with pytest.raises(InvalidArguments) as caught:
        measure.check({"place": {"since": "x" * 500}, "count": "many", "unit": "kelvin", "colour": 1})
    assert caught.value.tool == "measure"
    assert str(caught.value).splitlines()[0] == "invalid arguments for tool 'measure':"
    lines = dict(line.split(": ", 1) for line in caught.value.faults)
    assert lines["place.name"] == "is required"
    assert lines["count"].endswith("got 'many'")
    assert lines["colour"] == "is not an argument of this tool (it has: place, count, unit, tags), got 1"
    assert all(len(line) < 220 for line in caught.value.faults)
    assert len(caught.value.faults) == 4


def test_the_place_in_a_list_is_named() -> None:
    """Lists are counted from 0, as in JSON paths."""
    with pytest.raises(InvalidArguments, match=r"tags\[1\]: "):
        measure.check({"place": {"name": "Kew"}, "count": 1, "tags": ["a", 2]})


@pytest.mark.parametrize("arguments", [None, [], "x", 3])
def test_arguments_that_are_no_object_are_refused(arguments: Any) -> None:
    """Models do send lists and texts now and then."""
    with pytest.raises(InvalidArguments, match="arguments: must be an object"):
        measure.check(arguments)


async def test_any_argument_name_works() -> None:
    """Names that pydantic uses itself, too, and the neutral ones used inside."""

    @tool
    def odd(schema: str, json: int, model_config: str, _private: str, a0: int = 7) -> Any:
        return schema, json, model_config, _private, a0

    arguments = {"schema": "s", "json": 1, "model_config": "m", "_private": "p"}
    assert await odd.run(arguments, CONTEXT) == ("s", 1, "m", "p", 7)
    assert await odd.run({**arguments, "a0": 8}, CONTEXT) == ("s", 1, "m", "p", 8)
    with pytest.raises(InvalidArguments, match="a1: is not an argument"):
        odd.check({**arguments, "a1": 1})


def test_a_default_that_json_cannot_hold_is_left_out_of_the_schema() -> None:
    """Without a warning, since warnings at import annoy and cannot be acted on."""

    @tool
    def search(flags: Any = object()) -> None:  # noqa: B008 - the default under test
        """Search."""

    assert "default" not in search.parameters["properties"]["flags"]


def test_a_tool_without_arguments_has_an_empty_object_as_schema() -> None:
    """Providers want an object there."""

    @tool
    def now() -> None:
        """Tell."""

    assert now.parameters == {"type": "object", "properties": {}, "additionalProperties": False}
    assert now.check({}) == {}


@pytest.mark.parametrize("number", [float("nan"), float("inf"), "-inf"])
def test_a_number_that_json_cannot_hold_is_refused(number: Any) -> None:
    """Arguments are stored as JSON."""

    @tool
    def wait(seconds: float) -> None:
        """Wait."""

    with pytest.raises(InvalidArguments, match="seconds: input should be a finite number"):
        wait.check({"seconds": number})


@given(JSON)
def test_any_json_is_either_checked_or_refused_readably(arguments: Any) -> None:
    """Nothing but `InvalidArguments` leaves a check."""
    with contextlib.suppress(InvalidArguments):
        checked = measure.check(arguments)
        assert measure.check(json.loads(json.dumps(checked))) == checked
