"""Names of objects, and what can be read once, come to a workflow and from its steps as they are annotated."""

from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from baton import Registry
from baton.sdk.agents.registry import check_input
from baton.sdk.agents.runner import RunFailedError
from baton.sdk.tools.arguments import InvalidArguments
from baton.testing import Simulation
from tests.unit.baton.sdk.workflows import borders
from tests.unit.baton.sdk.workflows.conftest import Load
from tests.unit.baton.sdk.workflows.playing import Job, runner_of

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
async def test_a_default_that_is_another_one_each_time_is_to_be_given(
    load: Load, takes: str, left_out: tuple[str, Any], given: Any
) -> None:
    registry = Registry(workflows=[main := load(DEFAULTS.replace("{takes}", takes)).main])
    check_input(registry, "main", given)
    assert not (await Job(given).turn(runner_of(main))).stretch
    with pytest.raises(RunFailedError, match=f"{left_out[0]}: its default is another one each time"):  # of an event
        await Job(left_out[1]).turn(runner_of(main))
    with pytest.raises(InvalidArguments, match="its default is another one each time that the code runs") as refused:
        check_input(registry, "main", left_out[1])
    assert refused.value.places == ((left_out[0],),)


@pytest.mark.parametrize(
    ("text", "lasts"),
    [
        ("PT0S", timedelta()),
        ("P1DT2H3M4.5S", timedelta(1, 7_384, 500_000)),
        ("-P1DT0.000001S", -timedelta(1, 0, 1)),
        ("P999999999D", timedelta(999_999_999)),
    ],
)
async def test_a_value_has_its_annotated_type_inside(text: str, lasts: timedelta) -> None:
    value = {7: {date(2026, 1, 2): (b"\xc3\xa9", lasts)}}
    inside = [value, lasts, b"a", time(9, 30, 0, 5), {Decimal("0.10"): 3}]
    given = {"value": {"7": {"2026-01-02": ["é", text]}}, "lasting": text, "raw": "a", "at": "09:30:00.000005"}
    run = await Simulation(borders.registry).run("crosses", "", input_data={**given, "by": {"0.10": 3}})
    assert run.error is None
    output = run.result["output"]
    assert (output["inside"], output["same"]) == (repr(inside), True)
    assert output["rates"] == repr({0.5: time(9, 30)})


async def test_bytes_and_spans_leave_as_those_of_a_tool_do() -> None:
    run = await Simulation(borders.registry).run("gives_raw", "", input_data={"raw": "é", "lasting": "P1D"})
    assert run.error is None
    assert run.result["output"] == {"raw": "é", "lasting": "P1DT1S"}


GIVES = """
from dataclasses import dataclass
from typing import Any

@tool
async def any_of(value: Any) -> Any:
    return value

@dataclass
class Holds:
    what: Any

class Plain:
    names = {"a": 1}.keys()

@workflow
async def main() -> Any:
    named, plain, held, shared = {"a": 1}, Plain(), Holds(None), [1]
    CODE
"""
NO_JSON = "that JSON cannot hold"
# What the code returns, or passes to a step, and the place that is at fault.
NO_DATA = {
    "return range(3)": f"the result: a range {NO_JSON}",
    "return [named.keys()]": f"the result[0]: a dict_keys {NO_JSON}",
    "return {'a': (named.items(),)}": f"the result.a[0]: a dict_items {NO_JSON}",
    "return await any_of(named.values())": f"any_of: an argument.value: a dict_values {NO_JSON}",
    "named['self'] = [named]; return await any_of(named)": "any_of: an argument.value.self[0].self[0]",
    "return Holds(named.keys())": f"the result.what: a dict_keys {NO_JSON}",
    "return [Holds([Holds(named.items())])]": f"the result[0].what[0].what: a dict_items {NO_JSON}",
    "return await any_of(Holds(named.values()))": f"any_of: an argument.value.what: a dict_values {NO_JSON}",
    "plain.what = named.values(); return plain": f"the result: a Plain {NO_JSON}",
    "plain.what = [named.keys()]; return await any_of([plain])": f"any_of: an argument.value[0]: a Plain {NO_JSON}",
    "held.what = {'a': [held]}; return held": "the result.what.a[0].what.a[0]",
    "return {(1, 2): 3}": "the result: the key (1, 2) is no name in JSON; give a text, or a list of pairs",
    "return {'a': {1.5: 1, float('inf'): 2}}": "the result.a: the key inf is no name in JSON",
    "return await any_of({(1, 2): 3})": "any_of: an argument.value: the key (1, 2) is no name in JSON",
}


@pytest.mark.parametrize("code", NO_DATA)
async def test_what_json_cannot_keep_is_refused_by_its_name(load: Load, code: str) -> None:
    run = await Simulation(Registry(workflows=[load(GIVES.replace("CODE", code)).main])).run("main", "")
    assert (run.status, run.tool_starts) == ("failed", [])
    assert run.error is not None
    assert run.error["message"].startswith(NO_DATA[code])


async def test_what_is_shared_is_data(load: Load) -> None:
    code = "return {'a': shared, 'b': [shared, shared], 'c': list(named.keys())}"
    run = await Simulation(Registry(workflows=[load(GIVES.replace("CODE", code)).main])).run("main", "")
    assert run.error is None
    assert run.result["output"] == {"a": [1], "b": [[1], [1]], "c": ["a"]}
