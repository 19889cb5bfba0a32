"""The audit log: every request with an admin key that changes something, and its status.

Invariant: the guard calls this for each route by the request's method and key, so no endpoint can forget it. An entry
that the store does not accept is still in the process's log. Must not: keep secrets, or fail a request.
"""

import logging
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.sdk.records.redaction import redacted
from baton.server.api.auth import Principal
from baton.server.api.problem import parsed_query
from baton.store.records.access import AuditEntry
from baton.store.transport.bodies import utf8_json
from baton.worker.container import Container
from baton_events.errors import StoreError
from baton_events.timestamps import rfc3339
from baton_events.values.json_value import plain
from baton_events.values.text import storable_json

_log = logging.getLogger("baton.audit")

DETAIL_LIMIT_BYTES = 2_000


class AuditQuery(BaseModel):
    """Which entries: `cursor` is that of the page before."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, Field(pattern=r"^[0-9]{1,15}-[0-9]{1,15}$")] | None = None


class Audit:
    """Writes entries, and reads them for `GET /api/admin/audit`."""

    def __init__(self, container: Container) -> None:
        self._container = container

    async def record(self, who: Principal, action: str, target: str, status: int, body: bytes = b"") -> None:
        """Store one action of a caller. `body`: the request's body."""
        entry = AuditEntry(
            at_ms=self._container.ports.clock.now_ms(),
            key_id=who.key_id,
            label=who.label,
            tenant=who.tenant,
            action=action,
            target=target,
            status=status,
            detail=self._detail(body),
        )
        _log.info("%s %s by key %s of %s: %d", action, target, who.key_id, who.tenant, status)
        try:
            await self._container.ports.audit_log.add(entry)
        except StoreError as error:
            _log.warning("not kept in the store (%s): %s", error, entry)

    async def show(self, request: Request) -> Response:
        """Answer `GET /api/admin/audit` with 200, the newest entry first."""
        query = parsed_query(AuditQuery, request.query_params)
        rows = await self._container.ports.audit_log.page(query.cursor or "", query.limit + 1)
        answer: dict[str, Any] = {"entries": [_view(number, entry) for number, entry in rows[: query.limit]]}
        if len(rows) > query.limit:
            answer["cursor"] = rows[query.limit - 1][0]
        return JSONResponse(answer)

    def _detail(self, body: bytes) -> dict[str, Any]:
        if not body:
            return {}
        if len(body) > DETAIL_LIMIT_BYTES:
            return {"bytes": len(body)}
        try:
            sent = plain(from_json(storable_json(utf8_json(body)), allow_inf_nan=False), "body")
            return {"body": self._container.secrets.hide_in(redacted(sent))}
        except ValueError:
            return {"bytes": len(body)}


def _view(number: str, entry: AuditEntry) -> dict[str, Any]:
    return {
        "id": number,
        "at": rfc3339(entry.at_ms),
        "key": entry.key_id,
        "label": entry.label,
        "tenant": entry.tenant,
        "action": entry.action,
        "target": entry.target,
        "status": entry.status,
        "detail": entry.detail,
    }
