"""The schedules in which a planted defect is looked for, one after the other, and the one in which it was found last.

Each has a name, by which it is told again: a seed, or that of a story of directed.py with its number.
"""

import json
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from tests.simulation.directed import directed
from tests.simulation.plan import (
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
from tests.simulation.planting import Defect
from tests.simulation.regressions import REGRESSIONS

_Story = tuple[str, Plan]
# Seeds that catch what few others do. They are only played first: without them it takes longer.
RARE_STORIES = (
    *(28, 47, 73, 126, 160, 198, 346, 407, 438, 501, 616, 806, 3_738),
    *(PLANNING_SEEDS + 1_068, PLANNING_SEEDS + 60_011, PLANNING_SEEDS + 51_457),
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
    if first in (0, WAITING_SEEDS):
        by_hand = directed(waits=first == WAITING_SEEDS)
    elif first == LIMITED_SEEDS:
        by_hand = {name: plan for name, plan in directed().items() if name.startswith("a_long_chain")}
    seeds = chain(old, range(first + seed, first + seed + most))
    return chain(by_hand.items(), ((str(seed), make_plan(seed)) for seed in seeds))
