"""The generator of jobs: from a seed, who submits what, when, and how often."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from baton.testing.dice import Dice
from tests.simulation.constants import LARGEST_INPUT_BYTES
from tests.simulation.scripts import TOOLS, CallPlan, Message, Script, TurnPlan

TENANTS = ("ada", "bob")
_AGENT, _SCRIPT, _TURN, _CALL, _INPUT = 11, 12, 13, 14, 15
_HOWS = ("ok",) * 9 + ("fail",) * 4 + ("hang", "bug", "refuse", "huge", "strange", "unknown", "bad")
_MODEL_HOWS = ("error", "error", "hang", "garbage", "bug")
_ENDLESS_HOWS = ("permanent", "error", "garbage")
_LONGEST_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Return:
    """Somebody comes back so long after the job was accepted: to `delete` it, or to retry from `failure` or `start`."""

    at: float
    what: str
    twice: bool = False


@dataclass(frozen=True, slots=True)
class JobPlan:
    """One submission; `repeats`: how often the client tries again after an error; `again_at`: after success, too.

    `helpers`: agents that its tools may ask, with their scripts. `words`: events that happen to it, by the time since
    it was accepted. `checks`: when somebody reads it.
    `readers`: how many follow its stream. `input_bytes`: how large its input is.
    `when_busy`: what it does while another one of its session runs. `ticks`: a schedule starts it so long after it was
    made, each time another one; without any it is submitted. `emitted`: an app event starts it. `batch`: size and time
    of the batches that start it, of so many `events`. `once`: these events have one key, for which one of them counts.
    `chats`: what its calls wait for goes on in the background. `shared_key`: its Idempotency-Key is also
    another tenant's.
    """

    index: int
    agent: str
    tenant: str
    at: float
    script: Script
    keyed: bool = True
    repeats: int = 3
    again_at: float = 0.0
    other_body: bool = False
    delay_seconds: int = 0
    session: str = ""
    priority: int = 5
    cancel_at: float = 0.0
    helpers: tuple[tuple[str, Script], ...] = ()
    words: tuple[Message, ...] = ()
    checks: tuple[float, ...] = ()
    readers: int = 0
    when_busy: str = "queue"
    returns: tuple[Return, ...] = ()
    input_bytes: int = 0
    ticks: tuple[float, ...] = ()
    emitted: bool = False
    events: int = 1
    batch: tuple[int, float] | None = None
    once: bool = False
    chats: bool = False
    shared_key: str = ""

    @property
    def key(self) -> str:
        return f"key-{self.shared_key or self.index}"

    @property
    def interrupts(self) -> bool:
        return self.when_busy in ("interrupt", "rollback")

    def scripts(self) -> dict[str, Script]:
        return {self.agent: self.script, **dict(self.helpers)}


def with_scripts(job: JobPlan, change: Callable[[Script, int], Script]) -> JobPlan:
    """The job with other scripts: its own, number 0, and those of its helpers from 1 on."""
    helpers = tuple((name, change(script, number)) for number, (name, script) in enumerate(job.helpers, 1))
    return replace(job, script=change(job.script, 0), helpers=helpers)


def with_calls(job: JobPlan, change: Callable[[CallPlan, int, int, int], CallPlan]) -> JobPlan:
    """The job with other calls, each made of the one that has this place: in which script and turn, and where there."""

    def script(plain: Script, number: int) -> Script:
        turns = (
            replace(turn, calls=tuple(change(call, number, at, position) for position, call in enumerate(turn.calls)))
            for at, turn in enumerate(plain.turns, 1)
        )
        return replace(plain, turns=tuple(turns))

    return with_scripts(job, script)


def make_jobs(dice: Dice, count: int, longest_work_seconds: float) -> tuple[JobPlan, ...]:
    """`count` jobs of several tenants; none of their tools is meant to work longer than its limit."""
    return tuple(make_job(dice, index, longest_work_seconds) for index in range(count))


def with_large_inputs(dice: Dice, jobs: tuple[JobPlan, ...]) -> tuple[JobPlan, ...]:
    sizes = (0, 0, 0, LARGEST_INPUT_BYTES // 2, LARGEST_INPUT_BYTES)
    return tuple(replace(job, input_bytes=dice.one_of(sizes, _INPUT, job.index)) for job in jobs)


def make_job(dice: Dice, index: int, longest_work_seconds: float) -> JobPlan:
    def roll(which: int) -> float:
        return dice.roll(_AGENT, index, which)

    keyed = roll(1) < 0.7
    return JobPlan(
        index=index,
        agent=f"agent-{index}",
        tenant=TENANTS[int(roll(2) * len(TENANTS))],
        at=roll(3) ** 2 * 90,
        script=make_script(dice, index, longest_work_seconds),
        keyed=keyed,
        repeats=int(roll(4) * 5),
        again_at=1 + roll(5) ** 3 * 800 if keyed and roll(6) < 0.4 else 0.0,
        other_body=roll(7) < 0.2,
        # Many start about when their backup message comes, a minute after the submission.
        delay_seconds=int(roll(8) * 200 if roll(14) < 0.5 else 58 + roll(8) * 8) if roll(9) < 0.2 else 0,
        session="shared" if roll(10) < 0.3 else "",
        priority=int(roll(11) * 10),
        cancel_at=0.1 + roll(12) ** 3 * 200 if roll(13) < 0.12 else 0.0,
    )


def make_script(dice: Dice, index: int, longest_work_seconds: float) -> Script:
    turns = 1 + int(dice.roll(_SCRIPT, index, 1) ** 1.5 * 5)
    roomy = dice.chance(0.8, _SCRIPT, index, 2)
    return Script(
        turns=tuple(_turn(dice, index, turn, turn == turns, longest_work_seconds) for turn in range(1, turns + 1)),
        reads_history=dice.chance(0.5, _SCRIPT, index, 3),
        fickle=dice.chance(0.3, _SCRIPT, index, 4),
        limits={} if roomy else _limits(dice, index),
    )


def _limits(dice: Dice, index: int) -> dict[str, Any]:
    kind = dice.one_of(("turns", "tool_calls", "tokens"), _SCRIPT, index, 5)
    value = dice.whole(1, 3, _SCRIPT, index, 6) * (15 if kind == "tokens" else 1)
    return {kind: value, "on_limit": dice.one_of(("stop", "fail"), _SCRIPT, index, 7)}


def _turn(dice: Dice, index: int, turn: int, last: bool, longest_work_seconds: float) -> TurnPlan:
    def roll(which: int) -> float:
        return dice.roll(_TURN, index, turn, which)

    forever = roll(1) < 0.03
    hows = _ENDLESS_HOWS if forever else _MODEL_HOWS
    wide = roll(2) < 0.25
    calls = 0 if last else 1 + int(roll(3) * (6 if wide else 2))
    return TurnPlan(
        pieces=f"turn {turn}" if roll(4) < 0.6 else "",
        calls=tuple(_call(dice, index, turn, position, longest_work_seconds) for position in range(calls)),
        fails=1 + int(roll(5) * 3) if roll(6) < 0.15 else 0,
        how=hows[int(roll(7) * len(hows))],
        forever=forever,
        seconds=0.01 + roll(8) ** 4 * 6,
    )


def _call(dice: Dice, index: int, turn: int, position: int, longest_work_seconds: float) -> CallPlan:
    def roll(which: int) -> float:
        return dice.roll(_CALL, index, turn, position, which)

    tool = tuple(TOOLS)[int(roll(1) * len(TOOLS))]
    how = _HOWS[int(roll(2) * len(_HOWS))]
    longest = min(_LONGEST_SECONDS, longest_work_seconds, TOOLS[tool].timeout_seconds) * 0.8
    return CallPlan(
        tool=tool,
        number=100 * turn + position,
        how=how,
        times=1 + int(roll(3) ** 2 * (TOOLS[tool].retries + 1)) if how in ("fail", "hang", "bug") else 0,
        # One that talks also takes its time, so that somebody who slept wakes up in the middle of the next one's run.
        seconds=(3 if tool == "talker" else 0.01) + roll(4) ** 3 * (longest - 3),
    )
