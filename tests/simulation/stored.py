"""What the simulated store keeps: keys by tag, and the tree that they mean; and what a read of one job sees of it."""

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from baton.storage.redis import keys as names
from baton_events.ids import canonical_json, root_of
from tests.fakes import FakeStore, Tree
from tests.fakes.applying import Keys
from tests.simulation.kept_tree import NO_KEYS, kept_tree

if TYPE_CHECKING:
    from tests.simulation.world import World

NOTHING_STORED = Tree()


class Version(Struct, frozen=True):
    """A tag as it was: neither ever changes."""

    tree: Tree
    keys: Keys


class StoredTrees(FakeStore):
    """The keys of all tags. `trees`: what they mean. `processes`: so many have asked for them.

    Of the fake are those who read trees and sums.
    """

    def __init__(self) -> None:
        super().__init__()
        self._keys: dict[str, Keys] = {}
        self.processes = 0

    def tree(self, job_id: str) -> Tree:
        """The tag of a job: one empty tree for all that is unknown, since making one takes long."""
        return self.trees.get(job_id) or self.trees.get(root_of(job_id), NOTHING_STORED)

    def keys(self, root: str) -> Keys:
        """The keys of a tag; whoever writes makes a copy."""
        return self._keys.get(root, NO_KEYS)

    def wrote(self, root: str, kept: Keys) -> Tree:
        tree = kept_tree(root, kept, self.keys(root), self.tree(root))
        self._keys[root], self.trees[root] = kept, tree
        return tree

    def count(self, key: str, name: str, much: int) -> int:
        sums = self.tool_uses if key == names.TOOL_USE else self.sums
        sums[name] += much
        return sums[name]

    def write(self, job_id: str, tree: Tree) -> None:
        """Keep what is left of a tag when its data is gone."""
        assert not tree.jobs, "all else is written as keys"
        root = root_of(job_id)
        stone = tree.tombstone
        text = canonical_json({"tenant": stone.tenant, "deleted": stone.deleted}) if stone else ""
        kept = Keys({names.tombstone_key(root): text} if stone else {})
        self._keys[root], self.trees[root] = kept, replace(tree)

    def version(self, root: str) -> Version:
        return Version(self.tree(root), self.keys(root))

    def go_back(self, root: str, version: Version | None) -> None:
        """A tag is as it was; None: it was not there."""
        if version is None:
            self.trees.pop(root, None)
            self._keys.pop(root, None)
        else:
            self.trees[root], self._keys[root] = version.tree, version.keys


def shown(world: "World", job_id: str, point: str) -> FakeStore:
    """The store as a read of one job sees it."""
    root = root_of(job_id)
    tree = world.memory.seen(root, point)
    if tree is world.fake.trees.get(root):
        return world.fake
    older = StoredTrees()
    if tree is not None:
        older.trees[root] = tree
    return older
