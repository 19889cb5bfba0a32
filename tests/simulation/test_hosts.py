"""Each simulated instance is a process of its own: what it remembers is nobody else's, and dies with it."""

from contextlib import closing

from tests.simulation.invocation import Invocation
from tests.simulation.plan import KILLING_SEEDS, make_plan
from tests.simulation.virtual_loop import VirtualLoop
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
