"""Tools and models that raise what is no `Exception`: a failure of theirs, which ends nothing else."""

import asyncio
from dataclasses import replace

import pytest

from baton import Agent, Call, Registry, ScriptedModel, tool
from baton.models.model import ModelAnswer, ModelRequest
from tests.unit.baton.kit.stage import SETTINGS, Stage

INLINE = replace(SETTINGS, continuation="inline")
EXITS = [asyncio.CancelledError, SystemExit, KeyboardInterrupt, GeneratorExit]


@pytest.mark.parametrize("cause", EXITS)
async def test_a_call_that_is_cut_short_has_failed_and_its_siblings_go_on(cause: type[BaseException]) -> None:
    ran: list[str] = []

    @tool(retries=1)
    async def leaves() -> None:
        ran.append("leaves")
        raise cause("off")

    @tool
    async def stays(number: int) -> int:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        ran.append(f"stays {number}")
        return number

    requested = [Call("stays", {"number": 1}), Call("leaves"), Call("stays", {"number": 2})]
    stage = Stage(
        settings=INLINE, registry=Registry([Agent("a", ScriptedModel([requested, "done"]), tools=[leaves, stays])])
    )
    await stage.submit("a")
    await stage.run()
    first, second, third = await stage.calls()
    assert (first.status, third.status) == ("completed", "completed")
    assert second.error is not None
    assert (second.status, second.attempts, second.error.type) == ("failed", 1, cause.__name__)
    assert sorted(ran) == ["leaves", "stays 1", "stays 2"]
    assert (await stage.snapshot()).job.result == {"answer": "done"}


class Leaving:
    name = "leaving"
    reads_history = True

    def __init__(self, cause: type[BaseException]) -> None:
        self._cause: type[BaseException] | None = cause

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        cause, self._cause = self._cause, None
        if cause:
            raise cause("off")
        return ModelAnswer("done")


@pytest.mark.parametrize("cause", EXITS)
async def test_a_model_call_that_is_cut_short_has_failed_and_is_tried_again(cause: type[BaseException]) -> None:
    stage = Stage(settings=INLINE, registry=Registry([Agent("a", Leaving(cause), tools=[])]))
    await stage.submit("a")
    await stage.run()
    job = (await stage.snapshot()).job
    assert (job.result, job.attempts) == ({"answer": "done"}, 2)
    assert (await stage.ports.counters.sums())["model_failures:a:model_error"] == 1
