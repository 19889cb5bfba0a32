"""What a Redis has stored, in the store in memory: each key by its name (functions/baton/storage/redis/keys.py).

Invariant: a key that has no place here is an error, so that what a version stores anew is not left out of the check.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from baton.engine.all_jobs.days import AGENT, load_day, load_versions
from baton.engine.commit.answers import Tombstone
from baton.engine.commit.codec import (
    load_call,
    load_counters,
    load_entry,
    load_item,
    load_job,
    load_slot_state,
    load_spend,
    load_usage,
)
from baton.engine.commit.tree import Tree
from baton.storage.ports.operation_stream import StreamEntry
from baton.storage.redis import keys
from baton.storage.redis.semaphore import entry_from, member_field
from baton.storage.redis.totals import load_line
from baton.storage.redis.tree.details import without_start
from tests.unit.baton.kit.stage import Stage
from tests.upgrade.saved import Keys, texts_of, written

# Not what this check is about: counters of what was done and not of what is to be done.
_LEFT_OUT = ("baton:{audit}:", "baton:{keys}:", "baton:alert:", "baton:rate:", "baton:kept-events:", "baton:token:")
# Fields of a tree's state: which part of it they are, and how one is read.
_FIELDS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "job": ("jobs", load_job),
    "usage": ("usage", load_usage),
    "standing": ("slot_states", load_slot_state),
    "below": ("child_usage", load_spend),
}
_ROW = re.compile(r":\d{13}:")


@dataclass
class Loading:
    stage: Stage
    now_ms: int

    def load(self, stored: Keys) -> None:
        places: dict[str, Callable[[str, dict[str, Any]], None]] = {
            "baton:{admission}:": self._admission,
            "baton:{tools}:": lambda _, key: self.stage.store.tool_uses.update(_counts(key)),
            "baton:{figures}:": lambda _, key: self.stage.store.sums.update(_counts(key)),
            "baton:{operations}:": lambda _, key: self.stage.outcomes.waiting.update(
                {name: int(score) for name, score in key["value"].items()}
            ),
            "operations:completed": self._outcomes,
            "baton:list:": self._rows,
            "baton:model-cache:": self._answer,
            "baton:{memory:": lambda _, key: None,
            "baton:{job_": self._tree,
        }
        for name, key in stored.items():
            if name.startswith(_LEFT_OUT):
                continue
            place = next((place for start, place in places.items() if name.startswith(start)), None)
            assert place is not None, f"the key {name!r} has no place in the store in memory: give it one here"
            place(name, key)

    def _admission(self, name: str, key: dict[str, Any]) -> None:
        admission, value = self.stage.admission, key["value"]
        match name.rpartition(":")[2]:
            case "book" | "gone" | "jobs":
                admission.entries = {**admission.entries, **{n: load_entry(written(e)) for n, e in value.items()}}
            case "sweep" | "stopped" | "swept" as what:
                setattr(admission, "reconcile_at_ms" if what == "sweep" else f"{what}_ms", int(value))
            case "slots":
                self._slots(value)
            case "uncounted":
                for job in map(load_line, map(written, value)):
                    admission.add_end(job.agent, job.tenant, job.end)
            case _ if name in keys.SLOT_INDEXES:
                pass  # it follows from the slots
            case "listing":
                admission.rows = frozenset(value)
            case "ends" | "used" | "days" as what:
                self._sums(what, {name: written(text) for name, text in value.items()})
            case other:
                raise AssertionError(f"the admission keeps {other!r}, which has no place in the store in memory")

    def _sums(self, what: str, texts: dict[str, str]) -> None:
        admission = self.stage.admission
        if what == "ends":
            admission.ends = {agent: load_counters(sums) for agent, sums in texts.items()}
        elif what == "used":
            admission.used = {(name[:7], name[8:]): json.loads(used) for name, used in texts.items()}
        else:
            agents = {name for name in texts if name.startswith(AGENT)}
            admission.days = {day: load_day(texts[day]) for day in texts if day not in agents}
            admission.versions = {name.removeprefix(AGENT): load_versions(texts[name]) for name in agents}

    def _slots(self, value: dict[str, Any]) -> None:
        admission, start = self.stage.admission, member_field("")
        records = {name.removeprefix(start): written(one) for name, one in value.items() if name.startswith(start)}
        admission.entries = {**admission.entries, **{name: entry_from(text) for name, text in records.items()}}
        admission.reconcile_at_ms, admission.reconciled_ms = int(value.get("alarm", 0)), int(value.get("swept", 0))
        admission.stopped_ms = int(value.get("closed", 0))

    def _rows(self, _: str, key: dict[str, Any]) -> None:
        admission = self.stage.admission
        admission.rows |= {member for member in key["value"] if _ROW.search(member)}  # the others name the keys of rows

    def _outcomes(self, name: str, key: dict[str, Any]) -> None:
        rows = enumerate(key["value"]["entries"][sum(key["value"]["taken"].values()) :])
        self.stage.outcomes.entries = {str(at): StreamEntry(str(at), fields) for at, fields in rows}

    def _answer(self, name: str, key: dict[str, Any]) -> None:
        tenant, _, kept = name.removeprefix("baton:model-cache:").partition(":")
        self.stage.cache._kept[tenant, kept] = (written(key["value"]), self.now_ms + key["leftMs"])

    def _tree(self, name: str, key: dict[str, Any]) -> None:
        root, _, what = name.removeprefix("baton:{").partition("}:")
        kind, _, job_id = what.partition(":")
        tree = self.stage.store.tree(root)
        tree = replace(tree, expires_ms=self.now_ms + key["leftMs"]) if "leftMs" in key and kind == "state" else tree
        self.stage.store.write(root, _with(tree, kind, job_id, key["value"]))


def _with(tree: Tree, kind: str, job_id: str, value: Any) -> Tree:
    match kind:
        case "state":
            for field, one in value.items():
                tree = _with_field(tree, field, written(one))
            return tree
        case "calls":
            calls = {n: load_call(written(c)) for n, c in value.items() if not n.startswith(keys.RESULT)}
            results = without_start(keys.RESULT, {n: written(r) for n, r in value.items()})
            tree = replace(tree, results={**tree.results, job_id: results}) if results else tree
            return replace(tree, calls={**tree.calls, job_id: calls})
        case "results":
            return replace(tree, results={**tree.results, job_id: {n: written(r) for n, r in value.items()}})
        case "transcript":
            return replace(tree, transcript={**tree.transcript, job_id: tuple(map(written, value))})
        case "parts":
            return replace(tree, parts={**tree.parts, job_id: tuple(map(written, texts_of(value)))})
        case "tombstone":
            return replace(tree, tombstone=Tombstone(value["tenant"], value["deleted"]))
        case other:
            raise AssertionError(f"a job keeps {other!r}, which has no place in the store in memory: give it one here")


def _with_field(tree: Tree, field: str, text: str) -> Tree:
    kind, _, rest = field.partition(":")
    if kind in _FIELDS:
        part, load = _FIELDS[kind]
        return replace(tree, **{part: {**getattr(tree, part), rest: load(text)}})
    match kind:
        case "leg":
            items = [load_item(text)] if text else []
            return replace(tree, items={**tree.items, **{item.key: item for item in items}})
        case "event":
            job_id, _, at = rest.partition(":")
            return replace(tree, events={**tree.events, job_id: {**tree.events.get(job_id, {}), at: text}})
        case "message":
            job_id, _, at = rest.partition(":")
            return tree.with_message(job_id, at, text)
        case "parts":
            return tree  # how many they are
        case other:
            raise AssertionError(f"a tree's state has {other!r}, which has no place in the store in memory")


def _counts(key: dict[str, Any]) -> dict[str, int]:
    return {name: int(count) for name, count in key["value"].items()}
