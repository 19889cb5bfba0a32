"""Names of objects, and what can be read once, come to a workflow and from its steps as they are annotated."""

from typing import Any

import pytest

from baton import Registry
from baton.sdk.agents.registry import check_input
from baton.sdk.tools.arguments import InvalidArguments
from baton.testing import Simulation
from tests.unit.baton.sdk.workflows.conftest import Load

HEAD = """
from collections.abc import Iterable, Iterator, Sequence
from collections import Counter, defaultdict, deque
from datetime import date
from enum import Enum
from pydantic import BaseModel
from typing import Any, Literal
import typing
from typing import NamedTuple
from typing_extensions import NotRequired, TypeAliasType, TypedDict

class Level(Enum):
    LOW = 1
    HIGH = 2.5

class Sure(Enum):
    YES = True

class Count(TypedDict):
    n: int

class Typed(TypedDict):
    on: date
    by: NotRequired[Count]

class Kids(TypedDict):
    on: date
    kids: "list[Kids]"

class Pair(NamedTuple):
    a: int
    b: int

Json = TypeAliasType("Json", "dict[str, Json] | list[Json] | int | None")

class Line(BaseModel):
    sku: str

@tool
async def passed(value: {kind}) -> {kind}:
    \"\"\"Return it.

    Args:
        value: it.
    \"\"\"
    return value if isinstance(value, dict) else list(value)

@workflow
async def main(n: int, value: {kind}) -> Any:
    again = await passed(value)
    return [{shown} for value in (value, again)]
"""
PASSED: list[tuple[str, Any, str, Any]] = [
    ("dict[bool, int]", {"true": 1, "false": 2}, "[value[True], value[False]]", [1, 2]),
    ("dict[Literal['a', 'b'] | str, int]", {"a": 1}, "value['a']", 1),
    ("dict[Any, int]", {"a": 1}, "value['a']", 1),
    ("Typed", {"on": "2026-01-02", "by": {"n": 1}}, "[value['on'].year, value['by']['n']]", [2026, 1]),
    ("list[Typed]", [{"on": "2026-01-02", "by": {"n": 1}}], "value[0]['on'].year", 2026),
    ("Json", {"a": [1, None]}, "value['a'][0]", 1),
    ("Iterable[Line]", [{"sku": "a"}], "[each.sku for each in value]", ["a"]),
    ("typing.Iterable[Line] | int", [{"sku": "a"}], "[each.sku for each in value]", ["a"]),
    ("Sequence[Iterable[Line]]", [[{"sku": "a"}]], "[each.sku for all in value for each in all]", ["a"]),
]


@pytest.mark.parametrize(("kind", "given", "shown", "found"), PASSED, ids=[one[0] for one in PASSED])
async def test_it_passes_as_it_is_annotated(load: Load, kind: str, given: Any, shown: str, found: Any) -> None:
    text = HEAD.replace("{kind}", kind).replace("{shown}", shown)
    run = await Simulation(Registry(workflows=[load(text).main])).run("main", "", input_data={"n": 1, "value": given})
    assert run.result is not None, run.error
    assert run.result["output"] == [found, found]


@pytest.mark.parametrize(
    ("given", "fault"),
    [([{}], "0.sku: Field required"), ([{"sku": 3}], "0.sku: Input should be a valid string"), (3, "value: ")],
)
def test_what_is_read_once_is_checked_before_there_is_a_job(load: Load, given: Any, fault: str) -> None:
    module = load(HEAD.replace("{kind}", "Iterable[Line]").replace("{shown}", "1"))
    with pytest.raises(InvalidArguments) as refused:
        check_input(Registry(workflows=[module.main]), "main", {"n": 1, "value": given})
    assert fault in str(refused.value)


DEFAULTS = """
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from pydantic import BaseModel, Field

class Named(BaseModel):
    id: uuid.UUID = Field(default_factory=uuid.uuid4, alias="ID")
    tags: list[str] = Field(default_factory=list)

@dataclass
class Timed:
    at: datetime = field(default_factory=datetime.now)
    things: list[object] = field(default_factory=list)

class Within(BaseModel):
    names: list[Named] = []
    one: Named | None = None

@workflow
async def main({takes}) -> None: ...
"""
NAMED = {"ID": "00000000-0000-4000-8000-000000000001"}


@pytest.mark.parametrize(
    ("takes", "left_out", "given"),
    [
        ("of: Named", ("ID", {}), NAMED),
        ("of: Timed", ("at", {"things": [1]}), {"at": "2026-01-02"}),
        ("of: Within", ("one", {"names": [NAMED], "one": {}}), {"names": [NAMED]}),
        ("n: int, of: list[Within]", ("of", {"n": 1, "of": [{"names": [{}]}]}), {"n": 1, "of": [{}, {"one": NAMED}]}),
    ],
)
def test_a_default_that_is_another_one_each_time_is_to_be_given(
    load: Load, takes: str, left_out: tuple[str, Any], given: Any
) -> None:
    registry = Registry(workflows=[load(DEFAULTS.replace("{takes}", takes)).main])
    check_input(registry, "main", given)
    with pytest.raises(InvalidArguments, match="its default is another one each time that the code runs") as refused:
        check_input(registry, "main", left_out[1])
    assert refused.value.places == ((left_out[0],),)
