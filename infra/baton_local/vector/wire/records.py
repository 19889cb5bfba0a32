"""Upsert, update and delete: from bodies to plans.

Invariant: a batch is checked, and embedded, whole before anything of it is stored (vector-rest.md 3).
"""

from functools import partial
from typing import Any

from baton_local.vector.core import writing
from baton_local.vector.core.changes import RecordPut
from baton_local.vector.core.errors import malformed
from baton_local.vector.core.index import Index
from baton_local.vector.core.record import Draft, Metadata
from baton_local.vector.core.writing import Plan, Update
from baton_local.vector.wire.call import Answer, Call
from baton_local.vector.wire.fields import Body, an_object, record_id, required_text, shown, text
from baton_local.vector.wire.metadata import check_metadata
from baton_local.vector.wire.numbers import refuse_other_kinds, vector_of
from baton_local.vector.wire.selections import by_filter, ids_or_prefix

_MODES = {"OVERWRITE": False, "PATCH": True}


async def upsert(call: Call) -> Answer:
    """`/upsert`: vectors as they are."""
    dimension = call.engine.index.dimension
    drafts = []
    for body in _bodies(call.json()):
        refuse_other_kinds(body)
        vector = vector_of(body.get("vector"), dimension)
        drafts.append(Draft(record_id(body.get("id")), vector, _metadata(call, body), text(body, "data")))
    return await _store(call, drafts)


async def upsert_data(call: Call) -> Answer:
    """`/upsert-data`: texts, stored with their embedding."""
    bodies = _bodies(call.json())
    heads = [(record_id(body.get("id")), _metadata(call, body), required_text(body, "data")) for body in bodies]
    vectors = await call.engine.embed([data for _, _, data in heads])
    drafts = [Draft(name, vector, meta, data) for (name, meta, data), vector in zip(heads, vectors, strict=True)]
    return await _store(call, drafts)


async def update(call: Call) -> Answer:
    """`/update`: parts of one record."""
    body = an_object(call.json())
    refuse_other_kinds(body)
    mode = text(body, "metadataUpdateMode") or "OVERWRITE"
    if mode not in _MODES:
        raise malformed(f"metadataUpdateMode: must be OVERWRITE or PATCH, not {shown(mode)}")
    data = text(body, "data")
    vector = None
    if body.get("vector") is not None:
        vector = vector_of(body["vector"], call.engine.index.dimension)
    elif data is not None and call.engine.has_model:
        (vector,) = await call.engine.embed([data])
    wanted = Update(record_id(body.get("id")), vector, _metadata(call, body), data, _MODES[mode])
    return Answer(await call.engine.write(partial(_checked_update, call, wanted)))


async def delete(call: Call) -> Answer:
    """`/delete`: by ids, prefix or filter."""
    value = call.json()
    body: Body = {"ids": value} if isinstance(value, list) else an_object(value)
    selection = ids_or_prefix(body, "filter") or by_filter(body)
    result = await call.engine.write(lambda index: writing.delete(index, call.namespace, selection))
    return Answer(result, max(1, result["deleted"]))


def _bodies(value: Any) -> list[Body]:
    """One record, or a list of them."""
    return [an_object(one, "record") for one in (value if isinstance(value, list) else [value])]


async def _store(call: Call, drafts: list[Draft]) -> Answer:
    result = await call.engine.write(lambda index: writing.upsert(index, call.namespace, drafts))
    return Answer(result, len(drafts))


def _checked_update(call: Call, wanted: Update, index: Index) -> Plan:
    """A patch may make metadata too large, which only shows when it is applied."""
    plan = writing.update(index, call.namespace, wanted)
    for change in plan.changes:
        if isinstance(change, RecordPut) and change.record.metadata is not None:
            check_metadata(change.record.metadata, call.engine.limits)
    return plan


def _metadata(call: Call, body: Body) -> Metadata | None:
    value = body.get("metadata")
    if value is None:
        return None
    metadata = dict(an_object(value, "metadata"))
    check_metadata(metadata, call.engine.limits)
    return metadata
