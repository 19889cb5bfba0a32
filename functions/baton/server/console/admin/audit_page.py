"""The page of the audit log: what operators have changed."""

import re

from starlette.responses import Response

from baton.server.api.problem import ApiError
from baton.server.console.gate import Visit
from baton.store.redis.access import AuditLog

ROWS = 100
_CURSOR = re.compile(r"[0-9]{1,15}-[0-9]{1,15}")


class AuditPage:
    """Shows the audit log."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    async def show(self, visit: Visit) -> Response:
        """Show a page of entries."""
        cursor = visit.query("cursor")
        if cursor and not _CURSOR.fullmatch(cursor):
            raise ApiError(422, f"cursor {cursor!r} is not one of this list")
        rows = await self._log.page(cursor, ROWS + 1)
        more = rows[ROWS - 1][0] if len(rows) > ROWS else ""
        return visit.page("audit.html", entries=[entry for _, entry in rows[:ROWS]], cursor=more)
