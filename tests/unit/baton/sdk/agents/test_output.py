"""A structured answer: what type it may have, and what fits."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from baton.sdk.agents.output import FINAL_TOOL, InvalidOutput, OutputType


class City(BaseModel):
    """A city."""

    name: str
    people: int = Field(ge=0)
    founded: date | None = None


@dataclass
class Point:
    x: float
    y: float = 0.0


class Row(TypedDict):
    key: str


class Aliased(BaseModel):
    """It has a name of its own in JSON."""

    first_name: str = Field(alias="firstName")


class Tree(BaseModel):
    """It refers to itself."""

    children: list["Tree"] = []


class Opaque:
    """Nobody knows how to read it."""


CITY = OutputType("a", City)


def test_the_model_is_offered_a_tool_with_the_type_s_schema() -> None:
    assert CITY.spec.name == FINAL_TOOL
    assert CITY.spec.parameters["required"] == ["name", "people"]
    assert CITY.spec.description.startswith("Give the final answer")
    assert CITY.spec.description.endswith("A city.")


def test_all_faults_reach_the_model() -> None:
    """Many are counted rather than reported; what is no object does not fit."""
    with pytest.raises(InvalidOutput) as caught:
        CITY.check({"people": -1, "founded": "soon"})
    lines = str(caught.value).splitlines()
    assert lines[0] == "the answer does not fit; correct it and call again:"
    assert [line.split(":")[0] for line in lines[1:]] == ["name", "people", "founded"]
    assert "-1" in lines[2]
    with pytest.raises(InvalidOutput) as caught:
        OutputType("a", Tree).check({"children": [1] * 50})
    assert len(str(caught.value).splitlines()) == 22
    assert str(caught.value).endswith("and 30 more")
    for arguments in (None, "x", list[Any]()):
        with pytest.raises(InvalidOutput):
            CITY.check(arguments)


TROY = '{"name": "Troy", "people": 3}'


@pytest.mark.parametrize("text", [TROY, f"```json\n{TROY}\n```", f"Here it is:\n```json\n{TROY}\n```\nGood luck!"])
def test_json_as_text_is_read(text: str) -> None:
    assert CITY.read(text)["people"] == 3
    with pytest.raises(InvalidOutput, match="must be a call of 'final_result'"):
        CITY.read("Troy had three people.")


@pytest.mark.parametrize(
    ("output_type", "shown"),
    [
        (int, "must be an object with named fields, got int"),
        (dict, "must be an object with named fields, got dict"),
        (City(name="a", people=1), "must be a class such as a pydantic model"),
        (Opaque, "output_type cannot be read from JSON"),
    ],
)
def test_what_is_no_output_type_is_refused(output_type: Any, shown: str) -> None:
    with pytest.raises(TypeError, match=f"agent 'a': .*{shown}"):
        OutputType("a", output_type)


@pytest.mark.parametrize(
    ("output_type", "arguments", "output"),
    [
        (
            City,
            {"name": "Troy", "people": "3", "founded": "2026-01-02"},
            {"name": "Troy", "people": 3, "founded": "2026-01-02"},
        ),
        (City, {"name": "Troy", "people": 3}, {"name": "Troy", "people": 3, "founded": None}),
        (Point, {"x": 1}, {"x": 1.0, "y": 0.0}),
        (Row, {"key": "a"}, {"key": "a"}),
        (Tree, {"children": [{}]}, {"children": [{"children": []}]}),
        (Aliased, {"firstName": "a"}, {"firstName": "a"}),  # as the schema says, so that its type reads it again
    ],
)
def test_what_fits_is_plain_json_with_its_defaults(output_type: Any, arguments: Any, output: Any) -> None:
    """Coerced as pydantic does it."""
    assert OutputType("a", output_type).check(arguments) == output


def test_a_number_that_json_does_not_have_goes_back_to_the_model_with_its_place() -> None:
    with pytest.raises(InvalidOutput, match=r"answer\.x: nan is no number in JSON"):
        OutputType("a", Point).check({"x": "NaN"})
