"""Replay: plays a recording with an application's agents and says what is different, or how much was the same."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from baton.agents.registry import Registry
from baton_local.replay.comparing import Comparison
from baton_local.replay.difference import Difference
from baton_local.replay.playing import played
from baton_local.replay.recorded import RecordedJob, Recording


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of it. `difference`: the first one; None: there is none. `summary`: in a line, what was played."""

    difference: Difference | None
    summary: str


async def replay(recording: Recording, registry: Registry) -> Replayed:
    """Play a recording.

    Raises:
        ReplayError: it cannot be played with these agents.
    """
    found = await played(recording.job, registry)
    differences = Comparison(recording, found.play).differences(recording.job, found.job)
    return Replayed(next(differences, None), _summary(recording.job))


def replay_now(recording: Recording, registry: Registry) -> Replayed:
    """The same, for callers that may or may not be in an event loop: it plays in one of its own.

    Raises:
        ReplayError: it cannot be played with these agents.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, replay(recording, registry)).result()


def _summary(job: RecordedJob) -> str:
    jobs = _all_jobs(job)
    turns, calls = sum(len(one.turns()) for one in jobs), sum(len(one.tool_calls) for one in jobs)
    below = f", {len(jobs) - 1} below it" if len(jobs) > 1 else ""
    what = f"{turns} turns and {calls} tool calls"
    return f"job {job.id} (agent {job.job_type}{below}): {what}, played without a difference"


def _all_jobs(job: RecordedJob) -> list[RecordedJob]:
    below = [found for call in job.tool_calls if call.child for found in _all_jobs(call.child)]
    return [job, *below]
