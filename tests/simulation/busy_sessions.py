"""What must hold where a job is refused because its session is busy, or interrupts it; by name, like invariants.py."""

from typing import TYPE_CHECKING

from baton.engine.all_jobs.slots import QueueEntry
from baton_events.ids import is_child, root_of

if TYPE_CHECKING:
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
        and _turn(name, entry) < _turn(job_id, mine)
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


def _turn(name: str, entry: QueueEntry) -> tuple[bool, bool, int, str]:
    return (not entry.slot, not entry.started, entry.created_ms, name)


ON_ALL_ENDED = (who_is_refused_does_not_run,)
