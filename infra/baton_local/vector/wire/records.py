"""Records and namespaces: upsert, update, delete; fetch, scan, by chance; list, empty, remove, rename.

Invariant: a batch is checked, and embedded, whole before anything of it is stored (vector-rest.md 3).
"""

import re
from functools import partial
from typing import Any

from baton_local.vector.core import selection as reading
from baton_local.vector.core import writing
from baton_local.vector.core.errors import malformed
from baton_local.vector.core.index import Index
from baton_local.vector.core.record import Draft, Metadata, RecordPut
from baton_local.vector.core.writing import Plan, Update
from baton_local.vector.wire.call import Answer, Call
from baton_local.vector.wire.fields import (
    Body,
    an_object,
    by_filter,
    check_metadata,
    flag,
    ids_or_prefix,
    include_of,
    positive,
    record_id,
    refuse_other_kinds,
    required_text,
    shown,
    text,
    vector_of,
)

_MODES = {"OVERWRITE": False, "PATCH": True}


async def upsert(call: Call) -> Answer:
    """Answer `/upsert`: vectors as they are."""
    dimension = call.engine.index.dimension
    drafts = []
    for body in _bodies(call.json()):
        refuse_other_kinds(body)
        vector = vector_of(body.get("vector"), dimension)
        drafts.append(Draft(record_id(body.get("id")), vector, _metadata(call, body), text(body, "data")))
    return await _store(call, drafts)


async def upsert_data(call: Call) -> Answer:
    """Answer `/upsert-data`: texts, stored with their embedding."""
    bodies = _bodies(call.json())
    heads = [(record_id(body.get("id")), _metadata(call, body), required_text(body, "data")) for body in bodies]
    vectors = await call.engine.embed([data for _, _, data in heads])
    drafts = [Draft(name, vector, meta, data) for (name, meta, data), vector in zip(heads, vectors, strict=True)]
    return await _store(call, drafts)


async def update(call: Call) -> Answer:
    """Answer `/update`: parts of one record."""
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
    """Answer `/delete`: by ids, prefix or filter."""
    value = call.json()
    body: Body = {"ids": value} if isinstance(value, list) else an_object(value)
    selection = ids_or_prefix(body, "filter") or by_filter(body)
    result = await call.engine.write(lambda index: writing.delete(index, call.namespace, selection))
    return Answer(result, max(1, result["deleted"]))


def _bodies(value: Any) -> list[Body]:
    """Return one record, or a list of them."""
    return [an_object(one, "record") for one in (value if isinstance(value, list) else [value])]


async def _store(call: Call, drafts: list[Draft]) -> Answer:
    result = await call.engine.write(lambda index: writing.upsert(index, call.namespace, drafts))
    return Answer(result, len(drafts))


def _checked_update(call: Call, wanted: Update, index: Index) -> Plan:
    """Check an update: only an applied patch shows whether metadata are too large."""
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


_CURSOR = re.compile(r"\d{1,18}")


async def fetch(call: Call) -> Answer:
    """Answer `/fetch`: by ids or prefix."""
    body = an_object(call.json())
    selection = ids_or_prefix(body)
    assert selection is not None
    engine = call.engine
    limit = engine.limits.max_fetched_by_prefix
    return Answer(reading.fetch(engine.index, call.namespace, selection, include_of(body), limit))


async def scan(call: Call) -> Answer:
    """Answer `/range`: page by page."""
    body = an_object(call.json())
    page = reading.scan(
        call.engine.index,
        call.namespace,
        after_seq=_cursor_of(body),
        limit=positive(body, "limit"),
        prefix=text(body, "prefix") or "",
        include=include_of(body),
    )
    return Answer(page)


def _cursor_of(body: Body) -> int:
    """Read a cursor: callers begin with "0" and with "" (vector-rest.md 3); the JavaScript SDK may send a number."""
    given = body.get("cursor")
    cursor = str(given) if isinstance(given, int) and not isinstance(given, bool) else text(body, "cursor") or "0"
    if _CURSOR.fullmatch(cursor) is None:
        raise malformed(f'cursor: must be "0" or the nextCursor of the page before, not {shown(cursor)}')
    return int(cursor)


async def random(call: Call) -> Answer:
    """Answer `/random`: any record, or null."""
    return Answer(reading.at_position(call.engine.index, call.namespace, call.engine.surroundings.chance()))


async def info(call: Call) -> Answer:
    """Answer `/info`."""
    return Answer(call.engine.index.info(call.engine.surroundings.now_ms()), 0)


async def list_namespaces(call: Call) -> Answer:
    """Answer `/list-namespaces`."""
    return Answer(list(call.engine.index.namespaces), 0)


async def reset(call: Call) -> Answer:
    """Answer `/reset`: one namespace, or with `?all` every one."""
    if "all" in call.query_keys:
        return Answer(await call.engine.write(writing.reset_all), 0)
    return Answer(await call.engine.write(lambda index: writing.reset(index, call.namespace)), 0)


async def delete_namespace(call: Call) -> Answer:
    """Answer `/delete-namespace/<namespace>`."""
    return Answer(await call.engine.write(lambda index: writing.delete_namespace(index, call.namespace)), 0)


async def rename_namespace(call: Call) -> Answer:
    """Answer `/rename-namespace`."""
    body = an_object(call.json())
    name, new_name = required_text(body, "namespace"), required_text(body, "newNamespace")
    replaces = flag(body, "deleteExisting")
    result = await call.engine.write(
        lambda index: writing.rename_namespace(index, name, new_name, delete_existing=replaces)
    )
    return Answer(result, 0)
