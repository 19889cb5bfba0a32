"""The page of the audit log: what operators have changed."""

import re

from starlette.responses import Response

from baton.server.api.problem import ApiError
from baton.server.console.gate import Visit

ROWS = 100
_CURSOR = re.compile(r"[0-9]{1,15}-[0-9]{1,15}")


async def show(visit: Visit) -> Response:
    cursor = visit.query("cursor")
    if cursor and not _CURSOR.fullmatch(cursor):
        raise ApiError(422, f"cursor {cursor!r} is not one of this list")
    rows = await visit.container.ports.audit_log.page(cursor, ROWS + 1)
    more = rows[ROWS - 1][0] if len(rows) > ROWS else ""
    return visit.page("audit.html", entries=[entry for _, entry in rows[:ROWS]], cursor=more)
