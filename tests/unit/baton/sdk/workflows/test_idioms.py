"""What people write comes to the same as in Python, also with a crash at each point, or is refused by its name."""

import inspect
import json
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


def _module(load: Load, body: str) -> ModuleType:
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return load(f"{HEAD}\n@workflow\nasync def main():\n{lines}\n")


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
