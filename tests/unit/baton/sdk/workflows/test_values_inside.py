"""Keys, fields that nobody sets, and values that are texts inside of a workflow: as in Python, or refused by name."""

import pytest

from baton import Registry
from baton.sdk.agents.registry import RegistryError
from baton.sdk.agents.runner import RunFailedError
from tests.unit.baton.sdk.workflows.conftest import Load
from tests.unit.baton.sdk.workflows.played_jobs import Job, runner_of
from tests.unit.baton.sdk.workflows.test_idioms import _as_job, _module, _ordinary

BESIDE = """
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import Enum, StrEnum
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID
from pydantic import AnyUrl, BaseModel, ConfigDict, Field
from typing_extensions import TypeAliasType

Day = TypeAliasType("Day", "date")
Days = TypeAliasType("Days", "list[Day]")
Cost = TypeAliasType("Cost", "Annotated[Decimal, Field(gt=0)] | None")
Lost = TypeAliasType("Lost", "dates")

@dataclass
class Free:
    x: int = 1
    part: int = 1
    n: int = 1

class Shut(BaseModel):
    model_config = ConfigDict(frozen=True)
    x: Any = 1

class Part(BaseModel):
    part: int = Field(1, frozen=True)
    free: Any = 0

class Checked(BaseModel):
    model_config = ConfigDict(validate_assignment=True)
    n: int = 1

class Named(BaseModel):
    day: Day = date(2026, 1, 2)
    days: Days = []
    cost: Cost = None
    by: dict[Day, int] = {}

class Held(BaseModel):
    id: UUID = UUID(int=5)
    url: AnyUrl | None = AnyUrl("http://a.b/c")
    path: Path = Path("/x")
    ids: list[UUID] = []

@dataclass(kw_only=True)
class Kw:
    a: int
    b: int = 2

@dataclass
class Mixed:
    x: int = 1
    y: int = field(kw_only=True)
    z: int = field(init=False, default=5)

class Size(StrEnum):
    BIG = "b"

class Color(Enum):
    RED = "r"

@tool
async def made() -> UUID:
    return UUID(int=3)

"""
SAME = """
shut = Shut()
try:
    setattr(shut, "x", 2)
except ValueError:
    return shut.x
---
free, shut = Free(), Shut(x={1})
for change in (1, 2, 3, 4):
    try:
        if change == 1:
            shut.x = 2
        if change == 2:
            shut.x |= {2}
        if change == 3:
            free.x, shut.x = 4, 5
        for shut.x in [5]:
            pass
    except ValueError:
        free.x += 1
return [sorted(shut.x), free.x]
---
free, part = Free(), Part()
part.free = {4}
part.free |= {5}
setattr(part, "free", part.free | {6})
setattr(free, "part", 3)
free.x, free.part = free.x + 1, free.part + 1
try:
    part.part = 3
except ValueError:
    return [part.part, sorted(part.free), free.x, free.part]
---
class Own:
    def __init__(self):
        self.x = 1
own = Own()
own.x += 1
setattr(own, "x", own.x + 1)
return [own.x, Shut().x, Shut(x=own.x)]
---
class Own:
    def __init__(self, id):
        self.id = id
own = Own("a")
return [own.id.upper(), own.id == "a", own.id[0], str(Held().id)]
---
named = Named(days=["2026-01-03"], cost="1.5", by={"2026-01-04": 1})
return [named.day.year, named.days[0].day, str(named.cost * 2), [day.day for day in named.by], named]
---
held = Held()
return [str(held.id), f"{held.id} {held.path}", held.id == held.id, str(held.id)[:3], held.url is None, "%s" % held.id]
---
return [Kw(a=1), Kw(b=1, a=2), str(Mixed(y=1)), Mixed(x=2, y=1), Free(5, n=3), Free(*[1, 2])]
---
kinds = [type(Size.BIG).__name__, type(Color.RED) is Color, f"{type(Color.RED).__name__}", Size.__name__]
return [kinds, type(1) is int, type(Color.RED) == Size, [type(v).__name__ for v in [Size.BIG, 1, "a", None]]]
---
d = {1: "a", 2: "b"}
d[1], d["1"] = "c", "d"
return list(d.items())
---
x = str(5)
try:
    raise KeyError(x)
except KeyError as error:
    return str(error)
""".strip().split("\n---\n")


@pytest.mark.parametrize("body", SAME)
async def test_it_is_as_in_ordinary_python(load: Load, body: str) -> None:
    module = _module(load, body, BESIDE)
    assert await _as_job(module) == await _ordinary(module)


async def test_a_field_that_is_checked_where_it_is_set_fails_beside_one_that_is_not(load: Load) -> None:
    module = _module(load, "Free().n = 2\nchecked = Checked()\nsetattr(checked, 'n', '5')\nreturn checked.n", BESIDE)
    with pytest.raises(RunFailedError, match=r"Checked\.n has validate_assignment, which a workflow does not do; make"):
        await Job({}).turn(runner_of(module))


KEYS, TEXT = "is one key of d, of which a workflow keeps the last; write one", "which is a text in a workflow: "
NO_TEXT = "KeyError takes a text in a workflow, and shows it in quotes; write LookupError(…), or a text"
REFUSED = [
    ("d = {}\nd[1] = 2\nd[True] = 3", f"1 or True {KEYS}"),
    ("d = {0: 2}\nd['0'] = 1\nd[0.0] = 3", f"0 or 0.0 {KEYS}"),
    ("x = 5\nraise KeyError(x)", NO_TEXT),
    ("def get(n: int):\n    raise KeyError(n)\nget(1)", NO_TEXT),
    ("for n in range(3):\n    raise KeyError(n)", NO_TEXT),
    ("Kw(1)", "Kw takes these fields by their names alone in a workflow; write Kw(field=…)"),
    ("Mixed(1, y=1)", "Mixed takes these fields by their names alone"),
    ("x = [1]\nMixed(*x)", "Mixed takes these fields by their names alone"),
    ("Checked().n = '5'", "Checked.n has validate_assignment, which a workflow does not check; make another one"),
    ("return Held().id.hex", f"Held().id is a UUID, {TEXT}it has no .hex; write str(…)"),
    ("x = Held().url\nreturn x.host", f"x is a AnyUrl, {TEXT}it has no .host"),
    ("x = await made()\nreturn x.hex", f"x is a UUID, {TEXT}it has no .hex"),
    ("def f(id: UUID | None):\n    return id.int\nf(None)", f"id is a UUID, {TEXT}it has no .int"),
    ("return Held().path / 'b'", f"Held().path is a Path, {TEXT}it is joined to nothing; write an f-string"),
    ("return Held().id[:3]", f"Held().id is a UUID, {TEXT}its parts are those of str(…)"),
    ("return isinstance(Held().id, str)", f"{TEXT}isinstance(…) takes it for one; leave that out"),
    ("return Held().id == 'a'", f"{TEXT}it equals its text; compare str(…), or do it in a @tool"),
]


@pytest.mark.parametrize(("body", "fault"), REFUSED)
def test_what_is_less_inside_is_refused_by_its_name(load: Load, body: str, fault: str) -> None:
    with pytest.raises(RegistryError) as refused:
        Registry(workflows=[_module(load, body, BESIDE).main])
    assert fault in str(refused.value)


def test_a_name_of_a_type_that_is_no_type_is_refused(load: Load) -> None:
    module = load(f"{BESIDE}\n@workflow\nasync def main(n: int) -> Lost:\n    return n\n")
    with pytest.raises(RegistryError, match="Lost is the text 'dates', which names no type of flow"):
        Registry(workflows=[module.main])
