"""What is stored: by id, in order, by chance, and in numbers."""

import re

from baton_local.vector.core import reading
from baton_local.vector.core.errors import malformed
from baton_local.vector.wire.call import Answer, Call
from baton_local.vector.wire.fields import Body, an_object, positive, shown, text
from baton_local.vector.wire.selections import ids_or_prefix, include_of

_CURSOR = re.compile(r"\d{1,18}")


async def fetch(call: Call) -> Answer:
    """`/fetch`: by ids or prefix."""
    body = an_object(call.json())
    selection = ids_or_prefix(body)
    assert selection is not None
    engine = call.engine
    limit = engine.limits.max_fetched_by_prefix
    return Answer(reading.fetch(engine.index, call.namespace, selection, include_of(body), limit))


async def scan(call: Call) -> Answer:
    """`/range`: page by page."""
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
    """Callers begin with "0" and with "" (vector-rest.md 3); the JavaScript SDK may send a number."""
    given = body.get("cursor")
    cursor = str(given) if isinstance(given, int) and not isinstance(given, bool) else text(body, "cursor") or "0"
    if _CURSOR.fullmatch(cursor) is None:
        raise malformed(f'cursor: must be "0" or the nextCursor of the page before, not {shown(cursor)}')
    return int(cursor)


async def random(call: Call) -> Answer:
    """`/random`: any record, or null."""
    return Answer(reading.at_position(call.engine.index, call.namespace, call.engine.surroundings.chance()))


async def info(call: Call) -> Answer:
    """`/info`."""
    return Answer(call.engine.index.info(call.engine.surroundings.now_ms()), 0)
