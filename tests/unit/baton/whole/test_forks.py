"""A fork without edits asks what its job has asked, whatever that was told, and runs nothing again."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from baton import Agent, Call, Registry, ScriptedModel, result_of
from baton.engine.transitions import JobStatus
from baton.sdk.models.scripted import ScriptEntry
from baton.server.api.session_line import Sessions
from tests.fakes import FakeLongTermMemory
from tests.unit.baton.kit.forking import fork
from tests.unit.baton.kit.plan_kit import Kit
from tests.unit.baton.kit.stage import Stage

SAY, FAIL = Call("say", {"word": "hi"}), Call("fail", {"times": 9})


class Reading(ScriptedModel):
    reads_history = True


class Case:
    """A job whose agent has the kit's tools and a child, and what happens before it, and in its first turn."""

    def __init__(self, *script: ScriptEntry, **fields: Any) -> None:
        self.kit = Kit()
        child = Agent("child", Reading([[SAY], "small"]), tools=[self.kit.say])
        tools: list[Any] = [self.kit.say, self.kit.fail, self.kit.look, child]
        agents = [Agent("agent", Reading(script), tools=tools, **fields), Agent("before", Reading(["first"])), child]
        self.stage = Stage(registry=Registry(agents), long_term_memory=FakeLongTermMemory())
        self.sessions = Sessions(self.stage.container)

    async def plain(self) -> None:
        await self.stage.submit("agent")

    async def chatting(self) -> None:
        await self.sessions.submit(self.stage.job("before", "job_0", session="s"), {"text": "first", "chat": {}})
        await self.stage.run()
        await self.sessions.submit(self.stage.job("agent", session="s"), {"text": "second", "chat": {}})

    async def steered(self) -> None:
        """While a message comes before its first turn, and one after its first call."""
        await self.sessions.submit(self.stage.job("agent", session="s"), {"text": "one", "chat": {}})
        await self.sessions.steer(self.stage.job("agent", "m1", session="s"), {"text": "two"})


def plan(*words: str) -> list[Call]:
    first = {"name": "a", "tool": "say", "arguments": {"word": words[0]}}
    second = {"name": "b", "tool": "look", "arguments": {"value": result_of("a").as_json()}, "depends_on": ["a"]}
    return [Call("make_plan", {"steps": [first, second]})]


TALK: tuple[ScriptEntry, ...] = ([SAY, SAY], [FAIL], [Call("unknown"), Call("child", {"task": "t"})], "done")
CASES: dict[str, Callable[[], tuple[Case, Callable[[Case], Awaitable[None]]]]] = {
    "calls, failures and children": lambda: (Case(*TALK), Case.plain),
    "a chat": lambda: (Case(*TALK), Case.chatting),
    "messages meanwhile": lambda: (Case(*TALK), Case.steered),
    "memory": lambda: (Case(*TALK, memory=True), Case.chatting),
    "plans": lambda: (Case(plan("hi"), plan("ho"), "done", mode="plan"), Case.plain),
}


@pytest.mark.parametrize("make", CASES.values(), ids=CASES)
async def test_a_fork_asks_what_its_job_has_asked(
    make: Callable[[], tuple[Case, Callable[[Case], Awaitable[None]]]],
) -> None:
    case, begin = make()
    await begin(case)
    await case.stage.run()
    ended, asked = (await case.stage.snapshot()).job, await asked_in(case.stage, "job_1")
    case.kit.ran.clear()
    assert ended.status is JobStatus.COMPLETED
    for turn in range(1, ended.turn + 1):
        forked = (await fork(case.stage, turn)).job
        assert (forked.status, forked.result, case.kit.ran) == (ended.status, ended.result, [])
        assert (await asked_in(case.stage, forked.id))[turn - 1 :] == asked[turn - 1 :]
        assert (forked.used.model_calls, forked.used.cached_calls) == (ended.turn - turn + 1, turn - 1)
        assert not forked.remembers


async def test_a_fork_of_a_job_retried_from_its_start_has_no_messages_of_the_run_before() -> None:
    case = Case([SAY], "done")
    await case.steered()
    await case.stage.run()
    await case.stage.container.commands.retry((await case.stage.snapshot()).job, "again", from_start=True)
    await case.stage.run()
    forked = await fork(case.stage, 3)
    assert await asked_in(case.stage, forked.job.id) == (await asked_in(case.stage, "job_1"))[2:]


async def asked_in(stage: Stage, job_id: str) -> list[Any]:
    return [entry.get("requestDigests") for entry in await stage.reader.transcript(job_id) if entry["role"] == "model"]
