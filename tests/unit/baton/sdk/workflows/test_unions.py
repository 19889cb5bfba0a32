"""One of several types passes the border of a workflow as the type that its JSON tells, or is refused."""

from typing import Any

import pytest

from baton import Registry
from baton.sdk.agents.registry import RegistryError
from baton.testing import Simulation
from tests.unit.baton.sdk.workflows.conftest import Load

HEAD = """
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pydantic import BaseModel, Field, JsonValue
from typing import Annotated, Any, Literal, Union
from baton import Pending

class Color(Enum):
    RED = "r"

class Level(Enum):
    LOW = 1

class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    name: str

class Cat(BaseModel):
    kind: Literal["cat", "lynx"] = Field(default="cat", alias="what")
    name: str

class Cow(BaseModel):
    kind: Literal["cow"] = "cow"
    name: str

@dataclass
class Bare:
    name: str

Pet = Annotated[Dog | Cow, Field(discriminator="kind")]

class Held(BaseModel):
    pet: Pet | list[Pet] | None = None
    of: dict[str, Decimal | int] = {}

@tool
async def passed(value: {kind}) -> {kind}:
    \"\"\"Return it.

    Args:
        value: it.
    \"\"\"
    return value

@workflow
async def main(n: int, value: {kind}) -> Any:
    again = await passed(value)
    return [{shown} for value in (value, again)]
"""
DOG, COW = {"kind": "dog", "name": "a"}, {"kind": "cow", "name": "b"}
TOLD: list[tuple[str, Any, str, Any]] = [
    ("Decimal | int", "1.50", "str(value * 2)", "3.00"),
    ("Decimal | int", 3, "value * 2", 6),
    ("int | Decimal | None", "1.50", "str(value * 2)", "3.00"),
    ("Union[Decimal, bool]", True, "value is True", True),
    ("date | int", "2026-01-02", "value.year", 2026),
    ("date | float", 2.5, "value + 1", 3.5),
    ("Color | int", "r", "value is Color.RED", True),
    ("Level | str", 1, "value is Level.LOW", True),
    ("Level | Color", "r", "value is Color.RED", True),
    ("Literal[2, 3] | timedelta | None", None, "value", None),
    ("Dog | Cow", COW, "[value.name, isinstance(value, Cow)]", ["b", True]),
    ("Dog | Cat", {"what": "lynx", "name": "c"}, "[value.kind, isinstance(value, Cat)]", ["lynx", True]),
    ("Dog | Cat", DOG, "[value.kind, isinstance(value, Dog)]", ["dog", True]),
    ("Pet | None", DOG, "isinstance(value, Dog)", True),
    ("Pet | Cat", COW, "isinstance(value, Cow)", True),
    ("Bare | list[Bare]", [{"name": "x"}], "value[0].name", "x"),
    ("Bare | list[Bare] | str", {"name": "x"}, "value.name", "x"),
    ("list[Dog | Decimal]", ["1", DOG], "[str(value[0] + 1), value[1].name]", ["2", "a"]),
    ("Held", {"pet": [COW], "of": {"a": "1.5", "b": 2}}, "[value.pet[0].name, str(value.of['a'] + 1)]", ["b", "2.5"]),
    ("dict[str, Any] | list[int] | str", {"a": 1}, "value['a']", 1),
    ("JsonValue | None", {"a": [1]}, "value['a']", [1]),
]


@pytest.mark.parametrize(("kind", "given", "shown", "found"), TOLD, ids=[f"{one[0]} {one[1]}" for one in TOLD])
async def test_one_of_several_types_is_the_one_that_its_json_tells(
    load: Load, kind: str, given: Any, shown: str, found: Any
) -> None:
    text = HEAD.replace("{kind}", kind).replace("{shown}", shown)
    run = await Simulation(Registry(workflows=[load(text).main])).run("main", "", input_data={"n": 1, "value": given})
    assert run.result is not None, run.error
    assert run.result["output"] == [found, found]


NOT_TOLD = [
    ("Bare | Dog", "JSON does not tell Bare from Dog, so a workflow cannot; annotate one of them, or give both models"),
    ("Decimal | str", "JSON does not tell Decimal from str, so"),
    ("list[datetime | date]", "JSON does not tell datetime from date, so"),
    ("dict[str, Any] | Dog", "JSON does not tell dict[str, typing.Any] from Dog, so"),
    ("Annotated[Color | str, 3]", "JSON does not tell Color from str, so"),
    ("Dog | Cat | Bare | None", "JSON does not tell Cat from Bare, so"),
    ("Literal['x'] | date", "JSON does not tell Literal['x'] from date"),
    ("Any | date", "from date, so"),
]


@pytest.mark.parametrize(("kind", "fault"), NOT_TOLD)
def test_types_that_no_json_tells_apart_are_refused_where_they_stand(load: Load, kind: str, fault: str) -> None:
    module = load(HEAD.replace("{kind}", kind).replace("{shown}", "value"))
    with pytest.raises(RegistryError) as refused:
        Registry(workflows=[module.main])
    for place in ("parameter value", "the result of passed"):
        assert f"workflow 'main': {place}: " in str(refused.value)
    assert fault in str(refused.value)


INNER = """
class Owner(BaseModel):
    pets: list[Bare | Dog]

@workflow
async def main(n: int, owner: Owner) -> Bare | Dog:
    return owner.pets[0]
"""


def test_a_field_and_a_result_are_such_places_too(load: Load) -> None:
    text = HEAD.partition("@tool")[0] + INNER
    with pytest.raises(
        RegistryError, match=r"(?s)Owner\.pets: JSON.*the result: JSON|the result: JSON.*Owner\.pets: JSON"
    ):
        Registry(workflows=[load(text).main])


WAITS = """
@tool
async def later(n: int) -> Dog | Pending:
    \"\"\"Return it.

    Args:
        n: it.
    \"\"\"
    return Dog(name="a")

@workflow
async def main(n: int) -> str:
    return (await later(n))["name"]
"""


async def test_what_a_tool_may_wait_for_stays_json(load: Load) -> None:
    run = await Simulation(Registry(workflows=[load(HEAD.partition("@tool")[0] + WAITS).main])).run(
        "main", "", input_data={"n": 1}
    )
    assert run.result is not None, run.error
    assert run.result["output"] == "a"
