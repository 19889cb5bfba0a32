"""Types of arguments whose values differ from the JSON that a model sends, with that JSON; and tools that take them."""

import datetime as dt
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, Optional, cast
from uuid import UUID

from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasPath,
    Base64Bytes,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Json,
    PlainSerializer,
    SecretStr,
    StrictInt,
    TypeAdapter,
    WrapValidator,
    computed_field,
    create_model,
    field_serializer,
    model_serializer,
    model_validator,
)
from typing_extensions import TypedDict

from baton import Call, tool
from baton.sdk.tools.tool import Tool

validations = Counter[Any]()


def counted(value: Any) -> Any:
    validations[json.dumps(value)] += 1
    return value


def _emptied(value: Any) -> Any:
    """Change what it is given, as many validators of whole models do."""
    return {"whole": value.pop("part")} if isinstance(value, dict) and "part" in value else value


class Unit(Enum):
    KELVIN = "kelvin"
    CELSIUS = "celsius"


class Address(BaseModel):
    town: str = Field(validation_alias="city", serialization_alias="townName")
    street: str = Field(default="", validation_alias=AliasChoices("street", "road"), exclude=True)
    country: str = Field(default="", validation_alias=AliasPath("places", 0, "country"))


class Box(BaseModel):
    model_config = ConfigDict(extra="forbid")
    width: int
    height: int = Field(default=1, exclude=True)
    labels: list[str] = Field(default_factory=lambda: ["fragile"])

    @computed_field  # type: ignore[prop-decorator]
    @property
    def area(self) -> int:
        return self.width * self.height

    @field_serializer("width")
    def _in_inches(self, width: int) -> str:
        return f"{width / 2.54} in"


class Moved(BaseModel):
    model_config = ConfigDict(extra="forbid")
    whole: int

    _before = model_validator(mode="before")(_emptied)

    @model_serializer
    def _as_text(self) -> str:
        return f"moved {self.whole}"


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: set[str]


class Row(TypedDict, total=False):
    name: str
    size: Decimal


@dataclass
class Point:
    x: int
    tags: set[int] = field(default_factory=set[int])


_Cents = Annotated[int, AfterValidator(lambda euros: euros * 100)]
_CASES: list[tuple[Any, Any]] = [
    (_Cents, 4),
    (Annotated[str, BeforeValidator(lambda text: f"{text}!"), AfterValidator(str.upper)], "hi"),
    (Annotated[int, WrapValidator(lambda value, inner: inner(value) + 1)], "4"),
    (Annotated[int, PlainSerializer(lambda number: f"no. {number}")], 4),
    (Address, {"city": "Ulm", "road": "Main", "places": [{"country": "de"}]}),
    (Box, {"width": 2, "height": 3}),
    (Moved, {"part": "5"}),
    (Annotated[Cat | Dog, Field(discriminator="kind")], {"kind": "dog", "tricks": ["sit", "sit"]}),
    (Row, {"size": "1.10"}),
    (Point, {"x": "1", "tags": [2, 2]}),
    (SecretStr, "4711"),
    (Json[list[int]], "[1, 2]"),
    (Base64Bytes, "aGk="),
    (bytes, "hé"),
    (dt.datetime, "2026-01-31T12:00:00+01:00"),
    (dt.timedelta, "PT1H"),
    (Decimal, "0.10"),
    (Unit, "celsius"),
    (set[int], [3, 3, 1]),
    (tuple[int, str], [1, "a"]),
    (dict[int, str], {"1": "a"}),
    (UUID | None, "12345678-1234-5678-1234-567812345678"),
    (StrictInt | str, "4"),
    (StrictInt, 4),
    (Any, {"b": [1, {"a": None}], "a": 1.0}),
]


@dataclass(frozen=True)
class Sent:
    """A type, and the JSON that a model sends for it."""

    type: Any
    sent: Any

    @property
    def expected(self) -> Any:
        """The value that pydantic makes of the JSON; its validators may change what they are given."""
        return TypeAdapter(self.type).validate_python(json.loads(json.dumps(self.sent)))


CASES = [Sent(kind, sent) for kind, sent in _CASES]


def _field(case: Sent, how: str) -> Sent:
    """A model with one field of the type, under the name that the model reads."""
    options: dict[str, dict[str, Any]] = {
        "plain": {},
        "alias": {"alias": "sentAs"},
        "two names": {"validation_alias": "sentAs", "serialization_alias": "shownAs"},
        "choices": {"validation_alias": AliasChoices("other", "sentAs")},
        "excluded": {"exclude": True},
    }
    named: dict[str, Any] = {"value": (Annotated[case.type, Field(**options[how])], ...)}
    made = create_model(f"In{len(how)}", **named)
    return Sent(made, {"sentAs" if how not in ("plain", "excluded") else "value": case.sent})


_LIST, _DICT = cast("Any", list), cast("Any", dict)
_FIELDS = st.sampled_from(["plain", "alias", "two names", "choices", "excluded"])
TYPED: st.SearchStrategy[Sent] = st.recursive(
    st.sampled_from(CASES),
    lambda inner: (
        inner.map(lambda case: Sent(_LIST[case.type], [case.sent, case.sent]))
        | inner.map(lambda case: Sent(_DICT[str, case.type], {"k": case.sent}))
        | inner.map(lambda case: Sent(Optional[case.type], case.sent))  # noqa: UP045 - a type known at run time
        | st.builds(_field, inner, _FIELDS)
    ),
    max_leaves=4,
)


def taking(name: str, kind: Any, note: Callable[[Any], object], **options: Any) -> Tool:
    """A tool with one argument of this type, which it notes."""

    def take(value: Any) -> str:
        note(value)
        return "taken"

    take.__annotations__ = {"value": kind, "return": str}
    made: Tool = tool(name=name, retries=0, **options)(take)
    return made


class Taken(dict[str, list[Any]]):
    """What the tools of all cases were given, by their names."""

    def tools(self, **options: Any) -> list[Tool]:
        return [
            taking(f"t{at}", case.type, self.setdefault(f"t{at}", []).append, **options)
            for at, case in enumerate(CASES)
        ]

    def calls(self) -> list[Call]:
        return [Call(f"t{at}", {"value": case.sent}) for at, case in enumerate(CASES)]
