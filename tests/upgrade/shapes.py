"""What is stored and sent, as this code says it: the fields of each record and event, their types and defaults.

Invariant: two versions with equal shapes read each other's records and events alike. `schema.lock` has the shapes that
are known; `python -m tests.upgrade.shapes` writes it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import msgspec

from baton.engine.all_jobs.ends import AgentCounters
from baton.engine.all_jobs.slots import SlotState
from baton.engine.commit.answers import Tombstone
from baton.engine.state import STATE_VERSION, CallRecord, Job, Usage
from baton.engine.work_items import WorkItem
from baton.sdk.records.limits import Spend
from baton.sdk.records.memory import MemoryEntry
from baton.sdk.records.transcript import ENTRY_VERSION
from baton.store.records.access import StoredKey
from baton_events.schema import SCHEMA_VERSION, Event

STORED = (Job, WorkItem, CallRecord, Usage, Spend, SlotState, AgentCounters, MemoryEntry, StoredKey, Tombstone)
LOCK = Path(__file__).with_name("schema.lock")
REQUIRED = "required"
_CONSTRAINTS = ("format", "maxLength", "minLength", "maximum", "minimum", "pattern")

Shape = dict[str, str] | list[Any]
Shapes = dict[str, Shape]


@dataclass(frozen=True, slots=True)
class Schema:
    """All shapes of a version, and the numbers by which it tells its own from others'."""

    state_version: int
    schema_version: int
    entry_version: int
    stored: Shapes
    events: Shapes


def of_this_code() -> Schema:
    stored: Shapes = {}
    for kind in STORED:
        stored |= shapes_of(kind)
    return Schema(STATE_VERSION, SCHEMA_VERSION, ENTRY_VERSION, stored, shapes_of(Event))


def shapes_of(kind: Any) -> Shapes:
    return {name: _shape(one) for name, one in msgspec.json.schema(kind)["$defs"].items()}


def known() -> Schema:
    return Schema(**json.loads(LOCK.read_text()))


def text_of(schema: Schema) -> str:
    values = {field.name: getattr(schema, field.name) for field in fields(schema)}
    return json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _shape(schema: dict[str, Any]) -> Shape:
    if "enum" in schema:
        return list(schema["enum"])
    return {
        name: f"{_kind(one)} {REQUIRED if name in schema.get('required', ()) else '= ' + _default(one)}"
        for name, one in sorted(schema["properties"].items())
    }


def _kind(schema: dict[str, Any]) -> str:  # noqa: PLR0911 - one for each form
    match schema:
        case {"$ref": str(path)}:
            return path.rpartition("/")[2]
        case {"const": value}:
            return json.dumps(value)
        case {"anyOf": list(kinds)} | {"oneOf": list(kinds)}:
            return " | ".join(map(_kind, kinds))
        case {"enum": list(values)}:
            return " | ".join(map(json.dumps, values))
        case {"prefixItems": list(kinds)}:
            return f"({', '.join(map(_kind, kinds))})"
        case {"type": "array", "items": dict(items)}:
            return f"list of {_kind(items)}"
        case {"type": "object", "additionalProperties": dict(items)}:
            return f"map of {_kind(items)}"
        case _:
            more = sorted(f"{name} {value}" for name, value in schema.items() if name in _CONSTRAINTS)
            return " ".join([str(schema.get("type", "any")), *more])


def _default(schema: dict[str, Any]) -> str:
    """The JSON schema does not have those that are made anew each time."""
    return json.dumps(schema["default"], sort_keys=True) if "default" in schema else "one made anew"


def differences(old: Shapes, new: Shapes) -> Iterator[tuple[str, bool]]:
    """What is different, and whether what the old one wrote still means the same to the new one."""
    for record in sorted({*old, *new}):
        if record not in new:
            yield f"{record} is gone", False
        elif record not in old:
            yield f"{record} is new", True
        else:
            yield from _of_record(record, old[record], new[record])


def _of_record(record: str, old: Shape, new: Shape) -> Iterator[tuple[str, bool]]:
    if isinstance(old, list) or isinstance(new, list):
        for value in old:
            if value not in new:
                yield f"{record} has no {value!r} any more", False
        for value in new:
            if value not in old:
                yield f"{record} has a new {value!r}", True
        return
    for name in sorted({*old, *new}):
        if name not in new:
            yield f"{record}.{name} is gone (or renamed): what is stored under it is lost", False
        elif name not in old:
            optional = not new[name].endswith(REQUIRED)
            yield f"{record}.{name} is new{'' if optional else ' and has no default'}: {new[name]}", optional
        elif _shown(old[name]) != _shown(new[name]):
            yield f"{record}.{name} was {old[name]} and is {new[name]}", _is_wider(old[name], new[name])


def _is_wider(old: str, new: str) -> bool:
    """Whether whatever could be there before may still be there, and nothing means what is not there."""
    (before, default), (now, default_now) = _shown(old), _shown(new)
    return before <= now and default == default_now


def _shown(shape: str) -> tuple[frozenset[str], str]:
    """The kinds that a field may have, in whatever order, and its default, or that it has none."""
    kinds, _, default = shape.rpartition(" = " if " = " in shape else " ")
    return frozenset(kinds.split(" | ")), default


if __name__ == "__main__":
    LOCK.write_text(text_of(of_this_code()))
