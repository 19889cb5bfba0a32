"""The generator of jobs that ask people: the fourth family of worlds, made of the third one's jobs.

Some of their calls become calls of a tool that needs approval, in plans as outside of them, in jobs below others, too.
"""

from dataclasses import dataclass, replace

from baton.testing.dice import Dice
from tests.simulation.jobs import JobPlan
from tests.simulation.planned_jobs import make_planned_jobs
from tests.simulation.scripts import APPROVAL_SECONDS, COUNTERSIGNED, CallPlan, Message, Script, WaitPlan

_QUESTION, _WORD, _PEOPLE = 131, 132, 133
_MOST_TIMES = 2


def make_approving_jobs(dice: Dice, count: int, longest_work_seconds: float) -> tuple[JobPlan, ...]:
    """`count` jobs; most ask somebody, some many."""
    return tuple(_approving(dice, job) for job in make_planned_jobs(dice, count, longest_work_seconds))


def _approving(dice: Dice, job: JobPlan) -> JobPlan:
    helpers = tuple(
        (name, _Maker(dice, job.index, number).script(script)) for number, (name, script) in enumerate(job.helpers, 1)
    )
    return replace(job, script=_Maker(dice, job.index, 0).script(job.script), helpers=helpers)


@dataclass(frozen=True, slots=True)
class _Maker:
    dice: Dice
    index: int
    number: int

    def script(self, plain: Script) -> Script:
        turns = tuple(
            replace(turn, calls=tuple(self._call(call, at, position) for position, call in enumerate(turn.calls)))
            for at, turn in enumerate(plain.turns, 1)
        )
        return replace(plain, turns=turns)

    def _call(self, call: CallPlan, turn: int, position: int) -> CallPlan:
        where = (_QUESTION, turn, position)
        if (call.wait is not None and call.tool != "order") or self._roll(*where, 1) > 0.4:
            return call
        words = tuple(self._word(*where, number) for number in range(int(self._roll(*where, 2) * 5)))
        wait = WaitPlan(APPROVAL_SECONDS, words=words)
        return replace(call, tool="sign", times=min(call.times, _MOST_TIMES), seconds=min(call.seconds, 5.0), wait=wait)

    def _word(self, *where: int) -> Message:
        """Often at once, or about when the time to decide is up; `value`: what is decided (deciding.py)."""
        roll, when = self._roll(_WORD, *where, 1), self._roll(_WORD, *where, 2)
        if when < 0.3:
            at = roll * 0.3
        elif when < 0.5:
            at = APPROVAL_SECONDS + (roll - 0.5) * 4
        elif when < 0.6:
            at = APPROVAL_SECONDS + roll * 300
        else:
            at = roll**2 * APPROVAL_SECONDS
        value = int(self._roll(_WORD, *where, 3) * 6)
        return Message(
            at, value, repeats=int(self._roll(_WORD, *where, 4) * 6), twice=self._roll(_WORD, *where, 5) < 0.3
        )

    def _roll(self, *question: int) -> float:
        return self.dice.roll(self.index, self.number, *question)


def with_two_people(dice: Dice, jobs: tuple[JobPlan, ...]) -> tuple[JobPlan, ...]:
    """The same jobs; two people must approve half of the calls that need approval, and more of them say yes."""

    def call(plan: CallPlan, *where: int) -> CallPlan:
        if plan.tool != "sign" or plan.wait is None or dice.roll(_PEOPLE, *where) < 0.5:
            return plan
        words = tuple(replace(word, value=word.value % 2 * 3, at=word.at / 2) for word in plan.wait.words)
        return replace(plan, tool=COUNTERSIGNED, wait=replace(plan.wait, words=(*words, *plan.wait.words)))

    def script(plain: Script, *where: int) -> Script:
        turns = tuple(
            replace(turn, calls=tuple(call(one, *where, at, place) for place, one in enumerate(turn.calls)))
            for at, turn in enumerate(plain.turns)
        )
        return replace(plain, turns=turns)

    return tuple(
        replace(
            job,
            script=script(job.script, job.index, 0),
            helpers=tuple((name, script(one, job.index, at)) for at, (name, one) in enumerate(job.helpers, 1)),
        )
        for job in jobs
    )
