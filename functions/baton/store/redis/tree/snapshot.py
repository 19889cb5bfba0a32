"""A process's copy of one tree: its state as read or written last, and the data of its open work items.

Invariant: it may be out of date at any time; a decision on it is written only where it is not.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from baton.engine.commit.answers import Tombstone
from baton.engine.commit.codec import Texts, load_results, load_values
from baton.engine.commit.layout import tree_of
from baton.engine.commit.patch import STAMP
from baton.engine.commit.tree import Tree
from baton.engine.commit.usage_ledger import apart_in, usage_in
from baton.engine.state import CallRecord, Usage
from baton.store.redis import keys

Place = tuple[str, str]  # a job, and a call of it, or a name among its results


def result_field(place: Place) -> tuple[str, str]:
    """Return where a result is: a key, and its field."""
    return keys.calls_key(place[0]), keys.RESULT + place[1]


def of_calls(names: Container[str], by_job: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the data of these calls."""
    kept: dict[str, dict[str, Any]] = {}
    for job_id, mine in by_job.items():
        for name in mine:
            if name in names:
                kept.setdefault(job_id, {})[name] = mine[name]
    return kept


def results_of_calls(results: Mapping[str, str | None]) -> dict[str, str]:
    """Return the results that a history tells: those of calls, and no signals that are kept for later waits."""
    return {name: text for name, text in results.items() if text is not None and ":" not in name}


def weight_of(texts: Iterable[str]) -> int:
    """Return the size in an answer: as JSON in JSON, a quotation mark or a backslash takes two bytes."""
    text = "".join(texts)
    return len(text) + text.count('"') + text.count("\\")


class Transcript(Struct, frozen=True):
    """All entries of a job's transcript, and all results of its calls, as texts; `size_chars`: what they weigh.

    `memo`: what was made of them, or of their beginning (`History.memo`). `stamp`: of the history that this is.
    """

    entries: tuple[str, ...] = ()
    results: Mapping[str, str] = {}
    size_chars: int = 0
    memo: dict[str, Any] = {}
    stamp: str = ""

    def more(self, entries: Sequence[str], results: Mapping[str, str], stamp: str) -> "Transcript":
        """Return the transcript with these additions written."""
        size_chars = self.size_chars + weight_of((*entries, *results.values()))
        memo = {} if self.results.keys() & results.keys() else self.memo  # else they are only added to
        return Transcript((*self.entries, *entries), {**self.results, **results}, size_chars, memo, stamp)

    def begins(self, used: Usage) -> bool:
        """Return whether the history of a job with this usage begins with this one."""
        return bool(self.stamp) and self.stamp in used.stamp.split(",") and len(self.entries) <= used.entries

    def open_calls(self) -> list[str]:
        """Return the calls that have no result here, and may have one."""
        entries, results = self.values()
        calls = [call for entry in entries for call in entry.get("calls", ()) if "error" not in call]
        return [call["id"] for call in calls if call["id"] not in results]

    def values(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the entries and results as values, each read once."""
        entries, results = self.memo.get("values", ((), {}))
        seen, known = len(entries), len(results)
        if seen > len(self.entries) or known > len(self.results):
            return tuple(load_values(self.entries)), load_results(self.results)
        texts, more = self.entries[seen:], list(islice(self.results, known, None))
        if texts or more:
            values = iter(load_values([*texts, *[self.results[name] for name in more]]))
            entries = (*entries, *islice(values, len(texts)))
            results = {**results, **dict(zip(more, values, strict=True))}
            self.memo["values"] = entries, results
        return entries, results


class TreeSnapshot(Struct, frozen=True):
    """One tree, with the calls and results that belong to its open work items, as far as they are known.

    `transcripts`: by job, valid while its usage is the same: no two histories share one (`Usage.stamp`). `no_results`,
    `no_calls`: places known to be empty; a result has the name of its call. `is_fresh`: it was read just now.
    `apart`: fields of usage that are still to be added to the rest. `is_contended`: others write at the same time.
    `is_usual`: a usual step has left it so that another one may follow.
    """

    state: Mapping[str, str] = {}
    tree: Tree = field(default_factory=Tree)
    transcripts: Mapping[str, Transcript] = {}
    no_results: frozenset[Place] = frozenset()
    no_calls: frozenset[Place] = frozenset()
    is_fresh: bool = False
    apart: tuple[str, ...] = ()
    is_contended: bool = False
    is_usual: bool = False

    def result(self, place: Place) -> str | None:
        """Return a result, if it is known."""
        return self.tree.results.get(place[0], {}).get(place[1])

    def knows_result(self, place: Place) -> bool:
        """Return whether it is known if there is this result."""
        return place in self.no_results or self.result(place) is not None

    def knows_call(self, place: Place) -> bool:
        """Return whether it is known if there is this call."""
        return place in self.no_calls or place[1] in self.tree.calls.get(place[0], {})

    def read_again(
        self,
        state: Mapping[str, str],
        tombstone: Tombstone | None,
        results: Mapping[Place, str | None],
        calls: Mapping[Place, CallRecord | None],
        texts: Texts | None = None,
    ) -> "TreeSnapshot":
        """Return the snapshot as it was read just now; nothing else is known of it."""
        tree = tree_of(state, self.state, self.tree, texts)
        tree = replace(tree, tombstone=tombstone, results=_by_job(results), calls=_by_job(calls))
        transcripts = {
            name: transcript
            for name, transcript in self.transcripts.items()
            if usage_in(name, state) == usage_in(name, self.state)
        }
        no_results, no_calls = _missing(results), _missing(calls)
        return TreeSnapshot(state, tree, transcripts, no_results, no_calls, is_fresh=True, apart=apart_in(state))


def is_written(name: str, snapshot: TreeSnapshot) -> bool:
    """Return whether this newer tree has what the refused request of this name wrote: it came twice."""
    return name in snapshot.state.get(STAMP, "").replace(";", ",").split(",")


def _missing(known: Mapping[Place, Any | None]) -> frozenset[Place]:
    return frozenset(place for place, value in known.items() if value is None)


def _by_job(known: Mapping[Place, Any | None]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for (job_id, name), value in known.items():
        if value is not None:
            found.setdefault(job_id, {})[name] = value
    return found
