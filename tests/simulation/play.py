"""Play one schedule, or many in a row, in this process; what comes out is small enough to send between processes.

A crash point is before or after a call of the product to the world outside: an await at which a process may die. The
table says how often each was reached, and how often one did.
"""

import gc
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, fields, replace

from baton.testing.virtual_loop import VirtualLoop
from tests.simulation.background import submitting_as_chats
from tests.simulation.plan import ALL_FAULTS, Plan, make_plan
from tests.simulation.story import added_to_the_story
from tests.simulation.world import Broken, World

# A world that is closed is gone at once; to look for the rest more often takes a twelfth of a schedule.
_OBJECTS_BETWEEN_COLLECTIONS = 300_000


@dataclass(frozen=True, slots=True)
class Failure:
    seed: int
    broken: Broken


@dataclass(slots=True)
class Summary:
    """What came out of many schedules. Crash points: (kind of invocation, call) and, of crashes, before or after.

    `processor_seconds`: of the processes that played them. `on_server`: so many played on the real server, too.
    `mortal`: each call at which an invocation could have died, with the first schedule in which it could.
    """

    schedules: int = 0
    on_server: int = 0
    invocations: int = 0
    faults: int = 0
    processor_seconds: float = 0.0
    jobs: Counter[str] = field(default_factory=Counter[str])
    failures: list[Failure] = field(default_factory=list[Failure])
    calls: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    crashes: Counter[tuple[str, str, str]] = field(default_factory=Counter[tuple[str, str, str]])
    mortal: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])

    def add(self, other: "Summary") -> None:
        for each in fields(self):
            mine, others = getattr(self, each.name), getattr(other, each.name)
            setattr(self, each.name, others | mine if each.name == "mortal" else mine + others)

    def missed(self) -> list[tuple[str, str, str]]:
        points = [(kind, call, when) for kind, call in self.mortal for when in ("before", "after")]
        return sorted(point for point in points if point not in self.crashes)


def play(plan: Plan, loop: VirtualLoop, muted: frozenset[str] = frozenset(), *, keeps_story: bool = False) -> World:
    with added_to_the_story():
        world = World(plan, loop, muted, keeps_story=keeps_story)
        submitting_as_chats(plan.jobs)
        world.run()
    return world


def play_many(seeds: Iterable[int], faults: frozenset[str] = ALL_FAULTS) -> Summary:
    return play_plans(make_plan(seed, faults) for seed in seeds)


def play_deaths(summary: Summary) -> Summary:
    """Play a schedule for each crash point that these have not met: the first that reaches it, with a death there."""
    missed = (((kind, call, when), make_plan(summary.mortal[kind, call])) for kind, call, when in summary.missed())
    # What only these reach, a death does not come from there.
    return replace(play_plans(replace(plan, dies_at=point) for point, plan in missed), mortal={})


def play_plans(plans: Iterable[Plan]) -> Summary:
    summary, began_at = Summary(), time.process_time()
    with closing(VirtualLoop()) as loop, collecting_seldom():
        for plan in plans:
            world = play(plan, loop)
            summary.schedules += 1
            summary.on_server += world.plan.on_server
            summary.invocations += world.invocations
            summary.faults += len(world.faults.happened)
            summary.jobs.update(job.status.value for tree in world.trees.values() for job in tree.jobs.values())
            summary.calls += world.faults.calls
            summary.crashes += world.faults.crashes
            summary.mortal = dict.fromkeys(world.faults.mortal, plan.seed) | summary.mortal
            if world.violation is not None:
                summary.failures.append(Failure(world.plan.seed, world.violation))
            world.close()
    summary.processor_seconds = time.process_time() - began_at
    return summary


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """While this lasts, garbage is looked for seldom: for who plays many worlds."""
    before = gc.get_threshold()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def table_of_crash_points(summary: Summary) -> str:
    """Each call: how often it was made, and how many invocations crashed before and after it was applied."""
    calls, crashed = _calls(summary), _crashes(summary)
    missed, points = summary.missed(), 2 * len(summary.mortal)
    lines = [f"{'await':<20} {'calls':>10} {'crashed before':>15} {'crashed after':>14}"]
    lines += [
        f"{call:<20} {count:>10} {crashed[call, 'before']:>15} {crashed[call, 'after']:>14}"
        for call, count in sorted(calls.items())
    ]
    lines += [f"crash points (a kind of invocation, before and after an await): {points - len(missed)} of {points} met"]
    return "\n".join([*lines, *(f"  not met: {kind}, {call}, {when}" for kind, call, when in missed)])


def _calls(summary: Summary) -> Counter[str]:
    calls: Counter[str] = Counter()
    for (_, call), count in summary.calls.items():
        calls[call] += count
    return calls


def _crashes(summary: Summary) -> Counter[tuple[str, str]]:
    crashes: Counter[tuple[str, str]] = Counter()
    for (_, call, when), count in summary.crashes.items():
        crashes[call, when] += count
    return crashes
