"""Schedules made by hand, for stories that a seed tells too seldom: the tests play them besides the seeds.

Each is a family: the same story with its moments shifted a little, so that a change of the product that shifts them
too does not silently lose it; what the family is for is planted as a defect (planted_book.py), and must be caught.
"""

from collections.abc import Iterator

from tests.simulation.jobs import JobPlan
from tests.simulation.plan import Outage, Plan
from tests.simulation.scripts import CallPlan, Script, TurnPlan

_LONG = TurnPlan(calls=(CallPlan("work", 100, seconds=25.0), CallPlan("work", 101, seconds=25.0)))


def _job(index: int, at: float, *turns: TurnPlan, repeats: int = 3) -> JobPlan:
    return JobPlan(index, f"agent-{index}", "ada", at, Script((*turns, TurnPlan(says="done"))), repeats=repeats)


def slots_are_raised() -> Iterator[Plan]:
    """One slot, two jobs; a deployment raises the number of slots, and no word comes before the next sweep."""
    for seed in range(5):
        jobs = (_job(0, 0.0, _LONG, _LONG, _LONG, _LONG), _job(1, 5.0))
        yield Plan(seed, jobs, inline=seed % 2 == 1, slots=2, one_slot_until=10.0 + seed)


def a_job_is_created_while_a_sweep_looks() -> Iterator[Plan]:
    """A job takes its place in the book, and a long outage keeps everybody from creating it.

    The last callback of its witness comes with the last callback of a sweep, which finds an old entry of an unknown
    job and takes it off the book, in the moment in which the witness takes the same place once more.
    """
    for seed in range(10):
        outage = Outage("store", 1.0, 700.0)
        rates = {"slow-admission": 1.0}
        yield Plan(seed, (_job(0, 0.0, repeats=0),), rates=rates, outages=(outage,), calm_at=3_000.0, slots=1)


def directed() -> tuple[Plan, ...]:
    """All of them."""
    return (*slots_are_raised(), *a_job_is_created_while_a_sweep_looks())
