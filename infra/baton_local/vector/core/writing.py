"""What a write would change, and what it answers; nothing is changed here.

Metadata are patched by JSON Merge Patch, RFC 7396. Invariant: a plan holds for the index that it was made from, so no
other change may come between plan and application.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from baton_local.stand_in.api_error import ApiError
from baton_local.vector.core.errors import unacceptable, unknown
from baton_local.vector.core.index import DEFAULT_NAMESPACE, Index
from baton_local.vector.core.record import (
    Change,
    Draft,
    Metadata,
    NamespaceDropped,
    NamespaceEmptied,
    NamespaceMade,
    NamespaceRenamed,
    Record,
    RecordDropped,
    RecordPut,
    Vector,
)
from baton_local.vector.core.selection import Selection


def merge_patch(target: Any, patch: Any) -> Any:
    """Return the patched value; neither argument is changed."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


SUCCESS = "Success"
INDEX_NAME = "local"


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes of one request, all or none, and its result."""

    result: Any
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Update:
    """New values for one record; None leaves the old one."""

    id: str
    vector: Vector | None = None
    metadata: Metadata | None = None
    data: str | None = None
    patches_metadata: bool = False


def upsert(index: Index, namespace: str, drafts: Iterable[Draft]) -> Plan:
    """Store records, replacing those of the same id as a whole; the last one of an id counts."""
    space = index.namespaces.get(namespace)
    known = {} if space is None else space.records
    changes: list[Change] = []
    seq_of: dict[str, int] = {}
    last_seq = index.last_seq
    for draft in drafts:
        if draft.id in known:
            seq = known[draft.id].seq
        elif draft.id in seq_of:
            seq = seq_of[draft.id]
        else:
            last_seq += 1
            seq = seq_of[draft.id] = last_seq
        changes.append(RecordPut(namespace, Record(seq, draft.id, draft.vector, draft.metadata, draft.data)))
    if space is None and changes:
        changes.insert(0, NamespaceMade(namespace))
    return Plan(SUCCESS, tuple(changes))


def update(index: Index, namespace: str, wanted: Update) -> Plan:
    """Change parts of a record, if it is there."""
    space = index.namespaces.get(namespace)
    record = None if space is None else space.records.get(wanted.id)
    if record is None:
        return Plan({"updated": 0})
    metadata = record.metadata
    if wanted.metadata is not None:
        metadata = merge_patch(metadata, wanted.metadata) if wanted.patches_metadata else wanted.metadata
    changed = Record(
        record.seq,
        record.id,
        record.vector if wanted.vector is None else wanted.vector,
        metadata,
        record.data if wanted.data is None else wanted.data,
    )
    return Plan({"updated": 1}, (RecordPut(namespace, changed),))


def delete(index: Index, namespace: str, selection: Selection) -> Plan:
    """Remove the selected records."""
    space = index.namespaces.get(namespace)
    records = {} if space is None else space.records
    gone = {record.id: record for record in selection.of(records) if record is not None}
    return Plan({"deleted": len(gone)}, tuple(RecordDropped(namespace, record) for record in gone.values()))


def reset(index: Index, namespace: str) -> Plan:
    """Empty a namespace; it stays, and an unknown one is not made."""
    return Plan(SUCCESS, (NamespaceEmptied(namespace),) if namespace in index.namespaces else ())


def reset_all(index: Index) -> Plan:
    """Empty every namespace."""
    return Plan(SUCCESS, tuple(NamespaceEmptied(name) for name in index.namespaces))


def delete_namespace(index: Index, namespace: str) -> Plan:
    """Remove a namespace with its records."""
    if namespace == DEFAULT_NAMESPACE:
        raise unacceptable("The default namespace cannot be deleted; name another one: /delete-namespace/<namespace>")
    _must_exist(index, namespace)
    return Plan(SUCCESS, (NamespaceDropped(namespace),))


def rename_namespace(index: Index, namespace: str, new_name: str, *, delete_existing: bool) -> Plan:
    """Give a namespace another name, in place of one that has it if the caller says so."""
    if DEFAULT_NAMESPACE in {namespace, new_name}:
        raise unacceptable("The default namespace, the empty name, cannot be renamed or replaced")
    _must_exist(index, namespace)
    if namespace == new_name:
        return Plan({"renamed": True})
    changes: list[Change] = [NamespaceRenamed(namespace, new_name)]
    if new_name in index.namespaces:
        if not delete_existing:
            raise _exists(new_name)
        changes.insert(0, NamespaceDropped(new_name))
    return Plan({"renamed": True}, tuple(changes))


def _must_exist(index: Index, namespace: str) -> None:
    if namespace not in index.namespaces:
        raise unknown(f"Namespace {namespace} for the index {INDEX_NAME} does not exist")


def _exists(namespace: str) -> ApiError:
    return unacceptable(
        f"Namespace {namespace} for the index {INDEX_NAME} already exists; set deleteExisting to replace it"
    )
