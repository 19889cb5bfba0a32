"""What the simulated store keeps: keys by tag, and the tree that they mean; and what a read of one job sees of it.

Invariant: nothing here decides what is written; the tree is read from the keys alone, as whoever comes next reads it.
It is made of the one before: what did not change is the same object.
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from baton.engine.commit.answers import Tombstone
from baton.engine.commit.codec import load_call
from baton.engine.commit.layout import tree_of
from baton.engine.commit.tree import Tree
from baton.engine.state import CallRecord
from baton.store.redis import keys as names
from baton.store.redis.in_process.server import InProcessConnection, InProcessRedis
from baton.store.redis.in_process.streams import Stream
from baton.store.redis.texts import TreeTexts
from baton.store.redis.tree.details import entries_in, results_in
from baton_events.ids import root_of
from baton_events.sealing import Sealing, sealing_of
from tests.fakes.stored import whole_stream
from tests.simulation.kept import Kept

if TYPE_CHECKING:
    from tests.simulation.world import World

_V = TypeVar("_V")
RETENTION_MS = 1_000_000
_Changed = dict[str, dict[str, Any]]
# The keys of a process, in the steps of a rotation: each opens what the others seal.
_K1, _K2 = (f"k{number}:{b64encode(bytes([number]) * 32).decode()}" for number in (1, 2))
_ROTATION = (f"{_K2},{_K1}", f"{_K1},{_K2}", f",{_K2},{_K1}")
_KEPT_PARTS = ("jobs", "slot_states", "usage", "items", "child_usage", "needed_until", "ended")
_STATE_PARTS = (*_KEPT_PARTS, "events", "messages", "placed")
NO_KEYS = Kept()


def kept_tree(root: str, kept: Kept, before_kept: Kept, before: Tree, texts: TreeTexts | None) -> Tree:
    """What the keys mean now, after they meant `before`."""
    state_key = names.state_key(root)
    state, known = kept.hash(state_key), before_kept.hash(state_key)
    changes: dict[str, Any] = {}
    if state is not known:
        read = tree_of(state, known, before, texts)
        changes = {part: _as_before(getattr(before, part), getattr(read, part)) for part in _STATE_PARTS}
    changes |= _of_jobs(kept, before_kept, before, texts)
    parts = changes.get("parts", before.parts)
    streams = {name: whole_stream(name, parts.get(name, ()), state) for name in changes.get("jobs", before.jobs)}
    if longer := {name: now for name, now in streams.items() if len(now) > len(parts.get(name, ()))}:
        changes["parts"] = {**parts, **longer}
    stone = kept.values.get(names.tombstone_key(root))
    if stone is not before_kept.values.get(names.tombstone_key(root)):
        value = json.loads(stone) if stone else None
        changes["tombstone"] = Tombstone(value["tenant"], value["deleted"]) if value else None
    return replace(before, **changes, expires_ms=kept.expiring.get(state_key, 0))


def _of_jobs(kept: Kept, before_kept: Kept, before: Tree, texts: TreeTexts | None) -> dict[str, Any]:
    """What each job has keys of its own for, as far as it has changed."""
    changed: _Changed = {}
    for key in kept.values.keys() | before_kept.values.keys():
        value = kept.values.get(key)
        if value is before_kept.values.get(key):
            continue
        kind, _, job_id = key.partition("}:")[2].partition(":")
        if not job_id:
            continue
        old = before_kept.hash(key) if kind == "calls" else {}
        for part, found, known in _parts_of(kind, value, old):
            now = found if part == "calls" else _opened(part, found, texts)
            of_kind: dict[str, Any] = changed.setdefault(part, dict(getattr(before, part)))
            if now is None:
                of_kind.pop(job_id, None)
            elif part == "calls":
                of_kind[job_id] = _calls(now, known, before.calls.get(job_id, {}), texts)
            elif of_kind.get(job_id) != now:
                of_kind[job_id] = now
    return changed


def _parts_of(kind: str, value: Any, known: Mapping[str, str]) -> list[tuple[str, Any, Mapping[str, str]]]:
    """What a key is about, what it has, and what it had: calls, and their results among them."""
    if isinstance(value, Stream):  # whose entries have several parts each
        value = tuple(part for entry in value.entries for part in entry.flat[1::2])
    if kind != "calls":
        return [(kind, value, {})]
    results = results_in(value or {})
    calls = {name: text for name, text in value.items() if names.is_call(name)} if value else None
    entries = entries_in(value or {})
    return [(kind, calls, known), ("results", results or None, {}), ("transcript", entries or None, {})]


def _opened(part: str, found: Any, texts: TreeTexts | None) -> Any:
    if texts is None or found is None:
        return found
    if isinstance(found, dict):
        return {name: texts.unsealed(text) for name, text in found.items()}
    return tuple(map(texts.part if part == "parts" else texts.unsealed, found))


def _calls(
    now: Mapping[str, str], known: Mapping[str, str], before: dict[str, CallRecord], texts: TreeTexts | None
) -> dict[str, CallRecord]:
    return {name: before[name] if known.get(name) == text else load_call(text, texts) for name, text in now.items()}


def _as_before(before: dict[str, _V], now: dict[str, _V]) -> dict[str, _V]:
    """What is equal is the same object."""
    if before == now:
        return before
    return {name: before[name] if before.get(name) == value else value for name, value in now.items()}


def with_objects_of(tree: Tree, before: Tree) -> Tree:
    """The same tree, in which what is equal in this other one is the same object."""
    parts = (*_STATE_PARTS, "calls", "results", "transcript", "parts")
    return replace(tree, **{part: _as_before(getattr(before, part), getattr(tree, part)) for part in parts})


def between(whole: Tree, before: Tree, after: Tree) -> Tree:
    """The whole tree after one of several transitions of a request, but for its usage: all of them are one request.

    `before`, `after`: what the process knew of the tree when it made this transition of it, and what it made.
    """
    parts: dict[str, Any] = {}
    for part in ("jobs", "slot_states", "items", "child_usage", "needed_until", "ended"):
        parts[part] = _changed(getattr(whole, part), getattr(before, part), getattr(after, part))
    for part in ("calls", "results", "events", "messages"):
        parts[part] = _changed_by_job(getattr(whole, part), getattr(before, part), getattr(after, part))
    for part in ("transcript", "parts"):
        parts[part] = _longer(getattr(whole, part), getattr(before, part), getattr(after, part))
    if before.tombstone != after.tombstone:
        parts["tombstone"] = after.tombstone
    # When its data goes is no part of what a process remembers: what is written of that is seen at the end.
    lives = not all(job.ended for job in parts["jobs"].values())
    return replace(whole, **parts, expires_ms=0 if lives else whole.expires_ms)


def _changed(whole: dict[str, _V], before: dict[str, _V], after: dict[str, _V]) -> dict[str, _V]:
    if before is after:
        return whole
    new = {name: value for name, value in after.items() if before.get(name) is not value}
    gone = before.keys() - after.keys()
    return {name: value for name, value in {**whole, **new}.items() if name not in gone} if new or gone else whole


def _changed_by_job(
    whole: dict[str, dict[str, _V]], before: dict[str, dict[str, _V]], after: dict[str, dict[str, _V]]
) -> dict[str, dict[str, _V]]:
    jobs = [job_id for job_id in {**before, **after} if before.get(job_id) is not after.get(job_id)]
    made = {job_id: _changed(whole.get(job_id, {}), before.get(job_id, {}), after.get(job_id, {})) for job_id in jobs}
    return {**whole, **made} if jobs else whole


def _longer(
    whole: dict[str, tuple[str, ...]], before: dict[str, tuple[str, ...]], after: dict[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    more = {job_id: entries[len(before.get(job_id, ())) :] for job_id, entries in after.items()}
    new = {job_id: (*whole.get(job_id, ()), *entries) for job_id, entries in more.items() if entries}
    return {**whole, **new} if new else whole


NOTHING_STORED = Tree()


class Version(Struct, frozen=True):
    """A tag as it was: neither ever changes."""

    tree: Tree
    keys: Kept


class StoredTrees:
    """The keys of all tags. `trees`: what they mean. `processes`: so many have asked for them. `sealed`: by keys."""

    def __init__(self, *, sealed: bool = False) -> None:
        self.payload_keys = _ROTATION[0] if sealed else ""
        self.trees: dict[str, Tree] = {}
        self._keys: dict[str, Kept] = {}
        self.processes = 0

    def tree(self, job_id: str) -> Tree:
        """The tag of a job: one empty tree for all that is unknown, since making one takes long."""
        return self.trees.get(job_id) or self.trees.get(root_of(job_id), NOTHING_STORED)

    def keys(self, root: str) -> Kept:
        return self._keys.get(root, NO_KEYS)

    def wrote(self, root: str, kept: Kept) -> Tree:
        texts = TreeTexts(sealing_of(self.payload_keys, ""), root) if self.payload_keys else None
        tree = kept_tree(root, kept, self.keys(root), self.tree(root), texts)
        self._keys[root], self.trees[root] = kept, tree
        return tree

    def sealing(self) -> Sealing:
        """That of the newest process: each is another step of a rotation, and some seal nothing (yet)."""
        return sealing_of(_ROTATION[self.processes % len(_ROTATION)] if self.payload_keys else "", "")

    def version(self, root: str) -> Version:
        return Version(self.tree(root), self.keys(root))

    def go_back(self, root: str, version: Version | None) -> None:
        """A tag is as it was; None: it was not there."""
        if version is None:
            self.trees.pop(root, None)
            self._keys.pop(root, None)
        else:
            self.trees[root], self._keys[root] = version.tree, version.keys


class TagAlone(InProcessRedis):
    """One tag as somebody sees it, and beside it what all jobs share."""

    def __init__(self, kept: Kept, shared: InProcessRedis) -> None:
        super().__init__(int, expires=False)
        self.data, self._shared, self.payload_keys = kept, shared, shared.payload_keys

    def run(self, *command: str | int) -> Any:
        shares = command[1] == names.SLOTS or command[3:4] == (names.WRITABLE,)
        return self._shared.run(*command) if shares else super().run(*command)


def tag_alone(world: "World", kept: Kept) -> InProcessConnection:
    return InProcessConnection(TagAlone(kept, world.all_jobs.redis))


def shown(world: "World", job_id: str, point: str) -> InProcessConnection:
    """The store as a read of one job sees it."""
    return tag_alone(world, world.memory.seen(root_of(job_id), point))
