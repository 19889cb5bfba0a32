"""What must hold where a session is busy, interrupted, or told more; by name, like invariants.py."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from baton.engine.all_jobs.slots import QueueEntry
from baton.engine.transitions import JobStatus
from baton.testing.dice import Dice
from baton_events.ids import is_child, job_id_from_key, root_of
from tests.simulation.jobs import TENANTS, JobPlan

if TYPE_CHECKING:
    from tests.simulation.ended import Ended
    from tests.simulation.world import World


def who_is_refused_does_not_run(world: "World") -> str | None:
    """A submission whose every call was refused leaves no job, not even by its backup message."""
    refused = {agent for agent, answers in world.answered.items() if answers <= {409, 429}}
    ran = [job.id for tree in world.trees.values() for job in tree.jobs.values() if job.agent in refused]
    return f"{ran} exist, and whoever submitted them was always refused" if ran else None


def who_interrupts_is_next(world: "World", job_id: str, claim_result: frozenset[str]) -> str | None:
    """When an interrupting job is accepted, none of its session that was before it when it was asked for is live.

    Where a failover forgot a job, or the place of one, nobody knows better until the sweep has compared.
    """
    mine = world.admission.entries.get(job_id)
    if mine is None or not _is_in_line(mine) or not _lives(world, job_id):
        return None  # it starts later, or was interrupted itself
    left = [
        name
        for name, entry in world.admission.entries.items()
        if name in claim_result
        and _is_of(name, entry, mine)
        and _in_order(name, entry) < _in_order(job_id, mine)
        and _lives(world, name)
    ]
    forgot = any(world.memory.struck(root_of(name)) or name in world.memory.unbooked for name in (job_id, *left))
    return None if forgot or not left else f"{job_id} interrupts, and {left} of its session go on"


def live_of(world: "World") -> frozenset[str]:
    """The jobs that are there, at work or in line, and have not ended."""
    return frozenset(
        name for name, entry in world.admission.entries.items() if _is_in_line(entry) and _lives(world, name)
    )


def _lives(world: "World", name: str) -> bool:
    job = world.tree(name).jobs.get(name)
    return job is not None and not job.ended


def _is_of(name: str, entry: QueueEntry, mine: QueueEntry) -> bool:
    same = (entry.tenant, entry.session_id) == (mine.tenant, mine.session_id)
    return same and _is_in_line(entry) and not is_child(name)


def _is_in_line(entry: QueueEntry) -> bool:
    """One that is to start later is not."""
    return entry.want == "slot" or (entry.want == "none" and entry.started)


def _in_order(name: str, entry: QueueEntry) -> tuple[bool, bool, int, str]:
    return (not entry.slot, not entry.started, entry.created_ms, name)


ON_ALL_ENDED = (who_is_refused_does_not_run,)

_STEER = 181


def with_steering(dice: Dice, jobs: tuple[JobPlan, ...]) -> tuple[JobPlan, ...]:
    """The same jobs, most of them in one session: many are said to the one that runs, and some roll it back."""
    return tuple(_steering(dice, job) for job in jobs)


def _steering(dice: Dice, job: JobPlan) -> JobPlan:
    def roll(which: int) -> float:
        return dice.roll(_STEER, job.index, which)

    if roll(1) < 0.85:
        job = replace(job, tenant=TENANTS[0], session="shared", at=job.at * roll(2))
    if job.when_busy == "queue" and job.session and roll(3) < 0.6:
        return replace(job, when_busy="steer", keyed=True, other_body=False, delay_seconds=0)
    return replace(job, when_busy="rollback") if roll(4) < 0.2 else job


def a_message_is_told_once(world: "World") -> str | None:
    """To one job, once, or it is a job of its own; whatever is repeated.

    A failover may forget to whom it was told: then it may be told to another job, too.
    """
    told = dict[str, list[str]]()
    for job_id, entry in _entries(world):
        if "messageId" in entry:
            told.setdefault(entry["messageId"], []).append(job_id)
    for name in _messages(world.plan.jobs):
        places = told.get(name, []) + ([name] if name in world.tree(name).jobs else [])
        if len(places) > 1 and not any(map(world.memory.ever_struck, (name, *places))):
            return f"message {name} is told to {places}"
    return None


def what_is_said_is_told(end: "Ended") -> str | None:
    """A job that is completed has told its model everything, and has answered since."""
    if end.job.status is not JobStatus.COMPLETED or "stoppedBy" in (end.job.result or {}):
        return None
    if any(end.tree.messages.get(end.job.id, {}).values()):
        return f"{end.job.id} is completed, and its model was not told all: {end.tree.messages}"
    roles = [json.loads(text) for text in end.tree.transcript[end.job.id]]
    answered = roles[-1]["role"] == "model"
    return None if answered else f"{end.job.id} is completed, and its last entry is {roles[-1]}"


def more_turns(end: "Ended") -> range:
    """How many turns a job may have taken more than its script has: each message may cost one."""
    return range(len(end.tree.messages.get(end.job.id, {})) + 1)


def _entries(world: "World") -> Iterator[tuple[str, dict[str, Any]]]:
    for tree in world.trees.values():
        for job_id, texts in tree.transcript.items():
            for text in texts[1:]:
                yield job_id, json.loads(text)


def _messages(jobs: Iterable[JobPlan]) -> list[str]:
    """The ids of what is said: those that it would have as jobs."""
    return [job_id_from_key(job.tenant, job.key) for job in jobs if job.when_busy == "steer"]


ON_ALL_STEERED, ON_STEERED_AT_END = (a_message_is_told_once,), (what_is_said_is_told,)
