"""Work that kills its process, with all that goes on in it: who kills, and whom it meets.

In the worlds of `KILLING_SEEDS` (plan.py) there are one or two processes, a piece of work kills its own each time, or
the first times, and each process has many jobs in it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from baton.testing.dice import Dice
from tests.simulation.instances import instance_of
from tests.simulation.jobs import JobPlan
from tests.simulation.scripts import TOOLS, CallPlan, TurnPlan

if TYPE_CHECKING:
    from tests.simulation.invocation import Invocation
    from tests.simulation.world import World

KILL = "kill"
EACH_TIME = 1_000
_WHO, _WHERE, _TIMES = 141, 142, 143
_SPARED = ("unknown", "bad")


def with_a_killer(dice: Dice, jobs: tuple[JobPlan, ...]) -> tuple[JobPlan, ...]:
    """The same jobs, of which one has a call that kills its process, or else a turn."""
    which = dice.whole(0, len(jobs) - 1, _WHO)
    return tuple(_killing(dice, job) if place == which else job for place, job in enumerate(jobs))


def _killing(dice: Dice, job: JobPlan) -> JobPlan:
    turns = list(job.script.turns)
    places = [(t, c) for t, turn in enumerate(turns) for c, call in enumerate(turn.calls) if _may_kill(call)]
    if places and dice.chance(0.7, _WHERE):
        at, of = dice.one_of(places, _WHERE, 1)
        calls = list(turns[at].calls)
        calls[of] = _killing_call(dice, calls[of])
        turns[at] = replace(turns[at], calls=tuple(calls))
    else:
        at = dice.whole(0, len(turns) - 1, _WHERE, 2)
        turns[at] = _killing_turn(dice, turns[at])
    return replace(job, script=replace(job.script, turns=tuple(turns)))


def _may_kill(call: CallPlan) -> bool:
    return call.tool in TOOLS and call.how not in _SPARED


def _killing_call(dice: Dice, call: CallPlan) -> CallPlan:
    """Each time; or as often as it may be tried again, and not once more."""
    retries = TOOLS[call.tool].retries
    each_time = not retries or dice.chance(0.7, _TIMES)
    return replace(call, how=KILL, times=EACH_TIME if each_time else dice.whole(1, retries, _TIMES, 1))


def _killing_turn(dice: Dice, turn: TurnPlan) -> TurnPlan:
    each_time = dice.chance(0.6, _TIMES)
    return replace(turn, how=KILL, forever=each_time, fails=0 if each_time else dice.whole(1, 2, _TIMES, 1))


class Processes:
    """What is at work in each process of one world: what is delivered there. Calls of the API come to another one.

    `killers`: of each invocation that died with its process, the job that killed it.
    """

    def __init__(self, world: "World") -> None:
        self._world = world
        self._at_work = defaultdict[int, dict["Invocation", Callable[[], None]]](dict)
        self.killers = dict["Invocation", str]()

    @contextmanager
    def at_work(self, who: "Invocation", lost: Callable[[], None]) -> Iterator[None]:
        """Somebody works there for the time of the block; `lost`: the queue learns that there will be no answer."""
        if not self._world.plan.processes:
            yield
            return
        here = self._at_work[instance_of(self._world.dice, who)]
        here[who] = lost
        try:
            yield
        finally:
            here.pop(who, None)

    def die(self, who: "Invocation") -> None:
        """The process of this one dies, and all who are at work in it, with what it remembers.

        Who is still at work in the process that this one has replaced lives on.
        """
        here, world = self._at_work[instance_of(self._world.dice, who)], self._world
        world.hosts.lose(who.process)
        for other, lost in [one for one in here.items() if one[0].process is who.process]:
            del here[other]
            self.killers[other] = who.job_id
            if other is not who:
                world.record(other, f"dies with the process of {who.name}")
                other.dead = other.ended = True
                lost()
