"""The generator of jobs that wait and start others: the second family of worlds, made of the first one's scripts.

Calls of a plain script become calls that wait; who is asked has a script of its own, up to two levels below.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from baton.testing.dice import Dice
from tests.simulation.jobs import JobPlan, make_job, make_script
from tests.simulation.scripts import DEFAULT_DEPTH, CallPlan, Message, Script, TurnPlan, WaitPlan

_HOW_LONG, _CALL, _WORD, _JOB, _HELPER = 101, 102, 103, 104, 105
DAY_SECONDS = 86_400.0
# The queue takes a message for at most seven days: a longer wait is dispatched on its way.
_LONG_SECONDS = 20 * DAY_SECONDS
_WALL_SECONDS = 400 * 86_400
# Limits are shared with the jobs below: which of them meets one first is a matter of time, and not of any script.
_ROOMY = {"turns": 1_000, "tool_calls": 10_000, "tokens": 10_000_000, "wall_seconds": _WALL_SECONDS}
_EVENTS = ("paid", "sent")
_LEVELS = 2
_MOST_HELPERS = 4
_HOWS = ("ok",) * 12 + ("fail", "fail", "bug", "hang", "refuse")


def make_waiting_jobs(dice: Dice, count: int, longest_work_seconds: float) -> tuple[JobPlan, ...]:
    return tuple(_Maker(dice, index, longest_work_seconds).job() for index in range(count))


def longest_seconds(jobs: Iterable[JobPlan]) -> float:
    """For how long these jobs wait, one after the other. Without a key each submission may make another job."""
    return sum(_seconds(plan.script, plan.scripts()) * _times(plan) for plan in jobs)


def _times(plan: JobPlan) -> int:
    return len(plan.ticks) or (1 if plan.keyed else 1 + plan.repeats)


def _seconds(script: Script, scripts: dict[str, Script]) -> float:
    waits = (call for turn in script.turns for call in turn.calls if call.wait)
    return sum(_wait_seconds(call, scripts) for call in waits)


def _wait_seconds(call: CallPlan, scripts: dict[str, Script]) -> float:
    assert call.wait is not None, "it waits"
    return _seconds(scripts[call.wait.name], scripts) if call.tool == "ask" else call.wait.seconds


def when_said(seconds: float, roll: float, kind: float, at_once: float = 0.25) -> float:
    """When a word is said: often before its wait of so many seconds begins, or about when its time is up."""
    if kind < at_once:
        return roll * 0.3
    if kind < 0.5:
        return seconds + (roll - 0.5) * 4
    return seconds + roll * 300 if kind < 0.6 else roll**2 * min(seconds, 2 * _LONG_SECONDS)


@dataclass(slots=True)
class _Maker:
    dice: Dice
    index: int
    longest_work_seconds: float
    helpers: dict[str, Script] = field(default_factory=dict[str, Script])

    def job(self) -> JobPlan:
        plain = make_job(self.dice, self.index, self.longest_work_seconds)
        script = self._script(plain.script, self.index, 0)
        depth = int(self._roll(_JOB, 2) * DEFAULT_DEPTH) if self._roll(_JOB, 1) < 0.15 else DEFAULT_DEPTH
        if self.helpers:
            script = replace(script, limits={**_ROOMY, "depth": depth})
            self.helpers = {name: replace(helper, limits=_ROOMY) for name, helper in self.helpers.items()}
        events = int(self._roll(_JOB, 3) * 4)
        return replace(
            plain,
            script=script,
            helpers=tuple(self.helpers.items()),
            words=tuple(self._event(number) for number in range(events)),
            checks=tuple(self._roll(_JOB, 4, look) ** 3 * 600 for look in range(2)),
            cancel_at=plain.cancel_at or (self._roll(_JOB, 5) ** 2 * 400 if self._roll(_JOB, 6) < 0.1 else 0.0),
        )

    def _event(self, number: int) -> Message:
        at = self._roll(_WORD, number, 1) ** 3 * 900
        name = _EVENTS[int(self._roll(_WORD, number, 2) * len(_EVENTS))]
        return Message(at, number, name, repeats=int(self._roll(_WORD, number, 3) * 6))

    def _roll(self, *question: int) -> float:
        return self.dice.roll(self.index, *question)

    def _script(self, plain: Script, index: int, level: int) -> Script:
        turns = plain.turns
        if len(turns) == 1:  # it would not call anything
            turns = (TurnPlan(calls=(CallPlan("work", 100), CallPlan("work", 101))), *turns)
        waiting = tuple(
            replace(turn, calls=tuple(self._call(call, index, at, n, level) for n, call in enumerate(turn.calls)))
            for at, turn in enumerate(turns, 1)
        )
        return replace(plain, turns=waiting, limits={**plain.limits, "wall_seconds": _WALL_SECONDS})

    def _call(self, call: CallPlan, index: int, turn: int, position: int, level: int) -> CallPlan:
        where = (_CALL, index, turn, position)
        if self._roll(*where, 1) < 0.35:
            return call
        kinds = ("order", "order", "listen", "listen", "nap", "ask", "ask") if level < _LEVELS else ("order", "nap")
        tool = kinds[int(self._roll(*where, 2) * len(kinds))]
        how = _HOWS[int(self._roll(*where, 3) * len(_HOWS))]
        return CallPlan(
            tool=tool,
            number=call.number,
            how=how,
            times=1 + int(self._roll(*where, 4) * 2) if how in ("fail", "bug", "hang") else 0,
            seconds=0.01 + self._roll(*where, 5) ** 3 * 5,
            wait=self._wait(tool, where, level),
        )

    def _wait(self, tool: str, where: tuple[int, ...], level: int) -> WaitPlan:
        if tool == "ask":
            cancelled = self._roll(*where, 6) < 0.15
            cancel_at = 0.1 + self._roll(*where, 7) ** 2 * 120 if cancelled else 0.0
            return WaitPlan(name=self._helper(where, level), cancel_at=cancel_at)
        seconds = self._how_long(where)
        if tool == "nap":
            return WaitPlan(seconds)
        name = _EVENTS[int(self._roll(*where, 8) * len(_EVENTS))] if tool == "listen" else ""
        count = int(self._roll(*where, 9) * 4)
        return WaitPlan(seconds, name, tuple(self._word(seconds, name, (*where, number)) for number in range(count)))

    def _word(self, seconds: float, name: str, where: tuple[int, ...]) -> Message:
        at = when_said(seconds, self._roll(*where, 10), self._roll(*where, 11))
        value = int(self._roll(*where, 12) * 4)
        return Message(max(at, 0.0), value, name, int(self._roll(*where, 13) * 7), twice=self._roll(*where, 14) < 0.3)

    def _how_long(self, where: tuple[int, ...]) -> float:
        """Seconds; about a minute, for which a slot is kept; minutes; hours; or longer than the queue takes."""
        kind, roll = self._roll(*where, _HOW_LONG), self._roll(*where, _HOW_LONG, 1)
        if kind < 0.3:
            return roll * 8
        if kind < 0.45:
            return 55 + roll * 10
        if kind < 0.85:
            return 60 + roll**2 * 1500
        return roll * 20_000 if kind < 0.97 else _LONG_SECONDS * (1 + roll) / 2

    def _helper(self, where: tuple[int, ...], level: int) -> str:
        """The agent to ask: one that is asked already on this level, or a new one."""
        mine = [name for name in self.helpers if name.endswith(f"-level{level + 1}")]
        if mine and (len(self.helpers) >= _MOST_HELPERS or self._roll(*where, _HELPER) < 0.4):
            return mine[int(self._roll(*where, _HELPER, 1) * len(mine))]
        index = 100 * (self.index + 1) + len(self.helpers)
        name = f"agent-{self.index}-helper{len(self.helpers)}-level{level + 1}"
        self.helpers[name] = Script(())  # its place: it may ask others
        plain = make_script(self.dice, index, self.longest_work_seconds)
        short = replace(plain, turns=(*plain.turns[:1], plain.turns[-1]) if len(plain.turns) > 1 else plain.turns)
        self.helpers[name] = self._script(short, index, level + 1)
        return name
