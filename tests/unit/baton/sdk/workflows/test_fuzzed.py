"""Generated programs: as ordinary Python, in one go, and with a crash at each await, all come to the same."""

import asyncio
from types import ModuleType
from typing import Any

import pytest

from baton.sdk.agents.runner import RunFailedError
from baton.sdk.workflows.interpreter import Bounds, Ended, Raised, Stretch, Waits
from tests.unit.baton.sdk.workflows.conftest import Load
from tests.unit.baton.sdk.workflows.generated import script_of, workflow_of
from tests.unit.baton.sdk.workflows.played_jobs import Job, outcome_of, runner_of

TOOLS = """
from baton import ToolError

@tool
async def twice(x: int) -> int:
    return 2 * x

@tool
async def fails(kind: str) -> int:
    raise {"value": ValueError, "key": KeyError}.get(kind, ToolError)("it failed")
"""
FUNCTIONS = {"add": ("add", ("a", "b")), "twice": ("twice", ("x",)), "fails": ("fails", ("kind",))}
STUBS = """
async def add(a: int, b: int) -> int: ...
async def twice(x: int) -> int: ...
async def fails(kind: str) -> int: ...
"""
SCRIPT_BOUNDS = Bounds(10, 64, 200, 100, 100_000)
SEEDS = [range(4, 8), pytest.param(range(100, 130), marks=pytest.mark.long)]


async def _ordinary(module: ModuleType) -> Any:
    try:
        return await module.main()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the expected one
        return type(error).__name__


async def _as_job(module: ModuleType, *, crashes: bool) -> Any:
    """Play its job; each stretch whose process dies runs again, and each third one from the records alone."""
    runner, job = runner_of(module), Job({})
    while True:
        try:
            if crashes:
                await runner.turn(job.recorded(), None)
            if crashes and len(job.turns) % 3 == 2:
                job.turns[-1]["provider"]["workflowStretch"]["state"] = ""
            answer = await job.turn(runner, whole=True)
        except RunFailedError as error:
            return "ToolError" if error.type in ("gone", "RuntimeError") else error.type
        if not answer.answer.calls:
            return answer.output


def _as_script(code: str, *, crashes: bool) -> Any:
    """Play it as a script of a model."""
    found: Any = Stretch("call", 0, SCRIPT_BOUNDS, FUNCTIONS, code).run_script(STUBS)
    while isinstance(found, Waits):
        outcomes = {number: outcome_of(tool, arguments) for number, tool, arguments in found.calls}
        state = found.state
        for _ in range(2 if crashes else 1):
            found = Stretch("call", 0, SCRIPT_BOUNDS, FUNCTIONS, code).resume(state, outcomes)
    if isinstance(found, Raised):
        return "ToolError" if found.type == "RuntimeError" else found.type
    assert isinstance(found, Ended)
    return found.value


# One whose check takes more memory than scripts have.
LARGE = pytest.param(range(1478, 1479), marks=pytest.mark.long)


@pytest.mark.parametrize("seeds", [*SEEDS, LARGE])
async def test_a_generated_workflow_and_script_is_as_ordinary_python_and_survives_each_crash(
    load: Load, seeds: range
) -> None:
    for seed in seeds:
        module = load(TOOLS + workflow_of(seed))
        expected = [_plain(await _ordinary(module))] * 2
        assert [await _as_job(module, crashes=crashes) for crashes in (False, True)] == expected, workflow_of(seed)
        found = [await asyncio.to_thread(_as_script, script_of(seed), crashes=crashes) for crashes in (False, True)]
        assert found == expected, script_of(seed)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
