"""The generator of jobs whose texts are streamed: the fourth family of worlds, made of the first one's jobs."""

from dataclasses import replace

from baton.testing.dice import Dice
from tests.simulation.jobs import JobPlan, make_job
from tests.simulation.scripts import more_words

_JOB = 141


def make_streaming_jobs(dice: Dice, count: int, longest_work_seconds: float) -> tuple[JobPlan, ...]:
    """`count` jobs that are read while they run; some are cancelled in mid-text."""
    return tuple(_streaming(dice, make_job(dice, index, longest_work_seconds)) for index in range(count))


def _streaming(dice: Dice, job: JobPlan) -> JobPlan:
    def roll(which: int) -> float:
        return dice.roll(_JOB, job.index, which)

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
