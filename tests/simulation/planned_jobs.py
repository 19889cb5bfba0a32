"""The generator of jobs with plans: the third family of worlds, made of the second one's jobs.

Most of their scripts become planners': each turn's calls are the steps of a plan, some of which come after others.
"""

from dataclasses import dataclass, replace

from baton.testing.dice import Dice
from tests.simulation.jobs import JobPlan
from tests.simulation.scripts import TOOLS, CallPlan, Script, TurnPlan
from tests.simulation.waiting_jobs import make_waiting_jobs

_SCRIPT, _STEP, _MORE = 121, 122, 123
_HOWS = ("ok",) * 5 + ("fail", "fail", "refuse", "huge")
_ON_FAILURE = ("skip",) * 7 + ("continue",) * 7 + ("replan",) * 4 + ("fail",) * 2
_MOST_STEPS = 7


def make_planned_jobs(dice: Dice, count: int, longest_work_seconds: float) -> tuple[JobPlan, ...]:
    return tuple(_planned(dice, job) for job in make_waiting_jobs(dice, count, longest_work_seconds))


def _planned(dice: Dice, job: JobPlan) -> JobPlan:
    helpers = tuple(
        (name, _Maker(dice, job.index, number).script(script)) for number, (name, script) in enumerate(job.helpers, 1)
    )
    return replace(job, script=_Maker(dice, job.index, 0).script(job.script), helpers=helpers)


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes one script a planner's, or leaves it as it is."""

    dice: Dice
    index: int
    number: int

    def script(self, plain: Script) -> Script:
        """The script; a limit on tool calls would only make its plans wrong."""
        if self._roll(_SCRIPT, 1) > 0.85:
            return plain
        turns = tuple(self._turn(turn, at) for at, turn in enumerate(plain.turns, 1))
        limits = {name: value for name, value in plain.limits.items() if name != "tool_calls" or value > 50}
        return replace(plain, turns=turns, limits=limits, plans=True)

    def _turn(self, turn: TurnPlan, at: int) -> TurnPlan:
        if not turn.calls:
            return turn
        more = min(_MOST_STEPS - len(turn.calls), int(self._roll(_MORE, at, 1) * 4))
        calls = (*turn.calls, *(self._added(at, len(turn.calls) + number) for number in range(more)))
        return replace(turn, calls=tuple(self._step(call, at, position) for position, call in enumerate(calls)))

    def _added(self, at: int, position: int) -> CallPlan:
        how = _HOWS[int(self._roll(_MORE, at, position, 2) * len(_HOWS))]
        tool = tuple(TOOLS)[int(self._roll(_MORE, at, position, 3) * len(TOOLS))]
        times = 1 + int(self._roll(_MORE, at, position, 4) * (TOOLS[tool].retries + 1)) if how == "fail" else 0
        seconds = (3 if tool == "talker" else 0.01) + self._roll(_MORE, at, position, 5) ** 3 * 0.9
        return CallPlan(tool, 100 * at + position, how, times, seconds)

    def _step(self, call: CallPlan, at: int, position: int) -> CallPlan:
        """A step after up to two others; a call that could not run would make the whole plan wrong."""
        befores = int(self._roll(_STEP, at, position, 1) * 3) if position else 0
        after = {int(self._roll(_STEP, at, position, 2, number) * position) for number in range(befores)}
        on_failure = _ON_FAILURE[int(self._roll(_STEP, at, position, 3) * len(_ON_FAILURE))]
        how = "ok" if call.how in ("unknown", "bad") else call.how
        return replace(call, how=how, after=tuple(sorted(after)), on_failure=on_failure)

    def _roll(self, *question: int) -> float:
        return self.dice.roll(self.index, self.number, *question)
