"""The schedules in which a planted defect is looked for, one after the other, and the one in which it was found last.

Each has a name, by which it is told again: a seed, or that of a story of directed.py with its number.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from tests.simulation.directed import directed
from tests.simulation.plan import (
    AGAIN_SEEDS,
    APPROVING_SEEDS,
    AWAY_SEEDS,
    BACKGROUND_SEEDS,
    BLOCKING_SEEDS,
    CALL_LIMIT_SEEDS,
    CRON_SEEDS,
    CROWDED_SEEDS,
    CUTTING_SEEDS,
    DEPLOYING_SEEDS,
    EVENT_SEEDS,
    FRONT_END_SEEDS,
    FULL_SEEDS,
    KILLING_SEEDS,
    LIMITED_SEEDS,
    OFFLOADING_SEEDS,
    PEOPLE_SEEDS,
    PLANNING_SEEDS,
    RETURNING_SEEDS,
    SESSION_SEEDS,
    STEERING_SEEDS,
    STREAMING_SEEDS,
    WAITING_SEEDS,
    Plan,
    family_of,
    make_plan,
)
from tests.simulation.planting import Defect
from tests.simulation.regressions import seeds_of

_Story = tuple[str, Plan]
# Seeds that catch what few others do. They are only played first: without them it takes longer.
RARE_STORIES = (
    *(28, 47, 73, 126, 160, 198, 346, 407, 438, 501, 616, 806, 3_738),
    *(PLANNING_SEEDS + 1_068, PLANNING_SEEDS + 60_011, PLANNING_SEEDS + 51_457),
)
_KNOWN = Path(__file__).with_name("known_stories.json")


class Known(NamedTuple):
    """The story that told of a defect first, and as which schedule of the search."""

    story: str
    schedules: int


def known_stories() -> dict[str, Known]:
    """Read which story tells of which defect; `python -m tests.simulation.defects --write` writes it."""
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
    family = _family(defect)
    if defect.deploys:
        old = (known for known in seeds_of() if known & DEPLOYING_SEEDS)
        return _of_seeds(old, _range(DEPLOYING_SEEDS + seed, most))
    if defect.cuts:
        old = (known for known in seeds_of() if known & CUTTING_SEEDS)
        return _of_seeds(old, _range(CUTTING_SEEDS + family + seed, most))
    if defect.limits:
        long = (one for one in directed().items() if one[0].startswith("a_long_chain"))
        return chain(long, _of_seeds(_range(LIMITED_SEEDS + family + seed, most)))
    if first := _kind(defect):
        return _of_seeds(_range(first + seed, most))
    if defect.returns:
        return _of_seeds(_range(family + RETURNING_SEEDS + seed, most))
    old = (known for known in (*seeds_of(), *RARE_STORIES) if family_of(known) == family)
    by_hand = {} if family >= PLANNING_SEEDS else directed(waits=defect.waits)
    return chain(by_hand.items(), _of_seeds(old, _range(family + seed, most)))


def _kind(defect: Defect) -> int:
    """The seeds of the plain worlds in which it shows; 0: it needs none of these."""
    kinds = (
        (AWAY_SEEDS, defect.away),
        (KILLING_SEEDS, defect.kills),
        (CROWDED_SEEDS, defect.crowded),
        (BLOCKING_SEEDS, defect.blocking),
        (FULL_SEEDS, defect.full),
        (CRON_SEEDS, defect.crons),
        (STEERING_SEEDS, defect.steers),
        (EVENT_SEEDS, defect.events),
        (BACKGROUND_SEEDS + WAITING_SEEDS, defect.background),
        (PEOPLE_SEEDS + APPROVING_SEEDS, defect.people),
        (OFFLOADING_SEEDS, defect.offloads),
        (AGAIN_SEEDS, defect.again),
        (FRONT_END_SEEDS + STREAMING_SEEDS, defect.front_ends),
        (CALL_LIMIT_SEEDS, defect.shares),
    )
    return next((seeds for seeds, shows in kinds if shows), 0)


def _family(defect: Defect) -> int:
    family = PLANNING_SEEDS if defect.plans else WAITING_SEEDS if defect.waits else 0
    family = STREAMING_SEEDS if defect.streams else APPROVING_SEEDS if defect.approvals else family
    return SESSION_SEEDS if defect.sessions else family


def _range(first: int, most: int) -> range:
    return range(first, first + most)


def _of_seeds(*seeds: Iterable[int]) -> Iterator[_Story]:
    return ((str(seed), make_plan(seed)) for seed in chain.from_iterable(seeds))
