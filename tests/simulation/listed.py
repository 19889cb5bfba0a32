"""What the admission must know when nothing is left to happen: each job is listed, each end and byte counted once."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from baton.engine.all_jobs.ends import end_of
from baton.engine.all_jobs.job_list import Row, members
from baton.engine.all_jobs.shelves import entries_of, place_of
from baton.engine.commit.tree import Tree
from baton_events.ids import is_child, root_of

if TYPE_CHECKING:
    from tests.simulation.world import World


class Ends:
    """Each end of a job, as the store writes it: one that is retried may have several.

    `retried`: whether any was. `late_tokens`: those of answers that came after an end. `created`: since when each is
    there, in seconds; not of one that a failover forgot.
    """

    def __init__(self, now: Callable[[], float], undone: Callable[[str, Callable[[], None]], None]) -> None:
        self._now, self._undone = now, undone
        self.created: dict[str, float] = {}
        self.by_status: Counter[tuple[str, str]] = Counter()
        self.tokens = self.late_tokens = 0
        self.retried = False

    def wrote(self, before: Tree, after: Tree) -> None:
        for name, job in after.jobs.items():
            if name not in self.created:
                self.created[name] = self._now()
                self._undone(root_of(name), partial(self._forget, name))
            old = before.jobs.get(name)
            self.retried = self.retried or job.run > 1
            if old and old.run == job.run:
                late = job.before - old.before
                self.late_tokens += late.input_tokens + late.output_tokens
            if job.ended and not (old and old.ended):
                end = end_of(job)
                self.by_status[job.agent, end.status] += 1
                self.tokens += end.input_tokens + end.output_tokens

    def _forget(self, name: str) -> None:
        self.created.pop(name, None)


def every_job_is_listed(world: "World") -> str | None:
    """With its end, whatever failed on the way.

    A root whose row a failover forgot is listed again by its backup message; a job below it has none. Where the list
    took no row with a job's last admission update, or a failover forgot that one, the job is missing from pages;
    nothing else may follow from that.
    """
    for tree in world.trees.values():
        for job in tree.jobs.values():
            if is_child(job.id) and world.memory.ever_struck(job.id):
                continue
            if job.id in world.list_gaps or world.memory.forgot_rows(job.id):
                continue
            status = str(job.status) if job.ended else ""
            row = Row(job.id, job.created_at_ms, job.tenant, job.session_id, job.agent, status)
            shelves = {*entries_of(map(place_of, members(row)))}
            missing = ({*members(row)} | shelves) - world.admission.rows
            if missing:
                return f"{job.id} is {job.status}, and {sorted(missing)} are not in the list"
    return None


def _only_unheard(world: "World", got: Counter[tuple[str, str]]) -> bool:
    """Whether all that is missing are retries which were cancelled before the admission heard of them."""
    missing = world.ends.by_status - got
    return world.ends.retried and not got - world.ends.by_status and {status for _, status in missing} == {"cancelled"}


def each_end_is_counted_once(world: "World") -> str | None:
    """Crashes and copies change nothing; what a failover forgot may be missing, or counted again.

    So may be a job that a word brought back into the slot table, which came when it had left. The tokens of an answer
    that came after its job's end are counted beside its COMMIT, and may be missing after a crash.
    """
    if world.memory.failovers or world.came_back:
        return None
    ends = world.admission.ends()
    got = Counter(
        {
            (agent, status): getattr(sums, status)
            for agent, sums in ends.items()
            for status in ("completed", "failed", "cancelled")
            if getattr(sums, status)
        }
    )
    if got != world.ends.by_status and not _only_unheard(world, got):
        return f"{got} are counted; {world.ends.by_status} have ended"
    tokens = sum(sums.input_tokens + sums.output_tokens for sums in ends.values())
    used, late = world.ends.tokens, world.ends.late_tokens
    fits = tokens == used + late if world.plan.faultless else used <= tokens <= used + late
    return None if fits else f"{tokens} tokens are counted; {used} were used, and {late} after an end"


ON_LISTED = (every_job_is_listed, each_end_is_counted_once)


def what_is_counted_is_what_was_written(world: "World") -> str | None:
    """Where nothing goes wrong the quota knows what the usage ledger of a tenant's jobs say, once all have ended."""
    if not world.plan.bytes_kept or not world.plan.faultless:
        return None
    written = Counter[str]()
    for tree in world.trees.values():
        for name, job in tree.jobs.items():
            written[job.tenant] += tree.usage[name].written
    counted = Counter({tenant: world.admission.stored(tenant) for tenant in written})
    return f"{+counted} bytes are counted, and {+written} were written" if +counted != +written else None


ON_ALL_STORED = (what_is_counted_is_what_was_written,)
