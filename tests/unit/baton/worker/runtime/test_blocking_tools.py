"""Tools that block or leave: threads and limits of their own, those that hang, and those that raise no `Exception`."""

import asyncio
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import replace
from threading import Barrier, Event
from types import SimpleNamespace
from typing import Any

import pytest

from baton import Agent, Call, Registry, ScriptedModel, tool
from baton.sdk.models.model import ModelAnswer, ModelRequest
from baton.sdk.tools.tool import Tool
from baton.worker.container import Container
from tests.unit.baton.kit.listening import Listening
from tests.unit.baton.kit.stage import SETTINGS, Stage
from tests.unit.baton.server.api.client import api_of

INLINE = replace(SETTINGS, continuation="inline")


@pytest.fixture
def released() -> Iterator[Event]:
    event = Event()
    yield event
    event.set()


def requesting(name: str, item: Tool, *requested: dict[str, Any]) -> Agent:
    """An agent that calls one tool, several times at once."""
    return Agent(name, ScriptedModel([[Call(item.name, arguments) for arguments in requested], "done"]), tools=[item])


def stage_of(item: Tool, *requested: dict[str, Any], **settings: Any) -> Stage:
    """A process whose agent `asks` calls one tool, several times at once."""
    return Stage(settings=replace(INLINE, **settings), registry=Registry([requesting("asks", item, *requested)]))


def hanging(released: Event, started: list[str], **settings: Any) -> Tool:
    @tool(name="hang", **{"timeout_seconds": 0.05, "retries": 0, **settings})
    def hang(number: int) -> int:
        started.append(f"hang {number}")
        released.wait()
        return number

    return hang


async def test_six_calls_that_hang_leave_other_tools_and_the_loop_alone(released: Event) -> None:
    """Neither another blocking tool nor what the loop looks up in threads waits for them."""
    stage = stage_of(hanging(released, []), *({"number": number} for number in range(12)))
    loop = asyncio.get_running_loop()

    @tool(timeout_seconds=1)
    def quick() -> str:
        return "here"

    await stage.played("asks")
    assert [call.error and call.error.type for call in await stage.calls()] == ["timeout"] * 12
    other = stage_of(quick, {})
    await other.played("asks")
    assert [call.error for call in await other.calls()] == [None]
    async with asyncio.timeout(5):
        assert await loop.run_in_executor(None, lambda: "looked up") == "looked up"


async def test_forty_calls_at_once_wait_for_no_thread() -> None:
    barrier = Barrier(40)

    @tool(timeout_seconds=5, retries=0)
    def meet(number: int) -> int:
        barrier.wait()
        return number

    agents = [requesting(f"asks-{at}", meet, {"number": at}) for at in range(40)]
    stage = Stage(settings=replace(INLINE, max_concurrent_jobs=100), registry=Registry(agents))
    firsts = [await stage.submit(f"asks-{at}", f"job_{at}") for at in range(40)]
    await asyncio.gather(*(stage.deliver(first, f"m{at}") for at, first in enumerate(firsts)))
    for at in range(40):
        [call] = await stage.calls(f"job_{at}")
        assert call.error is None


async def test_a_call_that_hangs_is_counted_reported_once_and_makes_the_process_unhealthy(released: Event) -> None:
    """Beyond a number of them; when they end, the process is healthy again."""
    stage = stage_of(hanging(released, []), *({"number": number} for number in range(3)), hung_tools_limit=2)
    async with api_of(stage) as api:
        assert (await api.request("GET", "/healthz", "")).json() == {"status": "ok"}
        await stage.played("asks")
        assert (await stage.ports.counters.sums())["hung_tools:hang"] == 3
        assert [(notice.kind, notice.once) for notice in stage.alerts.sent] == [("tool_hangs", "hang")]
        assert "tool 'hang' hangs: call job_1-" in stage.alerts.sent[0].message
        answer = await api.request("GET", "/healthz", "")
        assert (answer.status_code, answer.json()["status"]) == (503, "unhealthy")
        assert "3 tool calls hang past their time limit, more than 2" in answer.json()["reason"]
        released.set()
        async with asyncio.timeout(30):
            while stage.container.running_calls.hung:  # noqa: ASYNC110 - a thread ends, and sets nothing of ours
                await asyncio.sleep(0)
        assert (await api.request("GET", "/healthz", "")).status_code == 200


async def test_what_the_caller_has_in_its_context_is_in_the_thread() -> None:
    where, seen = ContextVar("where", default="nowhere"), list[str]()

    @tool
    def look() -> None:
        seen.append(where.get())

    stage = stage_of(look, {})
    where.set("here")
    await stage.played("asks")
    assert seen == ["here"]


async def test_a_process_runs_blocking_tools_by_the_port_that_it_is_given() -> None:
    """So a simulation can have threads that take no real time."""
    ran: list[str] = []

    async def in_thread(function: Callable[..., Any], /, *arguments: Any) -> Any:
        ran.append("in a thread of the test's")
        return function(*arguments)

    @tool
    def add(number: int) -> int:
        return number + 1

    stage = stage_of(add, {"number": 7})
    container = Container(INLINE, replace(stage.ports, in_thread=in_thread))
    context: Any = SimpleNamespace(idempotency_key="key", call_id="call", job_id="job")
    assert await container.running_calls.result(add, {"number": 7}, context) == 8
    assert ran == ["in a thread of the test's"]


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
