"""What the simulated store keeps, and what a read of one job sees of it."""

from typing import TYPE_CHECKING

from events.ids import root_of
from tests.fakes import FakeStore, Tree

if TYPE_CHECKING:
    from tests.simulation.world import World

NOTHING_STORED = Tree()


class StoredTrees(FakeStore):
    """The fake, with one empty tree for all that is unknown: making one takes longer than everything else in a read."""

    def tree(self, job_id: str) -> Tree:
        """The tag of a job."""
        return self.trees.get(job_id) or self.trees.get(root_of(job_id), NOTHING_STORED)


def shown(world: "World", job_id: str, point: str) -> FakeStore:
    """The store as a read of one job sees it."""
    root = root_of(job_id)
    tree = world.memory.seen(root, point)
    if tree is world.fake.trees.get(root):
        return world.fake
    older = StoredTrees()
    if tree is not None:
        older.write(job_id, tree)
    return older
