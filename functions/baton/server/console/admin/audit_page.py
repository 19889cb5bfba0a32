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
    size = ROWS if (starts := visit.query("starts")) else 5 * ROWS  # most entries are of jobs that programs start
    rows = await visit.container.ports.audit_log.page(cursor, size + 1)
    more = rows[size - 1][0] if len(rows) > size else ""
    entries = [entry for _, entry in rows[:size] if starts or entry.action != "POST /api/agent-jobs"]
    return visit.page("audit.html", entries=entries, cursor=more, starts=starts)
