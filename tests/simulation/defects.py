"""The test of the test: each planted defect must be caught, and the table says by which invariant and how soon.

`python -m tests.simulation.defects [--schedules N] [--seed S] [WORD…]` (only defects whose name has one of the words).
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice
from multiprocessing import get_context

from tests.simulation import (
    planted_approvals,
    planted_book,
    planted_children,
    planted_cuts,
    planted_flow,
    planted_kills,
    planted_limits,
    planted_outages,
    planted_places,
    planted_plans,
    planted_recovery,
    planted_returns,
    planted_sessions,
    planted_store,
    planted_streams,
    planted_versions,
    planted_waits,
    planted_wishes,
)
from tests.simulation.directed import a_long_chain_meets_its_host_s_limit, directed
from tests.simulation.plan import (
    APPROVING_SEEDS,
    AWAY_SEEDS,
    CROWDED_SEEDS,
    CUTTING_SEEDS,
    DEPLOYING_SEEDS,
    KILLING_SEEDS,
    LIMITED_SEEDS,
    PLANNING_SEEDS,
    RETURNING_SEEDS,
    SESSION_SEEDS,
    STREAMING_SEEDS,
    WAITING_SEEDS,
    Plan,
    family_of,
    make_plan,
)
from tests.simulation.planting import Defect, planted
from tests.simulation.play import collecting_seldom, play
from tests.simulation.regressions import playable
from tests.simulation.virtual_loop import VirtualLoop

DEFECTS: tuple[Defect, ...] = (
    *planted_store.DEFECTS,
    *planted_flow.DEFECTS,
    *planted_recovery.DEFECTS,
    *planted_book.DEFECTS,
    *planted_wishes.DEFECTS,
    *planted_waits.DEFECTS,
    *planted_children.DEFECTS,
    *planted_plans.DEFECTS,
    *planted_returns.DEFECTS,
    *planted_streams.DEFECTS,
    *planted_approvals.DEFECTS,
    *planted_sessions.DEFECTS,
    *planted_versions.DEFECTS,
    *planted_cuts.DEFECTS,
    *planted_limits.DEFECTS,
    *planted_outages.DEFECTS,
    *planted_kills.DEFECTS,
    *planted_places.DEFECTS,
)
ALL_NAMES = tuple(defect.name for defect in DEFECTS)
MOST_SCHEDULES = 1_000
# Seeds that catch what few others do. They are only played first: without them it takes longer.
RARE_STORIES = (28, 47, 73, 126, 160, 198, 346, 407, 438, 501, 616, 806)
PROCESSES = 2


@dataclass(frozen=True, slots=True)
class Caught:
    """What caught a defect, in which schedule, counted from 1; `invariant` is empty if the one that must did not.

    `others`: what else broke before; a defect is caught only by the invariant that speaks of it.
    """

    defect: str
    invariant: str
    schedules: int
    text: str = ""
    others: tuple[str, ...] = ()


def catch(name: str, seed: int = 1, most: int = MOST_SCHEDULES) -> Caught:
    """Play schedules with this defect until its invariant breaks: rare stories first, then seed after seed."""
    defect = next(defect for defect in DEFECTS if defect.name == name)
    others = dict[str, None]()
    with planted(defect), closing(VirtualLoop()) as loop, collecting_seldom():
        for count, plan in enumerate(_plans(seed, most, defect), 1):
            world = play(plan, loop)
            violation = world.violation
            world.close()
            if violation is not None and violation.name == defect.invariant:
                return Caught(name, violation.name, count, violation.text, tuple(others))
            if violation is not None:
                others[violation.name] = None
    return Caught(name, "", most, others=tuple(others))


def _plans(seed: int, most: int, defect: Defect) -> Iterator[Plan]:
    """The hand-made schedules of the defect's family of worlds, its known seeds, and then seed after seed."""
    family = PLANNING_SEEDS if defect.plans else WAITING_SEEDS if defect.waits else 0
    family = STREAMING_SEEDS if defect.streams else APPROVING_SEEDS if defect.approvals else family
    family = SESSION_SEEDS if defect.sessions else family
    if defect.deploys:
        old = (known for known in playable() if known & DEPLOYING_SEEDS)
        return map(make_plan, chain(old, range(DEPLOYING_SEEDS + seed, DEPLOYING_SEEDS + seed + most)))
    if defect.cuts:
        old = (known for known in playable() if known & CUTTING_SEEDS)
        first = CUTTING_SEEDS + family + seed
        return map(make_plan, chain(old, range(first, first + most)))
    if defect.limits:
        first = LIMITED_SEEDS + family + seed
        return chain(a_long_chain_meets_its_host_s_limit(), map(make_plan, range(first, first + most)))
    if defect.away or defect.kills or defect.crowded:
        first = (AWAY_SEEDS if defect.away else KILLING_SEEDS if defect.kills else CROWDED_SEEDS) + seed
        return map(make_plan, range(first, first + most))
    if defect.returns:
        first = family + RETURNING_SEEDS + seed
        return map(make_plan, range(first, first + most))
    old = (known for known in playable() if family_of(known) == family)
    seeds = chain(old, () if family else RARE_STORIES, range(family + seed, family + seed + most))
    return chain(() if family >= PLANNING_SEEDS else directed(waits=defect.waits), map(make_plan, seeds))


def catch_all(
    names: Iterable[str],
    seed: int = 1,
    most: int = MOST_SCHEDULES,
    *,
    stopped: Callable[[], bool] = lambda: False,
    giving_way: int = 0,
) -> list[Caught]:
    """Catch each of them, on both cores; no more are begun once it is `stopped`. `giving_way`: how nice it is."""
    with ProcessPoolExecutor(PROCESSES, get_context("spawn"), os.nice, (giving_way,)) as pool:
        left, running, caught = iter(names), list[Future[Caught]](), list[Caught]()
        while True:
            begun = islice(left, 0 if stopped() else 2 * PROCESSES - len(running))
            running += [pool.submit(catch, name, seed, most) for name in begun]
            if not running:
                return caught
            caught.append(running.pop(0).result())


def table(caught: Iterable[Caught]) -> str:
    """What caught what, after how many schedules."""
    return "\n".join(
        f"{one.defect:<58} {one.schedules:>5}  {one.invariant or f'NOT CAUGHT, but for {one.others}'}" for one in caught
    )


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="Plant each defect and say what catches it.")
    parser.add_argument("--schedules", type=int, default=MOST_SCHEDULES)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    names = [d.name for d in DEFECTS if not options.words or any(word in d.name for word in options.words)]
    caught = catch_all(names, options.seed, options.schedules)
    print(table(caught))  # noqa: T201 - it is a command
    missed = [one for one in caught if not one.invariant]
    print(f"{len(caught) - len(missed)} of {len(caught)} defects caught")  # noqa: T201 - it is a command
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
