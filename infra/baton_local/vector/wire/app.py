"""The ASGI application: finds out who asks, routes, answers JSON.

Invariant: whatever comes in, an answer in JSON goes out, since the SDK reads any body: `{"result": …}`, or
`{"error": text, "status": number}` (vector-rest.md 1). Nothing of a request is read before its token was checked.
"""

import logging
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from baton_local.stand_in.api_error import ApiError
from baton_local.stand_in.asgi import Event, Receive, Send, read_body, send_json
from baton_local.vector.engine import Engine
from baton_local.vector.wire.admin import Admin
from baton_local.vector.wire.auth import Access, Tokens, forbidden
from baton_local.vector.wire.call import Call, send_error
from baton_local.vector.wire.counters import Counters
from baton_local.vector.wire.faults import Faults
from baton_local.vector.wire.routes import find_route

METHODS = ("GET", "POST", "PUT", "DELETE")
_READY_PATH = b"/readyz"
_log = logging.getLogger(__name__)


class Api:
    """The HTTP surface over a running engine."""

    def __init__(self, engine: Engine, tokens: Tokens, faults: Faults | None, proof: str | None) -> None:
        self._engine = engine
        self._tokens = tokens
        self._ready = {"status": "ready"} | ({"proof": proof} if proof else {})
        self._counters = Counters()
        self._admin = Admin(engine, self._counters, faults)

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        try:
            answer = await self._answer(scope, receive)
        except ApiError as error:
            await send_error(send, error.status, error.message)
        except Exception:  # noqa: BLE001 - a fault of ours is one bad answer, never a dead server
            _log.exception("%s %s failed", scope["method"], scope["path"])
            await send_error(send, HTTPStatus.INTERNAL_SERVER_ERROR, "internal error; see the server's log")
        else:
            await send_json(send, HTTPStatus.OK, answer)

    async def _answer(self, scope: Event, receive: Receive) -> dict[str, Any]:
        path: bytes = scope["raw_path"]
        if path == _READY_PATH:
            return self._ready
        access = self._tokens.access(dict(scope["headers"]).get(b"authorization", b""))
        if scope["method"] not in METHODS:
            allowed = f"Method {scope['method']} is not allowed; use {', '.join(METHODS)}"
            raise ApiError(HTTPStatus.METHOD_NOT_ALLOWED, allowed)
        limit_bytes = self._engine.limits.max_request_bytes
        if self._admin.serves(path):
            if access is not Access.FULL:
                raise forbidden(path.decode())
            return self._admin.answer(scope["method"], path, await read_body(scope, receive, limit_bytes))
        self._counters.http_requests += 1
        operation, route, namespace = find_route(path)
        if route.changes and access is not Access.FULL:
            raise forbidden(f"/{operation}")
        query = scope["query_string"].decode("latin-1")
        query_keys = frozenset(name for name, _ in parse_qsl(query, keep_blank_values=True))
        call = Call(self._engine, namespace, query_keys, await read_body(scope, receive, limit_bytes))
        answer = await route.handler(call)
        self._counters.succeeded(operation, answer.operations)
        return {"result": answer.result}
