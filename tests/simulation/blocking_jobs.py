"""The generator of calls of tools that block: in the worlds of `BLOCKING_SEEDS` half of all calls, of any family."""

from dataclasses import replace

from baton.testing.dice import Dice
from tests.simulation.jobs import JobPlan
from tests.simulation.scripts import BLOCKING_TOOLS, STUCK, TOOLS, CallPlan, Script, TurnPlan

_CALL = 161
_SPARED = ("unknown", "bad", "kill")
_FOR_EVER_SECONDS = 10_000_000.0


def with_blocking_tools(dice: Dice, jobs: tuple[JobPlan, ...], work_timeout_seconds: float) -> tuple[JobPlan, ...]:
    """The same jobs, half of whose calls are of tools that block."""
    maker = _Maker(dice, work_timeout_seconds)
    return tuple(maker.job(job) for job in jobs)


class _Maker:
    def __init__(self, dice: Dice, work_timeout_seconds: float) -> None:
        self._dice = dice
        self._work_timeout_seconds = work_timeout_seconds

    def job(self, job: JobPlan) -> JobPlan:
        helpers = tuple((name, self._script(script, job.index, at)) for at, (name, script) in enumerate(job.helpers, 1))
        return replace(job, script=self._script(job.script, job.index, 0), helpers=helpers)

    def _script(self, script: Script, *question: int) -> Script:
        turns = tuple(self._turn(turn, *question, at) for at, turn in enumerate(script.turns))
        return replace(script, turns=turns)

    def _turn(self, turn: TurnPlan, *question: int) -> TurnPlan:
        return replace(turn, calls=tuple(self._call(call, *question, at) for at, call in enumerate(turn.calls)))

    def _call(self, call: CallPlan, *question: int) -> CallPlan:
        if call.tool not in TOOLS or call.how in _SPARED or self._roll(1, *question) < 0.5:
            return call
        tool = tuple(BLOCKING_TOOLS)[int(self._roll(2, *question) * len(BLOCKING_TOOLS))]
        kind = BLOCKING_TOOLS[tool]
        limit_seconds = min(kind.timeout_seconds, self._work_timeout_seconds)
        made = replace(call, tool=tool, seconds=min(call.seconds, 0.8 * limit_seconds))
        if made.how != "hang" and self._roll(3, *question) < 0.5:
            return replace(made, times=min(made.times, kind.retries + 1))
        times = 1 + int(self._roll(4, *question) * (kind.retries + 1))
        return replace(made, how=STUCK, times=times, stuck=self._stuck_seconds(limit_seconds, *question))

    def _stuck_seconds(self, limit_seconds: float, *question: int) -> float:
        longer = limit_seconds * (1 + 2 * self._roll(5, *question))
        minutes, hours = 600 * self._roll(6, *question), 20_000 * self._roll(7, *question)
        return (longer, longer, limit_seconds + minutes, limit_seconds + hours, _FOR_EVER_SECONDS)[
            int(self._roll(8, *question) * 5)
        ]

    def _roll(self, which: int, *question: int) -> float:
        return self._dice.roll(_CALL, which, *question)
