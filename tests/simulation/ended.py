"""A job at the end of its world, and what is needed to say how it must have ended."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from baton.engine.commit.tree import Tree
from baton.engine.state import Job
from baton_events.ids import root_of
from tests.simulation.jobs import JobPlan
from tests.simulation.objects import whole
from tests.simulation.scripts import DEFAULT_DEPTH, INPUT_TOKENS, OUTPUT_TOKENS, TIMER, Came, Expected, place_of
from tests.simulation.waiting import parent_of

if TYPE_CHECKING:
    from tests.simulation.world import World


@dataclass(frozen=True, slots=True)
class Ended:
    """One job at the end of its world; `parts`: its stream; `committed`: its items, without those of jobs below."""

    world: "World"
    plan: JobPlan
    job: Job
    tree: Tree
    must: Expected
    parts: tuple[dict[str, Any], ...]
    committed: Sequence[str]

    @property
    def cancelled(self) -> bool:
        wanted = self.job.id in self.world.cancelling or self.ended_with_parent or self.interrupted
        return self.job.status == "cancelled" and wanted

    @property
    def interrupted(self) -> bool:
        shows_it = self.job.error is not None and self.job.error.message.endswith("which was sent meanwhile")
        return shows_it and any(plan.interrupts for plan in self.world.plan.jobs)

    @property
    def ended_with_parent(self) -> bool:
        """Whether the job that started it was cancelled, or could not go on, in this run or in an earlier one."""
        parent = self.tree.jobs.get(parent_of(self.job.id))
        if parent is not None and self.tree.jobs[root_of(self.job.id)].run > 1:
            return True
        return parent is not None and parent.status in ("cancelled", "failed")

    @property
    def shortened(self) -> bool:
        """Whether attempts that died, which count in full, took the room for turns that the script has.

        Or an outage did, of most of the time that the job has. Source: decisions/0019-agents-and-tools.
        """
        stopped_by = (self.job.result or {}).get("stoppedBy")
        error = self.job.error if self.job.error and self.job.error.type == "limit_exceeded" else None
        if stopped_by == "wall_seconds" or (error is not None and "wall_seconds" in error.message):
            return (self.job.finished_at_ms or 0) >= self.job.deadline_ms
        used, limits = self.job.used, self.plan.scripts()[self.job.agent].limits
        counted = used.input_tokens + used.output_tokens - used.turns * (INPUT_TOKENS + OUTPUT_TOKENS)
        return (error is not None or stopped_by == "tokens") and "tokens" in limits and counted > 0

    @property
    def undeliverable(self) -> bool:
        return self.job.error is not None and self.job.error.type == "delivery_failed"


def came_to(world: "World", tree: Tree, job: Job) -> Came:
    calls, results = tree.calls.get(job.id, {}), tree.results.get(job.id, {})
    come = [call for call in calls.values() if call.id in results and call.tool != TIMER]
    script = world.outside.plan_of(job.agent).scripts()[job.agent]
    return {place_of(script, call): whole(world, json.loads(results[call.id])) for call in come}


def depth_of(world: "World", tree: Tree, job: Job) -> int:
    """How many levels of jobs may be below this one: as its script says, and one less than above it."""
    scripts = world.outside.plan_of(job.agent).scripts()
    own = int(scripts[job.agent].limits.get("depth", DEFAULT_DEPTH))
    parent = tree.jobs.get(parent_of(job.id))
    return own if parent is None else min(own, depth_of(world, tree, parent) - 1)
