"""Names of objects, and what can be read once, pass the border of a workflow as they are annotated, or are refused."""

from typing import Any

import pytest

from baton import Registry
from baton.sdk.agents.registry import RegistryError, check_input
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


REFUSED = ["int | None", "str | None", "str | int", "Sure", "Level", "Literal[1, 2]", "tuple[int, int]", "Line"]


@pytest.mark.parametrize("kind", REFUSED)
def test_names_that_no_text_becomes_are_refused(load: Load, kind: str) -> None:
    module = load(HEAD.replace("{kind}", f"dict[{kind}, int]").replace("{shown}", "value"))
    with pytest.raises(RegistryError) as refused:
        Registry(workflows=[module.main])
    what = f"names of an object are texts in JSON, of which a workflow cannot make {kind}; annotate str, int or another"
    assert f"workflow 'main': parameter value: {what} single type" in str(refused.value)


NAMES = ["Counter[str]", "defaultdict[str, int]", "deque[int]", "Pair"]
NO_MORE = "has no methods or names of its own in a workflow; annotate dict, list or a model"
LESS = [
    *((kind, f"a {kind.partition('[')[0]} {NO_MORE}") for kind in NAMES),
    ("Kids", "Kids has itself inside, which no workflow reads; annotate a model"),
]


@pytest.mark.parametrize(("kind", "fault"), LESS)
def test_what_would_be_less_inside_is_refused(load: Load, kind: str, fault: str) -> None:
    with pytest.raises(RegistryError) as refused:
        Registry(workflows=[load(HEAD.replace("{kind}", kind).replace("{shown}", "value")).main])
    assert f"workflow 'main': parameter value: {fault}" in str(refused.value)


@pytest.mark.parametrize(
    ("given", "fault"),
    [([{}], "0.sku: Field required"), ([{"sku": 3}], "0.sku: Input should be a valid string"), (3, "value: ")],
)
def test_what_is_read_once_is_checked_before_there_is_a_job(load: Load, given: Any, fault: str) -> None:
    module = load(HEAD.replace("{kind}", "Iterable[Line]").replace("{shown}", "1"))
    with pytest.raises(InvalidArguments) as refused:
        check_input(Registry(workflows=[module.main]), "main", {"n": 1, "value": given})
    assert fault in str(refused.value)


OWN = """
def {name}(*values):
    return 7

@workflow
async def main(n: int) -> Any:
    return {name}(n)
"""


@pytest.mark.parametrize("name", ["list", "str", "next", "isinstance", "len", "any"])
def test_a_function_with_a_name_that_python_has_and_the_program_needs_is_refused(load: Load, name: str) -> None:
    module = load("from typing import Any\n" + OWN.replace("{name}", name))
    with pytest.raises(RegistryError) as refused:
        Registry(workflows=[module.main])
    assert module.__file__ is not None
    fault = f"name {name!r} is Python's own, which a workflow needs itself; rename it"
    assert f"workflow 'main': {module.__name__}.py:" in str(refused.value)
    assert fault in str(refused.value)


async def test_another_name_that_python_has_is_free(load: Load) -> None:
    module = load("from typing import Any\n" + OWN.replace("{name}", "license"))
    run = await Simulation(Registry(workflows=[module.main])).run("main", "", input_data={"n": 1})
    assert run.result is not None, run.error
    assert run.result["output"] == 7
