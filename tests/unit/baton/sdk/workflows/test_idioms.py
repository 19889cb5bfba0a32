"""What people write comes to the same as in Python, also with a crash at each point, or is refused by its name."""

import inspect
import json
import random  # noqa: TID251 - it is seeded
from types import ModuleType
from typing import Any

import pytest
from pydantic_core import to_jsonable_python

from baton import Registry
from baton.sdk.agents.registry import RegistryError
from baton.sdk.agents.runner import RunFailedError
from baton.testing import Simulation
from tests.unit.baton.sdk.workflows.conftest import Load
from tests.unit.baton.sdk.workflows.idioms import HEAD, REFUSED, SAME
from tests.unit.baton.sdk.workflows.played_jobs import Job, runner_of


def _module(load: Load, body: str, beside: str = "") -> ModuleType:
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return load(f"{HEAD}{beside}\n@workflow\nasync def main():\n{lines}\n")


async def _ordinary(module: ModuleType) -> Any:
    try:
        return json.loads(json.dumps(to_jsonable_python(await module.main())))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the expected one
        return type(error).__name__


async def _as_job(module: ModuleType) -> Any:
    runner, job = runner_of(module), Job({})
    while True:
        try:
            answer = await job.turn(runner)
        except RunFailedError as error:
            return error.type
        if not answer.answer.calls:
            return answer.output


@pytest.mark.parametrize("body", SAME)
async def test_what_people_write_is_as_ordinary_python(load: Load, body: str) -> None:
    module = _module(load, body)
    assert await _as_job(module) == await _ordinary(module)


# Found by reading, with what they need beside them.
BESIDE = """
import math
from math import inf

LEAST, TABLE = -math.inf, {"a": [inf]}

@dataclass
class Best:
    value: float = inf

@dataclass(frozen=True, slots=True)
class Place:
    x: int

class Shut2(BaseModel):
    model_config = ConfigDict(frozen=True)
    x: int

def timedelta(days):
    return days + 1

async def gather(a, *, b=1):
    return a + b

"""
READ = r"""
d = collections.deque([1, 2, 3, 4])
del d[-1], d[-2], d[0]
return list(d)
---
d = collections.deque([1, 2])
try:
    del d[2]
except IndexError as e:
    return [str(e), list(d)]
---
c = collections.Counter('aab')
del c['b'], c['none']
return c
---
return re.sub('a', lambda m: None, 'bab')
---
it, out = iter([1, 2, 3, 4, 5, 6]), []
for a, b in zip(it, it):
    out.append((a, b, next(it, None)))
return [out, next(zip(itertools.count(), itertools.cycle('ab'))), next(it, 'end')]
---
seen = []
for a, _ in zip(map(lambda x: seen.append(x) or x, [1, 2, 3]), 'abc'):
    if a == 2:
        break
return [seen, list(zip([1, 2], 'a')), list(zip()), list(zip([1, 2], [3, 4], strict=True))]
---
return [round(2.675, 2), round(1.15, 1), round(2.5), round(2.5, None), round(7, 2), round(-0.001, ndigits=2)]
---
one = {1, 2, 3}
two = one
one |= {4}
one -= {1}
one &= {2, 3, 4}
one ^= {
    3,
    5,
}
return [sorted(two), one is two]
---
def widen(seen, more):
    seen['s'] |= (more or {0})
seen = {'s': {1}}
kept = seen['s']
widen(seen, {2})
return sorted(kept)
---
x, s, d = [1], frozenset([1]), {1: 2}
y, t, e = x, s, d
x += (2, 3)
x += (n for n in [4])
x += range(2)
x += [9]
s |= {2}
d |= {3: 4}
return [y, x is y, sorted(t), sorted(s), e]
---
n = 7
n -= len('ab')
n &= 12 | 1
n ^= n
text = 'a'
text += str(n)
return [n, text]
---
return [LEAST < 0, TABLE['a'][0] > 5, Best().value > 5, str(Best(-inf).value)]
---
return [{Place(1): 2}[Place(1)], {Shut2(x=1): 3}[Shut2(x=1)]]
---
place = Place(1)
try:
    place.x = 2
except AttributeError:
    return place.x
---
return [timedelta(1), await gather(1, b=2), sum(timedelta(x) for x in [1]), f'{sum(timedelta(x) for x in [2])}']
---
x = [1, [2]]
y, d = x, {'a': x}
x *= 2
d['a'] *= 2
z = 'ab'
z *= 2
n = 3
n *= 1.5
t = (1,)
t *= 2
return [x, y is x, d, z, n, t]
---
x = [1]
y = x
x *= 0
x *= True
return [x, y is x]
---
x = {'n': 2}
x['n'] *= 3
p = timedelta(2)
p *= 2
return [x, p]
---
x = [1]
try:
    x *= 'a'
except TypeError:
    return x
---
told = []
async def tell(n):
    await add(n, 0)
    told.append(n)
await asyncio.gather(*[tell(n) for n in range(9)])
return told
---
async def no(word):
    await add(1, 1)
    raise ValueError(word)
try:
    await asyncio.gather(*[no(word) for word in 'abcdef'])
except ValueError as e:
    return str(e)
""".strip().split("\n---\n")


@pytest.mark.parametrize("body", READ)
async def test_what_reading_found_is_as_ordinary_python(load: Load, body: str) -> None:
    module = _module(load, body, BESIDE)
    assert await _as_job(module) == await _ordinary(module)


async def test_numbers_are_rounded_as_in_ordinary_python(load: Load) -> None:
    chance = random.Random(5)
    pairs = [(round(chance.uniform(-1e4, 1e4), chance.randint(1, 5)), chance.randint(0, 4)) for _ in range(3000)]
    module = load(f"PAIRS = {pairs!r}\n\n@workflow\nasync def main():\n    return [round(*pair) for pair in PAIRS]\n")
    assert await _as_job(module) == await _ordinary(module)


@pytest.mark.parametrize("made", ["Counter('aab')", "defaultdict(int, a=1)"])
def test_a_table_with_a_default_of_its_own_is_no_constant(load: Load, made: str) -> None:
    beside = f"import collections\nTABLE = collections.{made}\n\n"
    with pytest.raises(RegistryError, match=f"'TABLE' is a {made.partition('(')[0]}, and no tool"):
        Registry(workflows=[load(f"{beside}@workflow\nasync def main():\n    return TABLE['z']\n").main])


SPANS = (
    *(
        "",
        "1",
        "1, 2, 3, 4, 5, 6, 7",
        "hours=1.5",
        "seconds=0.1",
        "days=-0.5",
        "weeks=0.3, days=-0.1",
        "minutes=2**0.5",
    ),
    *("microseconds=0.5", "microseconds=1.5", "milliseconds=0.0005", "seconds=1e9", "days=999999999", "hours=True"),
    *(
        "days=10**10",
        "seconds=float('nan')",
        "seconds='1'",
        "years=1",
        "seconds=-1e-7",
        "**{'hours': 0.25}",
        "*[0, 0.75]",
    ),
)


@pytest.mark.parametrize("given", SPANS)
async def test_a_span_of_time_is_as_ordinary_python(load: Load, given: str) -> None:
    made = f"timedelta({given})"
    shown = f'[str({made}), {made}.days, {made}.microseconds, isinstance({made}, timedelta), f"{{{made}}}"]'
    module = _module(load, f"import datetime\nfrom datetime import timedelta\nreturn {shown}, datetime.{made}")
    assert await _as_job(module) == await _ordinary(module)


@pytest.mark.parametrize(("body", "fault"), REFUSED)
def test_what_is_not_possible_is_refused_by_its_name(load: Load, body: str, fault: str) -> None:
    with pytest.raises(RegistryError) as refused:
        Registry(workflows=[_module(load, body).main])
    assert fault in str(refused.value)


GROUPED = """
from baton import ToolContext
from baton.testing import Simulation

@tool
async def put(x: int, ctx: ToolContext | None = None) -> int:
    Simulation.effect(ctx.idempotency_key)
    return x

@workflow
async def main() -> list[int]:
    async with asyncio.TaskGroup() as group:
        first = group.create_task(put(1))
        rest = [group.create_task(put(n)) for n in range(2, 4)]
    held = {at: each for at, each in enumerate(zip([first, *rest], "abc"))}
    del held[0]
    return [first.result(), *[await put(task.result() + 10) for task, _ in held.values()]]
"""


async def test_a_task_group_survives_a_crash_at_each_point(load: Load) -> None:
    registry = Registry(workflows=[load(GROUPED).main])
    run = await Simulation(registry).run("main", "")
    assert run.result is not None, run.error
    assert run.result["output"] == [1, 12, 13]
    (await Simulation(registry).crash_everywhere("main", "")).check()


COLORED = """
from enum import Enum

class Color(Enum):
    RED = "r"

@tool
async def kept(color: Color) -> Color:
    return color

@workflow
async def main(color: Color) -> list[bool]:
    again = await kept(color)
    return [color is Color.RED, again is Color.RED, await kept(Color.RED) is color]
"""


async def test_an_enum_passes_the_border_as_its_member(load: Load) -> None:
    run = await Simulation(Registry(workflows=[load(COLORED).main])).run("main", "", input_data={"color": "r"})
    assert run.result is not None, run.error
    assert run.result["output"] == [True, True, True]


LINES = """
async def below(x):
    if any(y > 1 for y in [x]):
        raise ValueError(x)

@workflow
async def main():
    async with asyncio.TaskGroup() as group:
        for x in (0,):
            group.create_task(below(x))
    async with asyncio.TaskGroup():
        pass
    await below(
        2
    )
"""


async def test_a_failure_shows_the_lines_of_its_file_behind_a_task_group(load: Load) -> None:
    module = load(LINES)
    with pytest.raises(RunFailedError) as failed:
        await Job({}).turn(runner_of(module))
    lines = inspect.getsource(module).splitlines()
    places = [lines.index(line) + 1 for line in ("    await below(", "        raise ValueError(x)")]
    shown = [int(line.split("line ")[1].split(",")[0]) for line in str(failed.value).splitlines()[1:]]
    assert shown == places
