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
from baton.engine.commit.draft import Draft
from baton.engine.commit.layout import field_of, written
from baton.engine.commit.patch import STAMP, Patch, Sum
from baton.engine.commit.tree import Tree
from baton.engine.commit.usage_ledger import ends_event
from baton.engine.stream_parts import TEXTLESS, start
from baton.engine.work_items import ItemKind
from baton.store.redis import keys
from baton.store.redis.texts import TreeTexts, kept_form

_NONE: dict[str, Any] = {}
PARTS_AT_ONCE = 1000  # of an entry: with their names they are arguments of one command (commit.lua)
_CALLS = frozenset({ItemKind.CALL, ItemKind.COMPLETE, ItemKind.FAILED})


class Kept(Struct, frozen=True):
    """Limits of stored trees: the time from the end on, and the entries of each stream that are kept at least."""

    retention_ms: int
    stream_length: int


class Writes:
    """The writes of a draft by key. `state`: the fields before.

    `texts` seals what is written: payloads of records, messages, results, and each entry of transcript and stream. A
    part that ends an event has its texts sealed already: the bill of this request is added to it.
    """

    def __init__(self, root_id: str, before: Tree, draft: Draft, state: Mapping[str, str], texts: TreeTexts) -> None:
        self._root_id, self._draft, self._texts = root_id, draft, texts
        self.state, self.gone = written(before, draft, texts)
        if texts.seals:  # a snapshot of this draft knows how its results are kept
            draft.keep_results(texts.sealed)
        # The number of earlier parts, for each job with new parts of a stream.
        self.part_counts: dict[str, int] = {}
        for job_id, parts in draft.parts.items():
            field = keys.part_count(job_id)
            count = self.part_counts[job_id] = int(state.get(field, 0))
            self.state[field] = str(count + len(parts))
        self.expires = draft.expires_ms != before.expires_ms

    def stamp(self, text: str) -> bool:
        """Add this to the stamp beside all else, if anything has changed; return whether."""
        draft = self._draft
        of_state = self.state or self.gone or self.expires
        if not (of_state or draft.transcript or draft.new_calls or draft.new_results):
            return False
        self.state[STAMP] = text
        return True

    @property
    def are_additions(self) -> bool:
        """Whether no order matters: no transcript gets longer, and no result is forgotten."""
        forgets = any(None in new.values() for new in self._draft.new_results.values())
        return not (self.expires or self._draft.transcript or forgets)

    def add_to(self, patch: Patch, kept: Kept) -> None:
        """Write all of it."""
        key = keys.state_key(self._root_id)
        if self.gone:
            patch.write("HDEL", key, self.gone)
        if self.state:
            stamped = [(STAMP, 2 * len(self.state) - 1)]  # which was added last
            patch.write("HSET", key, flat(self.state), self._sums() if patch.summed else stamped)
        self._add_calls(patch)
        for job_id, count in self.part_counts.items():
            self._stream(patch, job_id, count, kept.stream_length)
        if self._draft.begins_again:
            self._persist(patch)
        elif self.expires:
            ended_ms = self._draft.jobs[self._root_id].finished_at_ms or 0
            self._expire(patch, self._draft.kept_ms(ended_ms, kept.retention_ms))

    def _sums(self) -> list[Sum]:
        at = {name: 2 * number + 1 for number, name in enumerate(self.state)}
        more = {keys.part_count(job_id): len(self._draft.parts[job_id]) for job_id in self.part_counts}
        return [(STAMP, at[STAMP]), *[(name, at[name], "", count) for name, count in more.items()]]

    def _stream(self, patch: Patch, job_id: str, count: int, length: int) -> None:
        """Add parts to a stream that has `count`, as one entry or a few, each with the number of its last part.

        A job's first part follows from its id: readers make it (reader.py).
        """
        prefix, parts = f"{self._draft.jobs[job_id].created_at_ms}-", self._draft.parts[job_id]
        is_made = not count and parts[0] == start(job_id)
        for first in range(is_made, len(parts), PARTS_AT_ONCE):
            entry = parts[first : first + PARTS_AT_ONCE]
            more = first + len(entry)
            if self._texts.seals:
                results = self._draft.new_results.get(job_id, _NONE).values()
                entry = tuple(
                    [
                        part if ends_event(part) or part.endswith(TEXTLESS) else self._texts.sealed_part(part, results)
                        for part in entry
                    ]
                )
            named = [text for part in entry for text in ("p", part)]
            head = ("MAXLEN", "~", str(length), f"{prefix}{count + more}")
            sums = [(keys.part_count(job_id), 3, prefix, more)]
            patch.write("XADD", keys.parts_key(job_id), [*head, *named], sums)

    def _add_calls(self, patch: Patch) -> None:
        draft = self._draft
        new_calls, new_results = draft.new_calls, draft.new_results
        for job_id in {**draft.transcript, **new_calls, **new_results}:
            key, results = keys.calls_key(job_id), new_results.get(job_id, _NONE)
            gone: list[str] = []
            texts: list[str] = []
            for record in new_calls.get(job_id, _NONE).values():
                texts += (record.id, dump(record, self._texts))
            for name, text in results.items():
                if text is None:
                    gone.append(keys.RESULT + name)
                else:
                    texts += (keys.RESULT + name, kept_form(text))
            if gone:
                patch.write("HDEL", key, gone)
            if job_id in draft.transcript:
                entries = draft.transcript[job_id]
                for number, text in enumerate(entries, draft.usage[job_id].entries - len(entries)):
                    texts += (f"{keys.ENTRY}{number}", self._texts.seal(text))
            if texts:
                patch.write("HSET", key, texts)

    def _expire(self, patch: Patch, retention_ms: int) -> None:
        for key in all_keys(self._root_id, self._draft.jobs):
            patch.write("PEXPIRE", key, [str(retention_ms)])
        if self._draft.tombstone:
            # Kept as long again as the data was, at least.
            kept_ms = retention_ms + max(retention_ms, LEAST_TOMBSTONE_MS)
            patch.write("SET", keys.tombstone_key(self._root_id), [dump(self._draft.tombstone), "PX", str(kept_ms)])

    def _persist(self, patch: Patch) -> None:
        for key in all_keys(self._root_id, self._draft.jobs):
            patch.write("PERSIST", key, [])
        patch.write("DEL", keys.tombstone_key(self._root_id), [])


def all_keys(root_id: str, jobs: Iterable[str]) -> list[str]:
    """Return the keys of a tree with these jobs."""
    each = (keys.calls_key, keys.parts_key)
    return [keys.state_key(root_id), *(key(job_id) for job_id in jobs for key in each)]


def flat(texts: Mapping[str, str]) -> list[str]:
    """Return names and texts, in turn."""
    return list(chain.from_iterable(texts.items()))


def siblings(before: Tree, draft: Draft, item_keys: Iterable[str], writes: Writes) -> list[str] | None:
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
    new = draft.touched.keys() & draft.items.keys() - before.items.keys()
    if any(draft.items[key].event for key in new):
        return None  # the event may have come before any wait for it
    ended = [item for item in mine if item.key not in draft.items]
    if not ended:
        return []
    job = before.jobs[job_id]
    if job.model.runs_code or job.scripts:  # its next turn takes what has ended
        others = [
            field_of(item, before)
            for item in of_job
            if item.kind is ItemKind.LOOP and (item.owner or not item.not_before_ms)
        ]
    else:
        # No turn follows the ended ones while such a one is there, and its job wants a slot.
        calls = [item for item in of_job if item.kind is ItemKind.CALL and item.owner and item not in mine]
        others = [field_of(item, before) for item in calls if all(item.group == each.group for each in ended)]
    return others if others and before.slot_state(job_id).want == "slot" else None


def _is_theirs(job_id: str, writes: Writes) -> bool:
    """Return whether nothing is written but work items, calls, results, parts, and usage."""
    names = {*writes.state, *writes.gone}
    mine = (f"usage:{job_id}", keys.part_count(job_id), STAMP)
    other = any(not name.startswith(("item:", "ended:")) and name not in mine for name in names)
    return writes.are_additions and not other
