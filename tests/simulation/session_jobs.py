"""The generator of jobs that share a session: the fifth family of worlds, made of the first one's jobs.

What each does while another one of its session is at work or in line is drawn: it waits, is refused, or interrupts.
"""

from dataclasses import replace

from baton.testing.dice import Dice
from tests.simulation.jobs import TENANTS, JobPlan, make_job

_JOB = 151


def make_session_jobs(dice: Dice, count: int, longest_work_seconds: float) -> tuple[JobPlan, ...]:
    """`count` jobs, most of them of one session."""
    return tuple(_sharing(dice, make_job(dice, index, longest_work_seconds)) for index in range(count))


def _sharing(dice: Dice, job: JobPlan) -> JobPlan:
    def roll(which: int) -> float:
        return dice.roll(_JOB, job.index, which)

    return replace(
        job,
        tenant=TENANTS[0] if roll(1) < 0.85 else job.tenant,
        session="shared" if roll(2) < 0.9 else job.session,
        at=roll(3) ** 2 * 40,
        when_busy=("queue", "reject", "reject", "interrupt")[int(roll(4) * 4)],
    )
