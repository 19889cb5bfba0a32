"""Functions that are not async, in a simulation: as in the threads of production, they may run loops of their own."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pydantic_ai
import pytest
from pydantic_ai.models.test import TestModel

from baton import Agent, Call, Registry, ScriptedModel, ToolContext, emit, tool
from baton.pydantic_ai import durable
from baton.testing import Simulation
from tests.unit.baton.sdk.pydantic_ai.played import call, scripted


async def _fetch() -> str:
    await asyncio.sleep(0.01)
    return "fetched"


def _by_run() -> str:
    return asyncio.run(_fetch())


def _by_runner() -> str:
    with asyncio.Runner() as runner:
        return [runner.run(_fetch()) for _ in range(2)][-1]


def _by_a_loop() -> str:
    with pytest.raises(RuntimeError):
        asyncio.get_event_loop()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        return asyncio.get_event_loop().run_until_complete(_fetch())
    finally:
        loop.close()


def _by_a_thread_of_its_loop() -> str:
    return asyncio.run(_in_a_thread())


async def _in_a_thread() -> str:
    return await asyncio.to_thread(_by_run)


def _by_an_agent() -> str:
    return str(pydantic_ai.Agent(TestModel(custom_output_text="fetched")).run_sync("Go.").output)


def _alone() -> str:
    assert threading.current_thread() is not threading.main_thread()
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
    with pytest.raises(RuntimeError):
        asyncio.current_task()
    return "fetched"


_WAYS = (_by_run, _by_runner, _by_a_loop, _by_a_thread_of_its_loop, _by_an_agent, _alone)


def _own(way: Callable[[], str]) -> Agent:
    return Agent(name="a", model=_calls(), tools=[tool(name="report")(way)])


def _in_a_thread_of_a_tool(way: Callable[[], str]) -> Agent:
    @tool
    async def report() -> str:
        return await asyncio.to_thread(way)

    return Agent(name="a", model=_calls(), tools=[report])


def _of_an_approval_rule(way: Callable[[], str]) -> Agent:
    def asks(_: dict[str, Any], __: ToolContext) -> bool:
        return way() != "fetched"

    @tool(requires_approval=asks)
    def report() -> str:
        return "fetched"

    return Agent(name="a", model=_calls(), tools=[report])


def _of_a_library(way: Callable[[], str]) -> Agent:
    agent = pydantic_ai.Agent(scripted([call("report")], "done"), name="a")
    agent.tool_plain(name="report")(way)
    return durable(agent)


def _calls() -> ScriptedModel:
    return ScriptedModel([[Call("report", {})], "done"])


_DOORS = (_own, _in_a_thread_of_a_tool, _of_an_approval_rule, _of_a_library)


@pytest.mark.parametrize(
    ("of", "way"),
    # pydantic-ai refuses an agent's `run_sync` in its own tools, wherever they run.
    [(of, way) for of in _DOORS for way in _WAYS if (of, way) != (_of_a_library, _by_an_agent)],
)
async def test_a_function_may_run_a_loop(of: Callable[[Callable[[], str]], Agent], way: Callable[[], str]) -> None:
    run = await Simulation(Registry([of(way)])).run("a", "Go.")
    (made,) = run.calls
    assert made.get("result") == "fetched", made.get("error")


async def _sleep_together() -> None:
    await asyncio.gather(asyncio.sleep(10), asyncio.sleep(20))


async def _give_up() -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), 20)


def _sleep_twice() -> None:
    time.sleep(10)
    asyncio.run(asyncio.sleep(10))


@pytest.mark.parametrize(
    "waits", [lambda: asyncio.run(_sleep_together()), lambda: asyncio.run(_give_up()), _sleep_twice]
)
async def test_time_passes_in_its_loop_as_in_the_world(waits: Callable[[], None]) -> None:
    @tool
    def report() -> float:
        began = time.time()
        waits()
        return time.time() - began

    began = time.monotonic()
    run = await Simulation(Registry([Agent(name="a", model=_calls(), tools=[report])])).run("a", "Go.")
    assert round(run.calls[0]["result"]) == 20
    assert run.virtual_seconds > 20
    assert time.monotonic() - began < 10


async def test_its_loop_reaches_what_the_world_does() -> None:
    """An event is sent by the world's loop, and two calls at once each wait for theirs."""

    @tool
    def report(number: int, ctx: ToolContext) -> str:
        async def work() -> str:
            await asyncio.sleep(number)
            await ctx.info(f"at {number}")
            return await emit("order.made", {"number": number}, key=str(number))

        return "sent" if asyncio.run(work()) else ""

    model = ScriptedModel([[Call("report", {"number": 1}), Call("report", {"number": 2})], "done"])
    simulation = Simulation(Registry([Agent(name="a", model=model, tools=[report])]))
    run = await simulation.run("a", "Go.")
    assert [(made.get("result"), made.get("error")) for made in run.calls] == [("sent", None)] * 2
    report_of_all = await simulation.crash_everywhere("a", "Go.")
    report_of_all.check()
    assert threading.active_count() < 20


async def test_its_time_limit_is_kept() -> None:
    @tool(timeout_seconds=5)
    def report() -> str:
        return str(asyncio.run(asyncio.sleep(60)))

    run = await Simulation(Registry([Agent(name="a", model=_calls(), tools=[report])])).run("a", "Go.")
    assert (run.calls[0]["error"] or {})["type"] == "timeout"
    assert run.status == "completed"
