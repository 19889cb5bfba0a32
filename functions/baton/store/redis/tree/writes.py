"""The changes of a tree as writes of a patch; and the writes that do not conflict with others.

The calls of one turn do not conflict: beginning or ending one depends on the others only by whether one of them is
still there. As long as one is, no turn follows, and the job wants its slot.
"""

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from msgspec import Struct

from baton.engine.commit.answers import LEAST_TOMBSTONE_MS
from baton.engine.commit.codec import dump
from baton.engine.commit.layout import field_of, written
from baton.engine.commit.patch import STAMP, Patch
from baton.engine.commit.tree import Tree
from baton.engine.state import CallRecord
from baton.engine.work_items import ItemKind, WorkItem
from baton.store.redis import keys

_NONE: dict[str, Any] = {}
_PARTS_AT_ONCE = 1000  # of an entry: with their names they are arguments of one command (apply.lua)
_CALLS = frozenset({ItemKind.CALL, ItemKind.COMPLETE, ItemKind.FAILED})


class Kept(Struct, frozen=True):
    """Limits of stored trees: the time from the end on, and the entries of each stream that are kept at least."""

    retention_ms: int
    stream_length: int


class Writes:
    """The writes by key. Transcripts and streams in `after` have new entries only. `state`: the fields before."""

    def __init__(self, root_id: str, before: Tree, after: Tree, state: Mapping[str, str]) -> None:
        self._root_id, self._after = root_id, after
        self.state, self.gone = written(before, after)
        # The number of earlier parts, for each job with new parts of a stream.
        self.part_counts = {
            job_id: int(state.get(keys.part_count(job_id), 0)) for job_id, parts in after.parts.items() if parts
        }
        self.state |= {
            keys.part_count(job_id): str(count + len(after.parts[job_id])) for job_id, count in self.part_counts.items()
        }
        self.calls: dict[str, dict[str, CallRecord]] = {}
        self.results: dict[str, dict[str, str]] = {}
        self.forgotten: dict[str, list[str]] = {}
        if before.calls is not after.calls:
            for job_id, records in after.calls.items():
                self.calls[job_id] = _new(before.calls.get(job_id, _NONE), records)
        if before.results is not after.results:
            for job_id in {*before.results, *after.results}:
                was, now = before.results.get(job_id, _NONE), after.results.get(job_id, _NONE)
                self.results[job_id] = {name: text for name, text in now.items() if was.get(name) != text}
                self.forgotten[job_id] = [name for name in was if name not in now]
        self.expires = after.expires_ms != before.expires_ms

    def stamp(self, text: str) -> bool:
        """Write this stamp with all else, which the script may append; return whether anything is written."""
        if self.is_nothing:
            return False
        self.state[STAMP] = text
        return True

    @property
    def is_nothing(self) -> bool:
        """Whether nothing has changed."""
        if self.state or self.gone or self.expires:
            return False
        several = (self.calls, self.results, self.forgotten, self._after.transcript, self._after.parts)
        return not any(any(each.values()) for each in several)

    @property
    def extends_transcripts(self) -> bool:
        """Whether a transcript gets longer: its entries have an order."""
        return any(self._after.transcript.values())

    def jobs_written(self) -> set[str]:
        """Return the jobs whose history changes."""
        several = (self.results, self.forgotten, self._after.transcript)
        return {job_id for each in several for job_id, texts in each.items() if texts}

    def add_to(self, patch: Patch, kept: Kept, *, persists: bool) -> None:
        """Write all of it. `persists`: an ended tree begins again."""
        key = keys.state_key(self._root_id)
        if self.gone:
            patch.write("HDEL", key, self.gone)
        if self.state:
            more = ((keys.part_count(job_id), len(self._after.parts[job_id])) for job_id in self.part_counts)
            at = {name: 2 * number + 1 for number, name in enumerate(self.state)}
            sums = [(name, at[name], "", count) for name, count in more]
            patch.write("HSET", key, flat(self.state), [*sums, (STAMP, at[STAMP])])
        self._add_calls(patch)
        for job_id, count in self.part_counts.items():
            self._stream(patch, job_id, count, kept.stream_length)
        for job_id, entries in self._after.transcript.items():
            if entries:
                patch.write("RPUSH", keys.transcript_key(job_id), entries)
        if persists:
            self._persist(patch)
        elif self.expires:
            ended_ms = self._after.jobs[self._root_id].finished_at_ms or 0
            self._expire(patch, self._after.kept_ms(ended_ms, kept.retention_ms))

    def _stream(self, patch: Patch, job_id: str, count: int, length: int) -> None:
        """Add parts to a stream that has `count`, as one entry or a few, each with the number of its last part."""
        start, parts = f"{self._after.jobs[job_id].created_at_ms}-", self._after.parts[job_id]
        for first in range(0, len(parts), _PARTS_AT_ONCE):
            entry = parts[first : first + _PARTS_AT_ONCE]
            more = first + len(entry)
            named = [text for part in entry for text in ("p", part)]
            head = ("MAXLEN", "~", str(length), f"{start}{count + more}")
            sums = [(keys.part_count(job_id), 3, start, more)]
            patch.write("XADD", keys.parts_key(job_id), [*head, *named], sums)

    def _add_calls(self, patch: Patch) -> None:
        written = dict[str, dict[str, str]]()
        for job_id, records in self.calls.items():
            written[keys.calls_key(job_id)] = {name: dump(record) for name, record in records.items()}
        for job_id, results in self.results.items():
            key, start = keys.calls_key(job_id), keys.RESULT
            if self.forgotten[job_id]:
                patch.write("HDEL", key, [start + name for name in self.forgotten[job_id]])
            written.setdefault(key, {}).update((start + name, text) for name, text in results.items())
        for key, texts in written.items():
            if texts:
                patch.write("HSET", key, flat(texts))

    def _expire(self, patch: Patch, retention_ms: int) -> None:
        for key in all_keys(self._root_id, self._after.jobs):
            patch.write("PEXPIRE", key, [str(retention_ms)])
        if self._after.tombstone:
            # Kept as long again as the data was, at least.
            kept_ms = retention_ms + max(retention_ms, LEAST_TOMBSTONE_MS)
            patch.write("SET", keys.tombstone_key(self._root_id), [dump(self._after.tombstone), "PX", str(kept_ms)])

    def _persist(self, patch: Patch) -> None:
        for key in all_keys(self._root_id, self._after.jobs):
            patch.write("PERSIST", key, [])
        patch.write("DEL", keys.tombstone_key(self._root_id), [])


def all_keys(root_id: str, jobs: Iterable[str]) -> list[str]:
    """Return the keys of a tree with these jobs."""
    each = (keys.calls_key, keys.transcript_key, keys.parts_key)
    return [keys.state_key(root_id), *(key(job_id) for job_id in jobs for key in each)]


def flat(texts: Mapping[str, str]) -> list[str]:
    """Return names and texts, in turn."""
    return list(chain.from_iterable(texts.items()))


def _new(was: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    return {name: record for name, record in now.items() if was.get(name) is not record}


def siblings(before: Tree, after: Tree, item_keys: Iterable[str], writes: Writes) -> list[str] | None:
    """Return the fields of other calls, of which one must still be there; empty: none must.

    None: it is no step of such a call, or of the last one, and all its reads must be unchanged.
    """
    items = [before.items.get(key) for key in item_keys]
    mine = [item for item in items if item is not None and item.kind in _CALLS and item.group]
    if len(mine) != len(items) or len({item.job_id for item in mine}) != 1:
        return None
    job_id = mine[0].job_id
    of_job = [item for item in before.items.values() if item.job_id == job_id]
    if any(item.after for item in of_job) or not _is_theirs(job_id, writes):
        return None
    if any(item.event and key not in before.items for key, item in after.items.items()):
        return None  # the event may have come before any wait for it
    ended = [item for item in mine if item.key not in after.items]
    if not ended:
        return []
    others = [field_of(item, before) for item in of_job if item not in mine and _holds_up(item, ended)]
    return others if others and before.slot_state(job_id).want == "slot" else None


def _holds_up(item: WorkItem, ended: Iterable[WorkItem]) -> bool:
    """Return whether no turn follows the ended items while this one is there, and its job wants a slot."""
    return item.kind is ItemKind.CALL and bool(item.owner) and all(item.group == each.group for each in ended)


def _is_theirs(job_id: str, writes: Writes) -> bool:
    """Return whether nothing is written but work items, calls, results, parts, and usage."""
    names = {*writes.state, *writes.gone}
    mine = (f"usage:{job_id}", keys.part_count(job_id), STAMP)
    other = any(not name.startswith("item:") and name not in mine for name in names)
    return not (other or writes.expires or any(writes.forgotten.values()) or writes.extends_transcripts)
