"""Play one schedule, or many in a row, in this process; what comes out is small enough to send between processes.

A crash point is before or after a call of the product to the world outside: an await at which a process may die. The
table says how often each was reached, and how often one did.
"""

import gc
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, fields

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

    def add(self, other: "Summary") -> None:
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    def missed(self) -> list[tuple[str, str, str]]:
        points = [(kind, call, when) for kind, call in self.calls for when in ("before", "after")]
        return sorted(point for point in points if point not in self.crashes)


def play(plan: Plan, loop: VirtualLoop, muted: frozenset[str] = frozenset(), *, keeps_story: bool = False) -> World:
    with added_to_the_story():
        world = World(plan, loop, muted, keeps_story=keeps_story)
        submitting_as_chats(plan.jobs)
        world.run()
    return world


def play_many(seeds: Iterable[int], faults: frozenset[str] = ALL_FAULTS) -> Summary:
    summary, began_at = Summary(), time.process_time()
    with closing(VirtualLoop()) as loop, collecting_seldom():
        for world in _worlds(seeds, faults, loop):
            summary.schedules += 1
            summary.on_server += world.plan.on_server
            summary.invocations += world.invocations
            summary.faults += len(world.faults.happened)
            summary.jobs.update(job.status.value for tree in world.trees.values() for job in tree.jobs.values())
            summary.calls += world.faults.calls
            summary.crashes += world.faults.crashes
            if world.violation is not None:
                summary.failures.append(Failure(world.plan.seed, world.violation))
            world.close()
    summary.processor_seconds = time.process_time() - began_at
    return summary


def _worlds(seeds: Iterable[int], faults: frozenset[str], loop: VirtualLoop) -> Iterator[World]:
    return (play(make_plan(seed, faults), loop) for seed in seeds)


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """While this lasts, garbage is looked for seldom: for who plays many worlds."""
    before = gc.get_threshold()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def unmet(summary: Summary) -> list[str]:
    """The calls, by whichever kind of invocation, before or after which no invocation has crashed."""
    crashed = _crashes(summary)
    return [f"{call}, {when}" for call in _calls(summary) for when in ("before", "after") if not crashed[call, when]]


def table_of_crash_points(summary: Summary) -> str:
    """Each call: how often it was made, and how many invocations crashed before and after it was applied."""
    calls, crashed = _calls(summary), _crashes(summary)
    points = len(calls) * 2
    missed = summary.missed()
    lines = [f"{'await':<20} {'calls':>10} {'crashed before':>15} {'crashed after':>14}"]
    lines += [
        f"{call:<20} {count:>10} {crashed[call, 'before']:>15} {crashed[call, 'after']:>14}"
        for call, count in sorted(calls.items())
    ]
    kinds = 2 * len(summary.calls)
    lines += [f"crash points (before and after each await): {points - len(unmet(summary))} of {points} met"]
    lines += [f"by kind of invocation, too: {kinds - len(missed)} of {kinds} met"]
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
