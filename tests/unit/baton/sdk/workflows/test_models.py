"""Models of all kinds pass a workflow: in by its input, out to a tool and back, and out as its result."""

from typing import Any

import pytest

from baton import Registry
from baton.sdk.agents.registry import RegistryError
from baton.testing import Simulation
from tests.unit.baton.sdk.workflows.conftest import Load

MODELS = """
from decimal import Decimal
from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python
from typing import Any, Generic, TypeVar
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, RootModel
from pydantic.alias_generators import to_camel

class Line(BaseModel):
    sku: str

class Aliased(BaseModel):
    unit_count: int = Field(alias="unitCount")

class Read(BaseModel):
    unit_count: int = Field(validation_alias="units")

class Shown(BaseModel):
    unit_count: int = Field(serialization_alias="units")

class Chosen(BaseModel):
    unit_count: int = Field(validation_alias=AliasChoices("units", "count"))

class ByName(BaseModel):
    model_config = ConfigDict(validate_by_name=True, validate_by_alias=False)
    unit_count: int = Field(alias="unitCount")

class Camel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)
    first_line: Line
    all_lines: list[Line] = []
    by_name: dict[str, Aliased] = {}

class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    sku: str

class OpenCamel(BaseModel):
    model_config = ConfigDict(extra="allow", alias_generator=to_camel)
    first_line: str

class Defaults(BaseModel):
    pair: tuple[int, Line] = (1, Line(sku="z"))
    price: Decimal = Decimal("1.50")
    lines: list[Line] = [Line(sku="d")]

T = TypeVar("T")

class Box(BaseModel, Generic[T]):
    item: T
"""
FLOW = """
@tool
async def passed(value: {kind}) -> {kind}:
    \"\"\"Return it.

    Args:
        value: it.
    \"\"\"
    return value

@workflow
async def main(n: int, value: {kind}) -> {returns}:
    again = await passed(value)
    return await passed(again)
"""
PASSED: list[tuple[str, Any]] = [
    ("Aliased", {"unitCount": 4}),
    ("Read", {"units": 4}),
    ("Shown", {"unit_count": 4}),
    ("Chosen", {"count": 4}),
    ("ByName", {"unit_count": 4}),
    ("Camel", {"firstLine": {"sku": "a"}, "allLines": [{"sku": "b"}], "byName": {"x": {"unitCount": 1}}}),
    ("Open", {"sku": "a", "more": 3}),
    ("OpenCamel", {"firstLine": "a", "more": 3}),
    ("Defaults", {}),
    ("Box[int]", {"item": 1}),
    ("Box[Line]", {"item": {"sku": "a"}}),
    ("list[Aliased]", [{"unitCount": 4}]),
]


@pytest.mark.parametrize(("kind", "given"), PASSED, ids=[kind for kind, _ in PASSED])
@pytest.mark.parametrize("is_checked", [True, False], ids=["annotated", "any"])
async def test_a_model_passes_as_in_ordinary_python(load: Load, kind: str, given: Any, is_checked: bool) -> None:
    """What its JSON shows is the same, whether the result has an annotation or not."""
    module = load(MODELS + FLOW.format(kind=kind, returns=kind if is_checked else "Any"))
    run = await Simulation(Registry(workflows=[module.main])).run("main", "", input_data={"n": 1, "value": given})
    value = module.TypeAdapter(eval(kind, vars(module))).validate_python(given)
    assert run.result["output"] == module.to_jsonable_python(value)


CHILDREN = """
class Both(BaseModel):
    count: int = Field(validation_alias="units", serialization_alias="shown")

@workflow
async def below(n: int, value: Both) -> int:
    return n + value.count

@workflow
async def whole(value: Both) -> int:
    return value.count

@workflow
async def main(n: int, value: Both) -> list[int]:
    return [await below(n, value), await whole(value)]
"""


async def test_a_model_passes_to_a_job_below(load: Load) -> None:
    """Also one that shows its fields by other names than it reads."""
    module = load(MODELS + CHILDREN)
    registry = Registry(workflows=[module.main, module.below, module.whole])
    run = await Simulation(registry).run("main", "", input_data={"n": 1, "value": {"units": 4}})
    assert run.result["output"] == [5, 4]


DEFAULT = """
@workflow
async def main(value: Line = Line(sku="d")) -> str:
    return value.sku
"""


@pytest.mark.parametrize(("given", "sku"), [({}, "d"), ({"sku": "a"}, "a")])
async def test_a_model_that_is_the_whole_input_may_have_a_default(load: Load, given: dict[str, Any], sku: str) -> None:
    run = await Simulation(Registry(workflows=[load(MODELS + DEFAULT).main])).run("main", "", input_data=given)
    assert run.result["output"] == sku


REFUSED = [
    ("Names(RootModel[list[str]]):\n    pass", "class Names is a RootModel, which has no fields inside"),
    (
        "Names(BaseModel):\n    def __bool__(self):\n        return False",
        r"Names\.__bool__ is not called in a workflow",
    ),
]


@pytest.mark.parametrize(("text", "fault"), REFUSED)
def test_a_model_that_would_be_another_one_inside_is_refused(load: Load, text: str, fault: str) -> None:
    """Also where an annotation alone names it."""
    module = load(f"{MODELS}\nclass {text}\n\n\n@workflow\nasync def main(n: int, value: Names):\n    return n\n")
    with pytest.raises(RegistryError, match=fault):
        Registry(workflows=[module.main])


NAMES = """
from datetime import date
from typing import Annotated, NewType
from pydantic import AwareDatetime, PastDate

Money, OrderId = NewType("Money", Decimal), NewType("OrderId", int)

@tool
async def passed(money: Money) -> Money:
    \"\"\"Return it.

    Args:
        money: it.
    \"\"\"
    return money

@workflow
async def main(
    money: Money, at: AwareDatetime, day: PastDate, by: dict[OrderId, Money], of: dict[Annotated[int, Field(ge=0)], int]
) -> list[str]:
    return [str(each) for each in (await passed(money) * 2, at.year, day.day, by[3] + 1, of[4])]
"""


async def test_other_names_of_a_type_are_that_type(load: Load) -> None:
    data = {"money": "1.50", "at": "2026-01-02T03:04:05Z", "day": "2020-01-02", "by": {"3": "2"}, "of": {"4": 5}}
    run = await Simulation(Registry(workflows=[load(MODELS + NAMES).main])).run("main", "", input_data=data)
    assert run.result is not None, run.error
    assert run.result["output"] == ["3.00", "2026", "2", "3", "5"]


NAMED = """
from enum import Enum, StrEnum

class Color(Enum):
    RED = "r"

class Size(StrEnum):
    BIG = "b"

@workflow
async def main(colors: dict[Color, int], sizes: dict[Size, list[Color]]) -> list[Any]:
    return [colors[Color.RED], Color.RED in colors, sizes[Size.BIG][0] is Color.RED, list(colors)[0].name]
"""


async def test_an_enums_members_are_the_names_of_an_object(load: Load) -> None:
    module, data = load(MODELS + NAMED), {"colors": {"r": 3}, "sizes": {"b": ["r"]}}
    run = await Simulation(Registry(workflows=[module.main])).run("main", "", input_data=data)
    assert run.result is not None, run.error
    assert run.result["output"] == [3, True, True, "RED"]
