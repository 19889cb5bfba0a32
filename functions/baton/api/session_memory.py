"""A session's memory over HTTP: forget it on request."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.api.auth import Keys
from baton.api.session_path import session_of
from baton.container import Container


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
        tenant, session_id = session_of(request, await self._keys.authenticate(request))
        now_ms = self._container.ports.clock.now_ms()
        forgotten = await self._container.memory.forget(tenant, session_id, now_ms)
        counts = {"session": forgotten.session, "longTerm": forgotten.long_term}
        return JSONResponse({"sessionId": session_id, "forgotten": counts})
