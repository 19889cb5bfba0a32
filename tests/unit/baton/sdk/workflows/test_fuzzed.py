"""Generated programs: as ordinary Python, in one go, and with a crash at each await, all come to the same."""

from types import ModuleType
from typing import Any

import pytest

from baton.sdk.agents.runner import RunFailedError
from tests.unit.baton.sdk.code_mode.generated import workflow_of
from tests.unit.baton.sdk.workflows.conftest import Load
from tests.unit.baton.sdk.workflows.played_jobs import Job, runner_of

TOOLS = """
from baton import ToolError

@tool
async def twice(x: int) -> int:
    return 2 * x

@tool
async def fails(kind: str) -> int:
    raise {"value": ValueError, "key": KeyError}.get(kind, ToolError)("it failed")
"""
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


@pytest.mark.parametrize("seeds", SEEDS)
async def test_a_generated_workflow_is_as_ordinary_python_and_survives_each_crash(load: Load, seeds: range) -> None:
    for seed in seeds:
        module = load(TOOLS + workflow_of(seed))
        expected = [_plain(await _ordinary(module))] * 2
        assert [await _as_job(module, crashes=crashes) for crashes in (False, True)] == expected, workflow_of(seed)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
