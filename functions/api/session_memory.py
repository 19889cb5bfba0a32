"""A session's memory over HTTP: forget it on request."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from functions.api.auth import Keys
from functions.api.problem import ApiError
from functions.container import Container

_SESSION_LIMIT_CHARS = 200


class SessionMemoryApi:
    """Endpoints of sessions' memory."""

    def __init__(self, container: Container, keys: Keys) -> None:
        self._container = container
        self._keys = keys

    async def forget(self, request: Request) -> Response:
        """`DELETE /api/sessions/{id}/memory` → 200 and how many entries there were; repeatable, also of an unknown id.

        Raises:
            ApiError: 403, a client key names another tenant with `?tenant=`. StoreError, MemoryUnavailableError: 503,
                it may be forgotten in part, and is to be asked again.
        """
        principal = await self._keys.authenticate(request)
        session_id = request.path_params["session_id"]
        tenant = request.query_params.get("tenant", principal.tenant)
        if not principal.may_see(tenant):
            raise ApiError(403, f"the sessions of tenant {tenant!r} belong to another tenant")
        if not 1 <= len(session_id) <= _SESSION_LIMIT_CHARS:
            raise ApiError(404, f"a session's id has 1 to {_SESSION_LIMIT_CHARS} characters, not {len(session_id)}")
        now_ms = self._container.ports.clock.now_ms()
        forgotten = await self._container.memory.forget(tenant, session_id, now_ms)
        counts = {"session": forgotten.session, "longTerm": forgotten.long_term}
        return JSONResponse({"sessionId": session_id, "forgotten": counts})
