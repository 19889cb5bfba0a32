"""Work items that no message will bring on, and which are left to the sweep: each by its own name, and not for ever.

Invariant: where there is a backstop, an excuse ends LEFT_SECONDS after what it was made for, so that its job goes on by
then; time in which the store or the queue is away is added, since no sweep could do anything. Without a backstop nobody
comes: there an excuse lasts, for the job and those that share its tag.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from baton.engine.commit.answers import Claim
from baton.engine.commit.tree import Tree
from baton.engine.work_items import ItemKind, WorkItem, kind_of
from baton_events.ids import job_of_call, root_of
from tests.simulation.constants import BACKSTOP_SECONDS

if TYPE_CHECKING:
    from tests.simulation.world import World

# By then an hourly sweep has come, with all its retries and a callback's, and what it replayed has been delivered.
LEFT_SECONDS = BACKSTOP_SECONDS + 900.0
_OF_JOBS = frozenset({ItemKind.LOOP, ItemKind.SLOT_REQUEST, ItemKind.REMEMBER})


class Excuses:
    """Which work items are left to the sweep, since when.

    `roots`: all trees of which some ever were. `came_late`: what a fact or a look wrote when its message was over.
    `looked_late`: what a look wrote whose sender was dead, or no longer waited for.
    """

    def __init__(self, world: "World") -> None:
        self._world = world
        self._since: dict[str, float] = {}
        self.roots: set[str] = set()
        self.came_late: set[str] = set()
        self.looked_late: set[str] = set()

    def add(self, item_key: str) -> None:
        self._since[item_key] = self._world.loop.seconds
        self.roots.add(root_of_item(item_key))

    def update(self, item_keys: Iterable[str]) -> None:
        for item_key in item_keys:
            self.add(item_key)

    def discard(self, item_key: str) -> None:
        self._since.pop(item_key, None)

    def __contains__(self, item_key: str) -> bool:
        since = self._since.get(item_key)
        return since is not None and (not self._world.plan.backstop or self._world.loop.seconds <= self.over_at(since))

    def wrote_too_late(self, before: Tree, after: Tree) -> None:
        """A function wrote whose message is over, or a command came late: nobody may dispatch what is new."""
        self.update(
            key
            for key, item in after.items.items()
            if item is not before.items.get(key) or item.relay_id not in self._world.queue.live
        )

    def looked_too_late(self, before: Tree, after: Tree) -> None:
        """A look came late: it compared what the admission knew long ago, and may have written a needless request."""
        self.wrote_too_late(before, after)
        self.looked_late |= after.items.keys() - before.items.keys()

    def is_needless(self, tree: Tree, item: WorkItem) -> bool:
        """Whether it is the request of an ended job unknown to the admission: a late look wrote it; it expires."""
        is_gone = tree.jobs[item.job_id].ended and item.job_id not in self._world.admission.entries
        return item.key in self.looked_late and item.kind is ItemKind.SLOT_REQUEST and is_gone and tree.expires_ms > 0

    def wrote_unguaranteed(self, claim: Claim | None, before: Tree, after: Tree) -> None:
        """A function wrote to which the queue has lost the connection: its message may be over, and then it may die.

        Or is about to be over: the next delivery has read the state, and dispatched what it found, if only that is not
        known any more since a failover. Or it has given the work back, to come again by a message of its own. Of what a
        fact or a look writes meanwhile, nobody could know.
        """
        ended = before.items.get(claim.item_key) if claim else None
        lost = ended is not None and self._world.memory.lost_writes(ended.job_id)
        found = ended is not None and (ended.redelivered or not ended.owner or lost)
        new = {key for key, item in after.items.items() if item is not before.items.get(key)}
        unguaranteed = {key for key in new if after.items[key].relay_id not in self._world.queue.live}
        self.update(new if found or claim is None else unguaranteed)
        self.came_late |= unguaranteed if claim is None else set()

    def taken_up(self, item_key: str, after: Tree) -> None:
        """A message that is under way carries an item from now on: whatever was left to the sweep is left no more."""
        if item_key in self and item_key in after.items and after.items[item_key].relay_id in self._world.queue.live:
            self.discard(item_key)

    def over_at(self, since: float) -> float:
        """When a sweep has surely come: time without the store or the queue is added."""
        until = since + LEFT_SECONDS
        for outage in sorted(self._world.plan.outages, key=lambda outage: outage.begins):
            if outage.begins <= until and outage.ends > since:
                until += outage.ends - max(outage.begins, since)
        return until


def root_of_item(item_key: str) -> str:
    about = item_key.split(":")[1]
    return root_of(about if kind_of(item_key) in _OF_JOBS else job_of_call(about))
