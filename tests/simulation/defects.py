"""The test of the test: each planted defect must be caught, and the table says by which invariant and how soon.

`python -m tests.simulation.defects [--schedules N] [--seed S] [WORD…]` (only defects whose name has one of the words).
The schedules in which a defect is looked for come one after the other, first the one in which it was found last. Each
has a name, by which it is told again: a seed, or that of a story of directed.py with its number.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from baton.testing.virtual_loop import VirtualLoop
from tests.simulation.directed import directed
from tests.simulation.plan import (
    APPROVING_SEEDS,
    BACKGROUND_SEEDS,
    CUTTING_SEEDS,
    DEPLOYING_SEEDS,
    LIMITED_SEEDS,
    OTHER_FAMILIES,
    PLANNING_SEEDS,
    WAITING_SEEDS,
    Plan,
    family_of,
    make_plan,
)
from tests.simulation.planting import Defect, planted
from tests.simulation.play import collecting_seldom, play
from tests.simulation.regressions import REGRESSIONS
from tests.simulation.workers import workers

_Story = tuple[str, Plan]
# Seeds that catch what few others do. They are only played first: without them it takes longer.
RARE_STORIES = (
    *(28, 47, 73, 126, 160, 198, 346, 407, 438, 501, 616, 806, 3_738),
    *(PLANNING_SEEDS + 1_068, PLANNING_SEEDS + 60_011, PLANNING_SEEDS + 51_457),
    *(APPROVING_SEEDS + 400_004_285, APPROVING_SEEDS + 820_000_761, 285_882_689_101_441, 4_673_767_421_562),
)
_KNOWN = Path(__file__).with_name("known_stories.json")


class Known(NamedTuple):
    story: str
    schedules: int


def known_stories() -> dict[str, Known]:
    return {defect: Known(*known) for defect, known in json.loads(_KNOWN.read_text()).items()}


def write_known_stories(known: Mapping[str, Known]) -> None:
    """Write it, a line for each defect; whoever reads meanwhile finds the one before."""
    lines = ",\n".join(f"  {json.dumps(defect)}: {json.dumps(story)}" for defect, story in known.items())
    written = _KNOWN.with_suffix(".new")
    written.write_text(f"{{\n{lines}\n}}\n")
    written.replace(_KNOWN)


def plan_of(story: str) -> Plan:
    """Make the schedule of that name.

    Raises:
        KeyError: there is none of that name.
    """
    if story.isdecimal():
        return make_plan(int(story))
    return {**directed(), **directed(waits=True)}[story]


def looked_through(defect: Defect, seed: int, most: int) -> Iterator[_Story]:
    """The hand-made schedules of the defect's family of worlds, its known seeds, and then seed after seed."""
    by_hand, old, first = dict[str, Plan](), list[int](), defect.seeds
    kinds = first & (DEPLOYING_SEEDS | CUTTING_SEEDS)
    if first in (0, *OTHER_FAMILIES):
        old = [known for known in (*REGRESSIONS, *RARE_STORIES) if family_of(known) == first]
    elif kinds:
        old = [known for known in REGRESSIONS if known & kinds]
    if first in (0, WAITING_SEEDS, BACKGROUND_SEEDS + WAITING_SEEDS):
        by_hand = directed(waits=first > 0)
    elif first == LIMITED_SEEDS:
        by_hand = {
            name: plan for name, plan in directed().items() if name.startswith(("a_long_chain", "a_chat_follows"))
        }
    seeds = chain(old, range(first + seed, first + seed + most))
    return chain(by_hand.items(), ((str(seed), make_plan(seed)) for seed in seeds))


PLANTED = sorted(path.stem for path in Path(__file__).parent.glob("planted_*.py"))
DEFECTS: tuple[Defect, ...] = tuple(
    chain.from_iterable(import_module(f"tests.simulation.{name}").DEFECTS for name in PLANTED)
)
# Since claims last twelve seconds, sweeps come two at once and code has no rounds, a thousand schedules do not meet
# these any more.
# README.md names the tests that hold their rules. They are planted by hand, as words of the command.
MET_SELDOM = frozenset(
    {
        "a turn counts that was told a forgotten result",
        "the same message gets back what it has dispatched",
        "what follows of who is released is not marked as dispatched",
        "what nobody has claimed yet is not marked as dispatched",
        "a child that a failover forgot keeps its slot",
        "a later word has the epoch of an earlier one",
        "a step of a forgotten plan counts",
    }
)
ALL_NAMES = tuple(defect.name for defect in DEFECTS if defect.name not in MET_SELDOM)
MOST_SCHEDULES = 1_000


@dataclass(frozen=True, slots=True)
class Caught:
    """What caught a defect, in which story, after how many schedules; `invariant` is empty if it was not caught.

    `schedules`: of the whole search, counted from 1. `known`: its known story was played first, and told it: then no
    others were played. `others`: what else broke before; a defect is caught only by the invariant that speaks of it.
    """

    defect: str
    invariant: str
    schedules: int
    story: str = ""
    known: bool = False
    text: str = ""
    others: tuple[str, ...] = ()


def catch(name: str, seed: int = 1, most: int = MOST_SCHEDULES, *, anew: bool = False) -> Caught:
    """Play schedules with this defect until its invariant breaks: its known story, then those that are looked through.

    `anew`: what is known of it is left alone.
    """
    defect = next(defect for defect in DEFECTS if defect.name == name)
    known = None if anew else known_stories().get(name)
    with planted(defect), closing(VirtualLoop()) as loop, collecting_seldom():
        if known is not None:
            again = _caught(defect, [(known.story, plan_of(known.story))], loop)
            if again.invariant:
                return replace(again, schedules=known.schedules, known=True)
        return _caught(defect, looked_through(defect, seed, most), loop)


def _caught(defect: Defect, stories: Iterable[tuple[str, Plan]], loop: VirtualLoop) -> Caught:
    others, count = dict[str, None](), 0
    for count, (story, plan) in enumerate(stories, 1):
        world = play(plan, loop)
        violation = world.violation
        world.close()
        if violation is not None and violation.name == defect.invariant:
            return Caught(defect.name, violation.name, count, story, text=violation.text, others=tuple(others))
        if violation is not None:
            others[violation.name] = None
    return Caught(defect.name, "", count, others=tuple(others))


def catch_each(
    names: Iterable[str], seed: int = 1, most: int = MOST_SCHEDULES, *, anew: bool = False, giving_way: int = 0
) -> Iterator[Caught]:
    """Catch one after the other, on both cores. `giving_way`: how nice the processes are."""
    with workers(giving_way) as pool:
        yield from pool.map(partial(catch, seed=seed, most=most, anew=anew), names)


def table(caught: Iterable[Caught]) -> str:
    """What caught what, as which schedule of the search; and which of them had to be looked for anew."""
    caught = list(caught)
    lines = [
        f"{one.defect:<58} {one.schedules:>5}  {one.invariant or f'NOT CAUGHT, but for {one.others}'}" for one in caught
    ]
    searched = [one.defect for one in caught if not one.known]
    if searched:
        lines.append(f"looked for anew, as no known story tells of them: {', '.join(searched)}")
        lines.append("python -m tests.simulation.defects --write WORD… writes down which one does")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Plant each defect and say what catches it.")
    parser.add_argument("--schedules", type=int, default=MOST_SCHEDULES)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--anew", action="store_true", help="look through all schedules, whatever is known")
    parser.add_argument("--write", action="store_true", help="write down which stories tell them")
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    by_hand = [defect.name for defect in DEFECTS if any(word in defect.name for word in options.words)]
    names = by_hand if options.words else ALL_NAMES
    caught = list[Caught]()
    for one in catch_each(names, options.seed, options.schedules, anew=options.anew):
        caught.append(one)
        if options.write and one.invariant:
            known = {**known_stories(), one.defect: Known(one.story, one.schedules)}
            write_known_stories({name: known[name] for name in ALL_NAMES if name in known})
    print(table(caught))  # noqa: T201 - it is a command
    missed = [one for one in caught if not one.invariant]
    print(f"{len(caught) - len(missed)} of {len(caught)} defects caught")  # noqa: T201 - it is a command
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
