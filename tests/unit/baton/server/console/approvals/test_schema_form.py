"""A form made from a tool's schema: untouched, it changes nothing; typed in, it is what was typed."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from baton.sdk.tools.tool import tool
from baton.server.console.approvals.deciding import Change, changes
from baton.server.console.approvals.schema_form import FormError, arguments_from, fields_of, schema_shown_by


class Speed(StrEnum):
    SLOW = "slow"
    FAST = "fast"


class Address(BaseModel):
    city: str
    number: int | None = None


@tool
async def ship(  # noqa: PLR0913 - an argument of each kind
    to: Annotated[str, Field(min_length=2, max_length=40, pattern="^[a-z]+$", description="who gets it")],
    count: Annotated[int, Field(ge=1, le=9)],
    address: Address,
    *,
    weight: Annotated[float, Field(gt=0)] = 1.5,
    gift: bool = False,
    speed: Speed = Speed.SLOW,
    day: date | None = None,
    tags: list[str] | None = None,
    sizes: list[int] | None = None,
    note: str | None = None,
    extra: dict[str, Any] | None = None,
    level: Literal[1, 2] = 1,
    password: str = "",
) -> str:
    return f"{to} {count} {address} {weight} {gift} {speed} {day} {tags} {sizes} {note} {extra} {level} {password}"


ALL: dict[str, Any] = {
    "to": "ann",
    "count": 2,
    "address": {"city": "Kyle\r\nof Lochalsh", "number": None},
    "weight": 1e3,
    "gift": True,
    "speed": "fast",
    "day": "2026-01-31",
    "tags": ["a b", "c"],
    "sizes": [1, 2],
    "note": None,
    "extra": {"a": [1, {"b": None}]},
    "level": 2,
    "password": "[redacted]",
}
LEAST = {"to": "ann", "count": 2, "address": {"city": "Oban"}}
ODD: dict[str, Any] = {**LEAST, "count": "2", "tags": ["", "a\nb"], "gift": 1, "speed": "none", "day": "soon", "new": 1}


def _as_sent(arguments: dict[str, Any], **typed: str) -> dict[str, Any]:
    """What a browser's form brings back, with this typed into it."""
    fields = fields_of(ship.parameters, arguments)
    form = {}
    todo = list(fields)
    while todo:
        one = todo.pop()
        todo += one.parts
        if one.kind != "group":
            name = one.name.removeprefix("arguments.")
            form[one.name] = [typed.get(name, one.shown).replace("\r\n", "\n").replace("\n", "\r\n")]
    return arguments_from(fields, form)


@pytest.mark.parametrize("arguments", [ALL, LEAST, ODD], ids=["all", "least", "odd"])
def test_an_untouched_form_changes_nothing(arguments: dict[str, Any]) -> None:
    """Not what is missing, nor null, nor what fits the schema badly; nor the order of what is there."""
    assert _as_sent(arguments) == arguments
    assert _as_sent(arguments)["count"].__class__ is arguments["count"].__class__


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("count", "3", 3),
        ("weight", "2.50", 2.5),
        ("gift", "false", False),
        ("speed", '"slow"', "slow"),
        ("level", "1", 1),
        ("day", "", None),
        ("tags", " x \n\ny", ["x", "y"]),
        ("sizes", "7", [7]),
        ("note", "two\nlines", "two\nlines"),
        ("extra", '{"z": 1}', {"z": 1}),
        ("password", "guessed", "[redacted]"),
    ],
)
def test_what_is_typed_is_the_argument(name: str, text: str, value: Any) -> None:
    assert _as_sent(ALL, **{name: text}) == {**ALL, name: value}


def test_an_inner_field_and_a_missing_one_can_be_filled_and_emptied() -> None:
    assert _as_sent(LEAST, **{"address.city": "Ayr", "gift": "true"}) == {
        **LEAST,
        "address": {"city": "Ayr"},
        "gift": True,
    }
    assert "gift" not in _as_sent({**LEAST, "gift": True}, gift="")


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("count", "many", "a whole number, got 'many'"),
        ("count", "2.5", "a whole number"),
        ("count", "true", "a whole number"),
        ("count", "", "required"),
        ("weight", "NaN", "a number"),
        ("sizes", "1\nx", "a whole number, got 'x'"),
        ("extra", "{", "not JSON"),
    ],
)
def test_a_text_that_is_no_such_value_is_a_fault_of_its_field(name: str, text: str, fault: str) -> None:
    with pytest.raises(FormError) as raised:
        _as_sent(ALL, **{name: text})
    assert list(raised.value.faults) == [f"arguments.{name}"]
    assert fault in raised.value.faults[f"arguments.{name}"]


def test_a_browser_is_told_the_constraints() -> None:
    """Of each field, with the schema's description; a value that its input would lose is no such input's."""
    fields = {one.label: one for one in fields_of(ship.parameters, {**ALL, "day": "soon"})}
    assert dict(fields["to"].attributes) == {"type": "text", "pattern": "[a-z]+", "minlength": "2", "maxlength": "40"}
    assert dict(fields["count"].attributes) == {"type": "number", "step": "1", "min": "1", "max": "9"}
    assert (fields["to"].help, fields["to"].required, fields["gift"].required) == ("who gets it", True, False)
    assert fields["day"].attributes["type"] == "text"
    assert fields_of(ship.parameters, ALL)[6].attributes["type"] == "date"
    assert fields["speed"].options == (("", "\N{EN DASH}"), ('"slow"', "slow"), ('"fast"', "fast"))
    assert [one.kind for one in fields["address"].parts] == ["text", "line"]


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": []},
        {"properties": {"a": {"type": 5}}},
        {"properties": {"a": {"enum": 5}}},
        {"properties": {"a": {"anyOf": [5]}}},
        {"properties": {"a": {"allOf": [True]}}},
        {"properties": {"a": {"type": "integer", "exclusiveMinimum": "x"}}},
        {"properties": {"a": {"type": "string", "format": ["date"]}}},
        {"properties": {"a": {}}, "required": 5},
        {"properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": []},
    ],
)
def test_a_schema_of_a_server_that_is_none_has_no_form(schema: dict[str, Any]) -> None:
    """Its arguments are edited as JSON; the page must not fail, since a person has to decide."""
    assert fields_of(schema, {}) == ()


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("y", "line"),
        ("one\ntwo", "text"),
        (5, "line"),
        (True, "choice"),
        ({"x": 1}, "group"),
        (["a", "b"], "lines"),
        ([1, "a"], "json"),
        ([], "json"),
        ({}, "json"),
        (None, "json"),
    ],
)
@pytest.mark.parametrize("schema", [{"properties": {"a": True}}, {"properties": {"a": {"title": "A"}}}, {}])
def test_a_value_whose_schema_says_nothing_has_the_field_that_shows_it(
    schema: dict[str, Any], value: object, kind: str
) -> None:
    """Untouched, it stays as it is."""
    [one] = fields = fields_of(schema, {"a": value})
    assert one.kind == kind
    assert arguments_from(fields, {}) == {"a": value}
    assert fields_of(schema_shown_by({"a": value}), {"a": value})[0].kind == kind


def test_a_difference_names_each_value_that_changes() -> None:
    """By its path; lists as a whole; `1` is no `true`."""
    old = {"a": {"b": 1, "c": 2}, "d": [1], "e": 1, "g": 0}
    new = {"a": {"b": 1, "c": 3}, "d": [1, 2], "e": True, "f": None}
    assert list(changes(old, new)) == [
        Change("a.c", "changed", 2, 3),
        Change("d", "changed", [1], [1, 2]),
        Change("e", "changed", 1, True),
        Change("g", "removed", old=0),
        Change("f", "added"),
    ]
