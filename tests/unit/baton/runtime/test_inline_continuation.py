"""Going on in place: what follows is done in the same invocation, and by the same rules as if it had been published."""

from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from baton import Agent, Call, Registry, ScriptedModel, tool
from baton.engine.transitions import JobStatus
from baton.engine.work_items import ItemKind
from baton.runtime import pipeline
from baton_events.errors import StoreError
from tests.unit.baton.kit.faults import Method, around, fail
from tests.unit.baton.kit.stage import SETTINGS, Stage

INLINE = replace(SETTINGS, continuation="inline")


def kinds(stage: Stage) -> list[str]:
    return [event.type for event in stage.events()]


@pytest.mark.parametrize("losses", [0, 1])
async def test_in_place_a_job_takes_two_messages(losses: int) -> None:
    """The backup message and the first event, also where an answer is lost: its claims are requested once more.

    They are held by this invocation: nobody else would get them for minutes.
    """
    stage = Stage(settings=INLINE)
    await stage.submit("adds")
    fail(stage.store, "commit", StoreError("no answer"), losses, applied=True)
    await stage.run()
    assert (await stage.snapshot()).job.result == {"answer": "3 and 7"}
    assert stage.step_result.runs == ["add 1 2", "add 3 4"]
    assert kinds(stage) == ["agent.loop.init", "agent.loop.init"]


@pytest.mark.parametrize("whose", ["tool", "agent"])
async def test_what_is_isolated_has_an_invocation_of_its_own(whose: str) -> None:
    """A tool by itself, or all of an agent. Taking in a result is no work, and goes with its run."""

    @tool(retries=0, isolated=whose == "tool")
    async def look() -> None:
        pass

    agent = Agent("looks", model=ScriptedModel([[Call("look")], "seen"]), tools=[look])
    stage = Stage(settings=INLINE, registry=Registry([agent]))
    job = structs.replace(stage.job("looks"), isolated=whose == "agent")
    await stage.container.commands.submit(job, {"text": "look", "data": {}})
    await stage.run()
    assert (await stage.snapshot()).job.status is JobStatus.COMPLETED
    assert kinds(stage) == ["agent.loop.init", "agent.loop.init", "agent.tool.call", "agent.loop.init"]


async def test_one_that_cannot_be_recorded_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """They finish and are recorded; then the message is not acknowledged, and the rest is done again."""
    monkeypatch.setattr(pipeline, "PAUSES_SECONDS", (0.0, 0.0))
    stage, refuses = Stage(settings=INLINE), [True]

    async def refusing(method: Method, *arguments: Any) -> Any:
        changes = arguments[1]
        if refuses and changes.used and changes.calls[0].position == 0:
            raise StoreError("down")
        return await method(*arguments)

    around(stage.store, "commit", refusing)
    first = await stage.submit("adds")
    with pytest.raises(StoreError):
        await stage.deliver(first, "m-turn")
    assert sorted(stage.step_result.runs) == ["add 1 2", "add 3 4"]
    assert [item.position for item in await stage.items() if item.kind is ItemKind.CALL] == [0]
    refuses.clear()
    await stage.deliver(first, "m-turn", retried=1)
    await stage.run()
    assert sorted(stage.step_result.runs) == ["add 1 2", "add 1 2", "add 3 4"]
    assert (await stage.snapshot()).job.status is JobStatus.COMPLETED
