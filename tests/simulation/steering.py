"""What must hold where somebody says more to a running job; by name, like invariants.py."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from baton.engine.transitions import JobStatus
from baton.testing.dice import Dice
from baton_events.ids import job_id_from_key
from tests.simulation.jobs import TENANTS, JobPlan

if TYPE_CHECKING:
    from tests.simulation.ended import Ended
    from tests.simulation.world import World


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
    return [job_id_from_key(job.tenant, f"key-{job.index}") for job in jobs if job.when_busy == "steer"]


ON_ALL_STEERED, ON_STEERED_AT_END = (a_message_is_told_once,), (what_is_said_is_told,)
