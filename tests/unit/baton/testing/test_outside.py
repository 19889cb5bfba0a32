"""What a simulation keeps out: sockets and processes in any way, the real clock, and worlds of other threads."""

import asyncio
import os
import socket
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest

from baton import Agent, Call, Registry, ScriptedModel, tool
from baton.testing import Approve, Checkpoint, Simulation, world

_NOWHERE = "nowhere.invalid"


async def _by_shell() -> None:
    await asyncio.create_subprocess_shell("true")


async def _by_library() -> None:
    async with httpx.AsyncClient() as client:
        await client.get(f"http://{_NOWHERE}/")


async def _by_file() -> None:
    await asyncio.open_unix_connection("/tmp/nothing.sock")


async def _by_serving() -> None:
    await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)


async def _by_datagram() -> None:
    await asyncio.get_running_loop().create_datagram_endpoint(asyncio.DatagramProtocol, ("127.0.0.1", 0))


def _blocking() -> None:
    socket.create_connection(("127.0.0.1", 9))


def _resolving() -> None:
    socket.getaddrinfo(_NOWHERE, 80)


def _running() -> None:
    subprocess.run(["true"], check=True)


def _commanding() -> None:
    os.system("true")


@tool
async def reach(way: str) -> str:
    """Reach outside."""
    found: Any = globals()[way]
    if asyncio.iscoroutinefunction(found):
        await found()
    else:
        await asyncio.to_thread(found)
    return "reached"


@tool
def read_clocks() -> list[int]:
    """Read all clocks."""
    years = [time.gmtime().tm_year, time.localtime().tm_year, int(time.strftime("%Y")), int(time.ctime()[-4:])]
    years += [int(time.asctime()[-4:]), datetime.now(UTC).year, date.today().year]  # noqa: DTZ011
    return [*years, time.gmtime(0).tm_year, int(time.strftime("%Y", time.gmtime(0))), time.perf_counter_ns() // 10**9]


@tool
async def wait() -> float:
    before = time.time()
    await asyncio.sleep(20)
    return round(time.time() - before)


@tool(requires_approval=True)
def ask() -> str:
    return "answered"


def simulation(*turns: list[Call]) -> Simulation:
    model = ScriptedModel([*turns, "done"])
    return Simulation(Registry([Agent("agent", model=model, tools=[reach, read_clocks, wait, ask])]))


@pytest.mark.parametrize(
    ("way", "what"),
    [
        (_by_shell, "starts a process"),
        (_by_library, "opens a socket"),
        (_by_file, "opens a socket"),
        (_by_serving, "opens a socket"),
        (_by_datagram, "opens a socket"),
        (_blocking, "opens a socket"),
        (_resolving, "opens a socket"),
        (_running, "starts a process"),
        (_commanding, "starts a process"),
    ],
)
async def test_an_agent_reaches_nothing_outside(way: Callable[[], Any], what: str) -> None:
    """Else each crash would do it again, to a real bank."""
    doors = socket.socket.connect, socket.getaddrinfo, subprocess.Popen.__init__, os.system
    with pytest.raises(RuntimeError, match=f"the agent {what}, and neither is possible"):
        await simulation([Call("reach", {"way": way.__name__})]).run("agent", "go")
    assert (socket.socket.connect, socket.getaddrinfo, subprocess.Popen.__init__, os.system) == doors


async def test_the_test_s_own_functions_may_reach_outside() -> None:
    def decide(_checkpoint: Checkpoint) -> Approve:
        with socket.create_server(("127.0.0.1", 0)) as served, socket.create_connection(served.getsockname()):
            return Approve()

    assert (await simulation([Call("ask", {})]).run("agent", "go", decide=decide)).status == "completed"


async def test_all_clocks_show_the_same_time() -> None:
    run = await simulation([Call("read_clocks", {})]).run("agent", "go")
    *years, epoch, of_epoch, seconds = run.calls[0]["result"]
    assert (set(years), epoch, of_epoch, seconds) == ({2027}, 1970, 1970, 1_800_000_000)


def test_worlds_of_several_threads_do_not_meet() -> None:
    """They take turns: modules, clocks and the store's scripts are the process's."""

    def played(_number: int) -> tuple[Any, int]:
        run = asyncio.run(simulation([Call("wait", {})], [Call("wait", {})]).run("agent", "go"))
        return [call["result"] for call in run.calls], round(run.virtual_seconds)

    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(played, range(12))) == [([20, 20], 40)] * 12
    assert time.time.__module__ == "time"


async def test_a_job_that_does_not_end_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Although it is the same wherever the process dies."""
    monkeypatch.setattr(world, "_MOST_DELIVERIES", 0)
    found = await simulation().crash_everywhere("agent", "go")
    with pytest.raises(AssertionError, match="the job does not come to an end: it is pending"):
        found.check()
