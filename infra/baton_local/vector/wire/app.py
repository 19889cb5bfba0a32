"""The ASGI application: identifies the caller, routes, answers JSON.

Invariants: whatever comes in, an answer in JSON goes out, since the SDK reads any body: `{"result": …}`, or
`{"error": text, "status": number}` (vector-rest.md 1). Tokens are compared in constant time, and nothing of a request
is read before its token was checked.
"""

import logging
from dataclasses import dataclass
from enum import Enum
from hmac import compare_digest
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from baton_local.stand_in.api_error import ApiError
from baton_local.stand_in.asgi import Event, Receive, Send, read_body, send_json
from baton_local.vector.engine import Engine
from baton_local.vector.wire.admin import Admin, Counters, Faults
from baton_local.vector.wire.call import Call, send_error
from baton_local.vector.wire.routes import find_route


class Access(Enum):
    """What a token allows."""

    READ = "read"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of one index."""

    token: str
    read_only_token: str | None = None

    def access(self, authorization: bytes) -> Access:
        """Return what the bearer of this header may do.

        Raises:
            ApiError: the token is missing or unknown.
        """
        scheme, _, given = authorization.partition(b" ")
        if scheme.lower() == b"bearer":
            given = given.strip()
            if compare_digest(given, self.token.encode()):
                return Access.FULL
            if self.read_only_token is not None and compare_digest(given, self.read_only_token.encode()):
                return Access.READ
        raise ApiError(HTTPStatus.UNAUTHORIZED, "Unauthorized: Invalid auth token")


def forbidden(path: str) -> ApiError:
    """Return the refusal of what the read-only token may not do (403: not documented, chosen)."""
    return ApiError(HTTPStatus.FORBIDDEN, f"Forbidden: this token may only read; {path} needs the full token")


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
            return self._admin.respond(scope["method"], path, await read_body(scope, receive, limit_bytes))
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
