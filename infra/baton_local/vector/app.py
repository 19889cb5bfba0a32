"""The ASGI application: identifies the caller, routes, answers JSON; counters for cost tests, faults on demand.

Invariants: whatever comes in, an answer in JSON goes out, since the SDK reads any body: `{"result": …}`, or
`{"error": text, "status": number}` (vector-rest.md 1). The token is compared in constant time, before a body is
read. The server's own paths are neither counted nor struck by a fault. A dropped answer belongs to a request that was
carried out, as when a connection breaks after the server has acted; a refused one was not.
"""

import asyncio
import logging
import sqlite3
from collections import Counter
from hmac import compare_digest
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_to_bytes

from baton_local.stand_in.api_error import ApiError
from baton_local.stand_in.fault_plan import FaultPlan, PlanForm, Strike
from baton_local.stand_in.http_server import Event, Receive, Send, lose_answer, read_body, send_json
from baton_local.vector.embeddings import EmbedderError, EmbeddingModel
from baton_local.vector.index import Index
from baton_local.vector.operations import LEFT_OUT, OPERATIONS, Request, not_emulated

_OWN_PATHS = {"/readyz", "/admin/counters", "/admin/faults"}
_MAX_REQUEST_BYTES = 100 * 1_024 * 1_024
_FIELDS = {"refuse": "refuse", "drop_answers": "drop", "delay_seconds": "delay_seconds", "delay_answers": "delay"}
FORM = PlanForm({**_FIELDS, "operations": "only"})
_log = logging.getLogger(__name__)


class Api:
    """The HTTP surface over an index; `proof`: what `/readyz` shows, so that its starter knows it among others."""

    def __init__(
        self, index: Index, model: EmbeddingModel | None, token: str, *, faults: bool = False, proof: str | None = None
    ) -> None:
        self._index, self._model, self._token, self._faults = index, model, token.encode(), faults
        self._ready = {"status": "ready"} | ({"proof": proof} if proof else {})
        self._plan, self._requests, self._operations = FaultPlan(), 0, Counter[str]()

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        operation = scope["raw_path"].lstrip(b"/").partition(b"/")[0].decode("latin-1")
        strike = self._plan.next_strike((operation,)) if operation in OPERATIONS else None
        delay_seconds = self._plan.delay_seconds
        if strike is Strike.REFUSE:
            text = "refused by the fault plan (POST /admin/faults); the request was not executed"
            status, answer = _failed(HTTPStatus.SERVICE_UNAVAILABLE, text)
        else:
            status, answer = await self._answered(scope, receive, operation)
        if strike is Strike.DROP:
            await lose_answer(send)
            return
        if strike is Strike.DELAY:
            await asyncio.sleep(delay_seconds)
        await send_json(send, status, answer)

    async def _answered(self, scope: Event, receive: Receive, operation: str) -> tuple[int, dict[str, Any]]:
        try:
            return HTTPStatus.OK, await self._answer(scope, receive, operation)
        except ApiError as error:
            return _failed(error.status, error.message)
        except EmbedderError as error:
            return _failed(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
        except sqlite3.Error as error:
            text = f"cannot write to the data folder ({error}); nothing was stored"
            return _failed(HTTPStatus.SERVICE_UNAVAILABLE, text)
        except Exception:  # noqa: BLE001 - a fault of ours is one bad answer, never a dead server
            _log.exception("%s %s failed", scope["method"], scope["path"])
            return _failed(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error; see the server's log")

    async def _answer(self, scope: Event, receive: Receive, operation: str) -> dict[str, Any]:
        path = scope["raw_path"].decode("latin-1")
        if path == "/readyz":
            return self._ready
        scheme, _, given = dict(scope["headers"]).get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer" or not compare_digest(given.strip(), self._token):
            raise ApiError(HTTPStatus.UNAUTHORIZED, "Unauthorized: Invalid auth token")
        body = await read_body(scope, receive, _MAX_REQUEST_BYTES)
        if path in _OWN_PATHS:
            return self._own(scope["method"], path, body)
        self._requests += 1
        if operation in LEFT_OUT:
            raise not_emulated(f"/{operation}")
        if operation not in OPERATIONS:
            there = ", ".join(f"/{known}" for known in OPERATIONS)
            raise ApiError(HTTPStatus.NOT_FOUND, f"{path[:200]} does not exist; there are {there}")
        everywhere = scope["query_string"].partition(b"=")[0] == b"all"
        request = Request(self._index, self._model, operation, _namespace_of(scope["raw_path"]), body, everywhere)
        result, count = await OPERATIONS[operation](request)
        self._operations[operation] += count
        return {"result": result}

    def _own(self, method: str, path: str, body: bytes) -> dict[str, Any]:
        if path == "/admin/counters":
            by_name = {name: count for name, count in sorted(self._operations.items()) if count}
            operations = self._operations.total()
            return {"http_requests": self._requests, "operations": operations, "operations_by_name": by_name}
        if not self._faults:
            raise ApiError(HTTPStatus.NOT_FOUND, "faults are off; start the server with --faults")
        if method == "POST":
            try:
                self._plan = FORM.read(body)
            except ValueError as error:
                raise ApiError(HTTPStatus.BAD_REQUEST, str(error)) from None
        return FORM.render(self._plan)


def _failed(status: int, message: str) -> tuple[int, dict[str, Any]]:
    return status, {"error": message, "status": int(status)}


def _namespace_of(raw_path: bytes) -> str:
    """Return what follows the operation, percent-decoded."""
    quoted = raw_path.lstrip(b"/").partition(b"/")[2]
    try:
        return unquote_to_bytes(quoted).decode()
    except UnicodeDecodeError:
        text = f"namespace: {quoted[:200]!r} is not percent-encoded UTF-8"
        raise ApiError(HTTPStatus.BAD_REQUEST, text) from None
