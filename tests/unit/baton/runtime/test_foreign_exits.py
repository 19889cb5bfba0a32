"""Tools and models that raise what is no `Exception`: a failure of theirs, which ends nothing else."""

import asyncio
from dataclasses import replace

import pytest

from baton import Agent, Call, Registry, ScriptedModel, tool
from baton.models.model import ModelAnswer, ModelRequest
from tests.unit.baton.kit.listening import Listening
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
    agent = Agent("a", ScriptedModel([requested, "done"]), tools=[leaves, stays])
    stage = Stage(settings=INLINE, registry=Registry([agent]))
    assert (await stage.played("a")).result == {"answer": "done"}
    first, second, third = await stage.calls()
    assert (first.status, third.status) == ("completed", "completed")
    assert second.error is not None
    assert (second.status, second.attempts, second.error.type) == ("failed", 1, cause.__name__)
    assert sorted(ran) == ["leaves", "stays 1", "stays 2"]


@pytest.mark.parametrize("cause", EXITS)
async def test_a_model_call_that_is_cut_short_has_failed_and_is_tried_again(cause: type[BaseException]) -> None:
    causes = [cause]

    def answer(_request: ModelRequest) -> ModelAnswer:
        if causes:
            raise causes.pop()("off")
        return ModelAnswer("done")

    stage = Stage(settings=INLINE, registry=Registry([Agent("a", Listening(answer), tools=[])]))
    job = await stage.played("a")
    assert (job.result, job.attempts) == ({"answer": "done"}, 2)
    assert (await stage.ports.counters.sums())["model_failures:a:model_error"] == 1
