"""A model that is made inside of a workflow is the one of ordinary Python: converted, checked, by its own code."""

import itertools
import json
from typing import Any

import pytest

from baton import Registry
from baton.sdk.agents.runner import RunFailedError
from baton.testing import Simulation
from tests.unit.baton.sdk.workflows.conftest import Load
from tests.unit.baton.sdk.workflows.played_jobs import Job, runner_of

MODELS = """
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from itertools import count
from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, PositiveInt, field_validator
from pydantic import model_validator
from typing import Annotated, Any, Literal

NUMBERS = count(1)

class Color(Enum):
    RED = "r"

class Size(StrEnum):
    BIG = "b"

class Line(BaseModel):
    sku: str
    n: int = 1

class Doubled(BaseModel):
    n: int

    @field_validator("n")
    @classmethod
    def twice(cls, n):
        return 2 * n

@dataclass
class Plain:
    x: Any

class All(BaseModel):
    i: int = 0
    f: float = 0.0
    s: str = ""
    b: bool = False
    d: date | None = None
    at: datetime | None = None
    t: time | None = None
    lasts: timedelta = timedelta()
    money: Decimal = Decimal(0)
    raw: bytes = b""
    pair: tuple[int, str] = (0, "")
    tags: set[int] = set()
    names: list[str] = []
    by: dict[int, Line] = {}
    line: Line | None = None
    lines: list[Line] = []
    color: Color | None = None
    sizes: list[Size] = []
    word: Literal["x", "y"] = "x"
    either: int | str = 0
    any: Any = None
    held: Plain | None = None
    doubled: Doubled | None = None

class Bound(BaseModel):
    n: int = Field(gt=5)
    p: PositiveInt = 1
    plus: Annotated[int, AfterValidator(lambda n: n + 1)] = 1

class Whole(BaseModel):
    n: int

    @model_validator(mode="after")
    def nine(self):
        self.n = 9
        return self

class Later(BaseModel):
    n: int

    def model_post_init(self, context):
        self.n += 1

class Own(BaseModel):
    n: int

    def __init__(self, n):
        super().__init__(n=n + 1)

class Named(BaseModel):
    model_config = ConfigDict(extra="forbid")
    unit_count: int = Field(validation_alias=AliasChoices("units", "count"))

class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    n: int

class Numbered(BaseModel):
    number: int = Field(default_factory=lambda: next(NUMBERS))

class Fails(BaseModel):
    n: int

    @field_validator("n")
    @classmethod
    def never(cls, n):
        raise KeyError("never")

def fields_of(made):
    return {name: repr(getattr(made, name)) for name in NAMES}
"""
MADE = [
    *(f"All(i={value})" for value in ("3", "'3'", "' 4 '", "True", "2.0", "2.5", "'x'", "None", "[1]", "Decimal(3)")),
    *(f"All(f={value})" for value in ("1", "'1.5'", "True", "'x'", "Decimal('1.5')")),
    *(f"All(s={value})" for value in ("'a'", "1", "None", "Size.BIG", "b'a'")),
    *(f"All(b={value})" for value in ("1", "'yes'", "'off'", "2", "True")),
    *(f"All(d={value})" for value in ("'2026-01-02'", "date(2026, 1, 2)", "'x'", "datetime(2026, 1, 2)", "3")),
    *(f"All(at={value})" for value in ("'2026-01-02T03:04:05'", "datetime(2026, 1, 2)", "'x'")),
    *("All(t='03:04')", "All(lasts=90)", "All(lasts='PT3M')", "All(lasts=timedelta(1))"),
    *("All(money='1.50')", "All(money=Decimal('1.50'))", "All(money=2)", "All(money='x')", "All(raw='a')"),
    *("All(pair=[1, 'a'])", "All(pair=(1, 2))", "All(tags=[1, 1, '2'])", "All(names=('a', 'b'))", "All(names='ab')"),
    *("All(by={'1': {'sku': 'a'}})", "All(by={1: Line(sku='a')})", "All(by={'x': {}})"),
    *("All(line={'sku': 'a'})", "All(line=Line(sku='a', n='2'))", "All(line={'n': 1})", "All(line=3)"),
    *("All(lines=[{'sku': 'a'}, Line(sku='b')])", "All(lines=[{}])", "All(lines=({'sku': 'c', 'n': '7'},))"),
    *("All(color='r')", "All(color=Color.RED)", "All(color='z')", "All(sizes=['b', Size.BIG])", "All(word='z')"),
    *("All(either='1')", "All(either=[1])", "All(any=Decimal(1))", "All(any=Plain(Decimal(1)))", "All(any={1: (2,)})"),
    *("All(held=Plain(3))", "All(held={'x': 3})", "All(doubled={'n': 2})", "All(doubled=Doubled(n=2))"),
    *("All(i=1, unknown=2)", "Bound(n=1)", "Bound(n=6)", "Bound(n=6, p=-1)", "Bound(n=6, plus=3)", "Bound()"),
    *("Doubled(n=2)", "Doubled(n='2')", "Whole(n=1)", "Later(n=1)", "Own(1)", "Own(n='x')", "Own(n=1)"),
    *("Named(units=1)", "Named(count='2')", "Named(unit_count=1)", "Named(units=1, more=2)"),
    *("Open(n='1', more='x')", "Fails(n=1)"),
]
FIELDS = {
    "All": "i f s b d at t lasts money raw pair tags names by line lines color sizes word either any held doubled"
}
FIELDS |= {"Bound": "n p plus", "Named": "unit_count", "Open": "n"}


def written(made: str) -> str:
    names = FIELDS.get(made.partition("(")[0], "n").split()
    more = ", made.more" if "Open(" in made else ""
    body = f"made = {made}\n    return [[repr(getattr(made, name)) for name in {names!r}]{more}]"
    return f"{MODELS}\n@workflow\nasync def main() -> Any:\n    {body}\n"


async def _ordinary(module: Any) -> Any:
    try:
        return await module.main()
    except ValueError:
        return "ValueError"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the expected one
        return type(error).__name__


async def _as_job(module: Any) -> Any:
    try:
        return (await Job({}).turn(runner_of(module))).output
    except RunFailedError as error:
        return error.type


@pytest.mark.parametrize("made", MADE)
async def test_a_model_made_inside_is_the_one_of_ordinary_python(load: Load, made: str) -> None:
    module = load(written(made))
    assert await _as_job(module) == await _ordinary(module)


async def test_a_misfit_names_model_field_and_value_at_its_line(load: Load) -> None:
    module = load(written("All(i='x', lines=[{}])"))
    with pytest.raises(RunFailedError) as failed:
        await Job({}).turn(runner_of(module))
    text = str(failed.value)
    assert "All: i: Input should be a valid integer, unable to parse string as an integer, got 'x'" in text
    assert "All: lines.0.sku: Field required" in text
    assert f'File "{module.__name__}.py", line ' in text


async def test_a_factory_is_called_for_each_model(load: Load) -> None:
    text = "@workflow\nasync def main() -> Any:\n    return [Numbered().number for _ in range(3)]\n"
    numbers = await _as_job(load(f"{MODELS}\n{text}"))
    assert [later - earlier for earlier, later in itertools.pairwise(numbers)] == [1, 1]


async def test_what_is_given_is_not_shared_with_the_model(load: Load) -> None:
    text = "names = ['a']\n    made = All(names=names)\n    names.append('b')\n    return made.names"
    assert await _as_job(load(f"{MODELS}\n@workflow\nasync def main() -> Any:\n    {text}\n")) == ["a"]


async def test_what_is_given_as_anything_is_shared_as_in_ordinary_python(load: Load) -> None:
    text = "given = {'a': 1}\n    made = All(any=given)\n    given['b'] = 2\n    made.any['c'] = 3"
    module = load(f"{MODELS}\n@workflow\nasync def main() -> Any:\n    {text}\n    return [made.any, given]\n")
    assert await _as_job(module) == await _ordinary(module)


NESTED = """
from collections import Counter

class Grid(BaseModel):
    rows: list[list[int]] = []
    by: dict[str, dict[str, list[int]]] = {}
    both: tuple[list[int], int] = ([], 0)
    some: list[Any] = []
    lines: list[Line] = []
    counted: dict[str, int] = {}

@workflow
async def main() -> Any:
    row, line = [1], Line(sku="a")
    by, count = {"a": {"b": row}}, Counter("aab")
    made = Grid(rows=[row, row], by=by, both=(row, 1), some=[row], lines=[line], counted={"a": 1})
    row.append(2)
    by["a"]["c"] = []
    line.sku = "b"
    made.rows[0].append(3)
    made.by["a"]["b"].append(4)
    rows = [made.rows, made.by, made.both, made.some, row, by]
    return [rows, made.lines[0].sku, made.some[0] is row, made.lines[0] is line, made.rows[0] is made.rows[1]]
"""


async def test_each_level_is_shared_or_copied_as_in_ordinary_python(load: Load) -> None:
    module = load(MODELS + NESTED)
    assert await _as_job(module) == json.loads(json.dumps(await _ordinary(module)))


GIVEN = """
@tool
async def passed(value: Any) -> Doubled:
    \"\"\"Return it.

    Args:
        value: it.
    \"\"\"
    return Doubled(n=1)

@workflow
async def main(whole: Doubled, by: dict[str, Doubled]) -> list[int]:
    again = await passed(whole)
    later = await passed(All(doubled=again))
    return [whole.n, by["a"].n, again.n, later.n, All(doubled=again).doubled.n]
"""


async def test_what_was_made_outside_is_not_made_again_inside(load: Load) -> None:
    """A validator that changes its value runs once for each model, however often that passes."""
    data = {"whole": {"n": 5}, "by": {"a": {"n": 6}}}
    run = await Simulation(Registry(workflows=[load(MODELS + GIVEN).main])).run("main", "", input_data=data)
    assert run.result is not None, run.error
    assert run.result["output"] == [10, 12, 2, 2, 2]


async def test_a_job_whose_new_code_has_no_such_model_goes_on(load: Load) -> None:
    text = "@workflow\nasync def main() -> Any:\n    await add(1, 2)\n    return {}\n"
    old, new = (runner_of(load(f"{MODELS}\n{text.format(made)}")) for made in ("Doubled(n=2).n", "7"))
    job = Job({})
    await job.turn(old)
    assert (await job.turn(new)).output == 2


async def test_a_misfit_can_be_caught(load: Load) -> None:
    text = "try:\n        Bound(n=1)\n    except ValueError as error:\n        return str(error)"
    found = await _as_job(load(f"{MODELS}\n@workflow\nasync def main() -> Any:\n    {text}\n"))
    assert found == "Bound: n: Input should be greater than 5, got 1"
