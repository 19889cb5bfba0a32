"""Each instance is a process of its own, a host runs only so many functions, and a pool ends with its maker."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import closing

import pytest

from baton.engine.transitions import JobStatus
from baton.store.transport.meter import Meter, current, metered
from baton.testing.virtual_loop import Crashed, VirtualLoop
from baton_events.errors import StoreError
from tests.fakes.clock import FakeClock
from tests.simulation.directed import calls_through_few_places
from tests.simulation.invocation import CURRENT, Invocation
from tests.simulation.outages import Outage
from tests.simulation.plan import KILLING_SEEDS, make_plan
from tests.simulation.play import play
from tests.simulation.world import World


def test_no_instance_knows_what_another_one_remembers() -> None:
    """On Lambda no two invocations at once share a process: a world in which they do is kinder than that."""
    with closing(VirtualLoop()) as loop:
        hosts = World(make_plan(1), loop).hosts
        one, other = hosts.of(0).container, hosts.of(1).container
        assert hosts.of(0).container is one
        assert one.running_calls is not other.running_calls
        assert one.sweep_requests is not other.sweep_requests
        assert one.suspects is not other.suspects
        assert one.notices is not other.notices


def test_a_process_that_dies_takes_with_it_what_it_remembers() -> None:
    """Whoever kills it, and whoever crashes alone."""
    with closing(VirtualLoop()) as loop:
        world = World(make_plan(KILLING_SEEDS + 1), loop)
        first = world.hosts.of(0)
        killer, crashed = (Invocation(name, 1, "loop", instance=0) for name in ("killer", "crashed"))
        killer.process, killer.dead = first, True
        world.processes.die(killer)
        second = world.hosts.of(0)
        assert second is not first
        world.returned(killer, None)
        assert world.hosts.of(0) is second, "it died once"
        crashed.process, crashed.dead = second, True
        world.returned(crashed, None)
        assert world.hosts.of(0) not in (first, second)


def test_nobody_spends_from_the_meter_of_the_request_that_led_to_it() -> None:
    """A queue delivers from its own process: whoever publishes has no task in common with whoever is delivered to."""
    seen = list[bool]()

    async def deliver() -> None:
        seen.append(current() is not None)

    with closing(VirtualLoop()) as loop:
        world = World(make_plan(1), loop)
        with metered(Meter(FakeClock(), 0)):
            world.start(deliver)
        loop.run_until_idle()
    assert seen == [False]


@pytest.mark.parametrize("fault", ["", "again", "twice", "slow", "timeout-after", "pause-after", "crash-after", "down"])
def test_nothing_comes_back_to_who_dies_on_the_way(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its command is done, or not; it hears neither the answer nor an error, and does not go on to its work."""
    received = list[str]()

    async def ask(world: World, who: Invocation) -> None:
        CURRENT.set(who)
        loop.call_soon(setattr, who, "dead", True)
        try:
            received.append(await world.wire.request("store.begin", "store", "store", lambda: "granted", StoreError))
        except Crashed:
            received.append("died")
        except StoreError as error:
            received.append(str(error))

    with closing(VirtualLoop()) as loop:
        world = World(make_plan(1), loop)
        monkeypatch.setattr(world.faults, "pick", lambda *_, **__: fault)
        if fault == "down":
            monkeypatch.setattr(world.faults, "outages", (Outage("store", 0.0, 60.0),))
        requested = asyncio.Task(ask(world, Invocation("who", 1, "call")), loop=loop)
        loop.run_until_idle()
        assert requested.done()
    assert received == ["died"]


@pytest.mark.long
def test_calls_through_three_places_all_end_late() -> None:
    """No budget is spent on what found no place, and no message is lost with it."""
    with closing(VirtualLoop()) as loop:
        world = play(calls_through_few_places(jobs=4, calls=40), loop)
        assert world.violation is None, world.violation
        jobs = [job for tree in world.trees.values() for job in tree.jobs.values()]
        assert [job.status for job in jobs] == [JobStatus.COMPLETED] * 4
        assert world.delivery.places.refused > 200
        world.close()


_MAKES_ONE = """
import os, time
from tests.simulation.workers import workers
pool = workers()
print(pool.submit(os.getpid).result(), flush=True)
pool.submit(time.sleep, 60).result()
"""


def test_a_pool_ends_with_a_parent_that_is_killed() -> None:
    """Otherwise a soak that is killed plays on, unseen."""
    with subprocess.Popen([sys.executable, "-c", _MAKES_ONE], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.kill()
    for _ in range(100):
        if not _lives(worker):
            return
        time.sleep(0.1)
    os.kill(worker, signal.SIGKILL)
    raise AssertionError("it lives on")


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
