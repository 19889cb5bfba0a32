"""The generators of jobs that are made of others: most plan, ask people, stream their texts, share a session, or block.

Planned ones are made of waiting ones, and approving ones of planned ones, in jobs below others, too. Of jobs of a
session is drawn what each does while another one is at work or in line: it waits, is refused, or interrupts. In the
worlds of `BLOCKING_SEEDS` (plan.py) half of all calls, of any family, are of tools that block.
"""

from dataclasses import dataclass, replace

from baton.testing.dice import Dice
from tests.simulation.jobs import TENANTS, JobPlan, make_job, with_calls, with_scripts
from tests.simulation.scripts import (
    APPROVAL_SECONDS,
    AT_MOST_ONCE,
    BLOCKING_TOOLS,
    COUNTERSIGNED,
    STUCK,
    TOOLS,
    CallPlan,
    Message,
    Script,
    TurnPlan,
    WaitPlan,
    more_words,
)
from tests.simulation.waiting_jobs import make_waiting_jobs, when_said

_SCRIPT, _STEP, _MORE = 121, 122, 123
_QUESTION, _WORD, _PEOPLE = 131, 132, 133
_STREAM, _SESSION, _BLOCK, _ONCE = 141, 151, 161, 171
_HOWS = ("ok",) * 5 + ("fail", "fail", "refuse", "huge")
_ON_FAILURE = ("skip",) * 7 + ("continue",) * 7 + ("replan",) * 4 + ("fail",) * 2
_MOST_STEPS = 7
_MOST_TIMES = 2
_SPARED = ("unknown", "bad", "kill")
_FOR_EVER_SECONDS = 10_000_000.0


def make_planned_jobs(dice: Dice, count: int, longest_work_seconds: float) -> tuple[JobPlan, ...]:
    def planned(job: JobPlan) -> JobPlan:
        return with_scripts(job, lambda script, number: _Planner(dice, (job.index, number)).script(script))

    return tuple(map(planned, make_waiting_jobs(dice, count, longest_work_seconds)))


@dataclass(frozen=True, slots=True)
class _Planner:
    """Makes scripts planners', or leaves them as they are. `of`: by its own index, and that of the script."""

    dice: Dice
    of: tuple[int, int]

    def script(self, plain: Script) -> Script:
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
        return self.dice.roll(*self.of, *question)


def make_approving_jobs(dice: Dice, count: int, longest_work_seconds: float) -> tuple[JobPlan, ...]:
    """Most ask somebody, some many."""
    jobs = make_planned_jobs(dice, count, longest_work_seconds)
    return tuple(with_calls(job, _Asking(dice, job.index).call) for job in jobs)


@dataclass(frozen=True, slots=True)
class _Asking:
    """Makes a job's calls ask, or leaves them as they are."""

    dice: Dice
    index: int

    def call(self, call: CallPlan, script: int, turn: int, position: int) -> CallPlan:
        of = (self.index, script)
        where = (_QUESTION, turn, position)
        if (call.wait is not None and call.tool != "order") or self.dice.roll(*of, *where, 1) > 0.4:
            return call
        count = int(self.dice.roll(*of, *where, 2) * 5)
        words = tuple(self._word(*of, _WORD, *where, number) for number in range(count))
        wait = WaitPlan(APPROVAL_SECONDS, words=words)
        return replace(call, tool="sign", times=min(call.times, _MOST_TIMES), seconds=min(call.seconds, 5.0), wait=wait)

    def _word(self, *where: int) -> Message:
        """`value`: what is decided (approving.py)."""
        at = when_said(APPROVAL_SECONDS, self.dice.roll(*where, 1), self.dice.roll(*where, 2), 0.3)
        value = int(self.dice.roll(*where, 3) * 6)
        repeats = int(self.dice.roll(*where, 4) * 6)
        return Message(at, value, repeats=repeats, twice=self.dice.roll(*where, 5) < 0.3)


def with_two_people(dice: Dice, jobs: tuple[JobPlan, ...]) -> tuple[JobPlan, ...]:
    """The same jobs; two people must approve half of the calls that need approval, and more of them say yes."""

    def countersigned(job: JobPlan) -> JobPlan:
        def call(plan: CallPlan, script: int, turn: int, position: int) -> CallPlan:
            where = (job.index, script, turn - 1, position)
            if plan.tool != "sign" or plan.wait is None or dice.roll(_PEOPLE, *where) < 0.5:
                return plan
            words = tuple(replace(word, value=word.value % 2 * 3, at=word.at / 2) for word in plan.wait.words)
            return replace(plan, tool=COUNTERSIGNED, wait=replace(plan.wait, words=(*words, *plan.wait.words)))

        return with_calls(job, call)

    return tuple(map(countersigned, jobs))


def make_streaming_jobs(dice: Dice, count: int, longest_work_seconds: float) -> tuple[JobPlan, ...]:
    """`count` jobs that are read while they run; some are cancelled in mid-text."""
    return tuple(_streaming(dice, make_job(dice, index, longest_work_seconds)) for index in range(count))


def _streaming(dice: Dice, job: JobPlan) -> JobPlan:
    def roll(which: int) -> float:
        return dice.roll(_STREAM, job.index, which)

    words = 1 + int(roll(1) * 12)
    turns = tuple(
        replace(turn, pieces=turn.pieces and f"{turn.pieces}{more_words(words)}", seconds=min(turn.seconds, 1.0))
        for turn in job.script.turns
    )
    return replace(
        job,
        script=replace(job.script, turns=turns, words=words),
        readers=1 + (roll(2) < 0.3),
        cancel_at=0.02 + roll(3) ** 2 * 12 if roll(4) < 0.2 else job.cancel_at,
    )


def make_session_jobs(dice: Dice, count: int, longest_work_seconds: float) -> tuple[JobPlan, ...]:
    """`count` jobs, most of them of one session."""
    return tuple(_sharing(dice, make_job(dice, index, longest_work_seconds)) for index in range(count))


def _sharing(dice: Dice, job: JobPlan) -> JobPlan:
    def roll(which: int) -> float:
        return dice.roll(_SESSION, job.index, which)

    return replace(
        job,
        tenant=TENANTS[0] if roll(1) < 0.85 else job.tenant,
        session="shared" if roll(2) < 0.9 else job.session,
        at=roll(3) ** 2 * 40,
        when_busy=("queue", "reject", "reject", "interrupt")[int(roll(4) * 4)],
    )


def with_calls_that_start_once(dice: Dice, jobs: tuple[JobPlan, ...]) -> tuple[JobPlan, ...]:
    """The same jobs; half of the plain calls, those that kill among them, start at most once."""

    def once(job: JobPlan) -> JobPlan:
        def call(plan: CallPlan, script: int, turn: int, position: int) -> CallPlan:
            is_plain = plan.tool in TOOLS and plan.how not in ("unknown", "bad")
            once = is_plain and dice.roll(_ONCE, job.index, script, turn - 1, position) < 0.5
            return replace(plan, tool=AT_MOST_ONCE, times=min(plan.times, 1)) if once else plan

        return with_calls(job, call)

    return tuple(map(once, jobs))


def with_blocking_tools(dice: Dice, jobs: tuple[JobPlan, ...], work_timeout_seconds: float) -> tuple[JobPlan, ...]:
    return tuple(with_calls(job, _Blocking(dice, job.index, work_timeout_seconds).call) for job in jobs)


@dataclass(frozen=True, slots=True)
class _Blocking:
    dice: Dice
    index: int
    work_timeout_seconds: float

    def call(self, call: CallPlan, script: int, turn: int, position: int) -> CallPlan:
        question = (self.index, script, turn - 1, position)
        if call.tool not in TOOLS or call.how in _SPARED or self._roll(1, *question) < 0.5:
            return call
        tool = tuple(BLOCKING_TOOLS)[int(self._roll(2, *question) * len(BLOCKING_TOOLS))]
        kind = BLOCKING_TOOLS[tool]
        limit_seconds = min(kind.timeout_seconds, self.work_timeout_seconds)
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
        return self.dice.roll(_BLOCK, which, *question)
