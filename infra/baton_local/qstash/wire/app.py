"""The ASGI application: reads a request within bounds, identifies the caller, routes, answers JSON.

Invariant: whatever comes in, an answer goes out, and every error body is `{"error": text}` (qstash.md 1). 429 comes as
the hosted service answers it (qstash.md 20), off unless set; its headers tell the SDKs which limit it was.
"""

import logging
from collections import Counter
from collections.abc import Iterable
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import parse_qsl, urlsplit

from baton_local.qstash.core.answer import Answer, Request
from baton_local.qstash.core.commands.publishing import publish_batch
from baton_local.qstash.core.headers import HeaderMap
from baton_local.qstash.core.limits import DAY_MS
from baton_local.qstash.core.state import Tenant
from baton_local.qstash.engine import Engine
from baton_local.qstash.group_commit import EngineStoppedError
from baton_local.qstash.settings import Caller, Callers, Settings
from baton_local.qstash.wire.routes import Route, Router
from baton_local.stand_in.api_error import ApiError
from baton_local.stand_in.http_server import Event, Receive, Send, read_body, send_json


class RateLimits:
    """Counts calls and messages per user."""

    def __init__(self, calls_per_second: int | None, messages_per_day: int | None) -> None:
        self._calls_per_second, self._messages_per_day = calls_per_second, messages_per_day
        self._calls: Counter[str] = Counter()
        self._windows: dict[tuple[str, str], tuple[int, int]] = {}  # when one began, and what was counted before it

    def check(self, tenant: Tenant, route: Route, now_ms: int) -> None:
        """Count the call; raise 429 if it is one too many."""
        if route.publishes:
            day_ms, published = now_ms - now_ms % DAY_MS, tenant.counters["published"]
            self._bound("RateLimit", self._messages_per_day, tenant.user, published, day_ms, DAY_MS)
        else:
            self._bound("Burst-RateLimit", self._calls_per_second, tenant.user, self._calls[tenant.user], now_ms, 1_000)
            self._calls[tenant.user] += 1

    def _bound(self, kind: str, limit: int | None, user: str, count: int, now_ms: int, length_ms: int) -> None:
        if limit is None:
            return
        start_ms, before = self._windows.get((kind, user), (now_ms - length_ms, 0))
        if now_ms - start_ms >= length_ms:
            start_ms, before = self._windows[kind, user] = now_ms, count
        if count - before >= limit:
            raise _too_many(kind, limit, start_ms + length_ms)


def _too_many(prefix: str, limit: int, reset_ms: int) -> ApiError:
    reset_seconds = -(-reset_ms // 1_000)
    headers = {"Limit": str(limit), "Remaining": "0", "Reset": str(reset_seconds)}
    return ApiError(
        HTTPStatus.TOO_MANY_REQUESTS,
        f"more than {limit} in the window; try again at {reset_seconds} (Unix seconds)",
        tuple((f"{prefix}-{name}", value) for name, value in headers.items()),
    )


_READY_PATH = "/readyz"
_log = logging.getLogger(__name__)


class Api:
    """The HTTP surface over a running engine."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._callers = Callers(settings.users)
        self._proof = settings.proof
        self._rates = RateLimits(settings.max_calls_per_second, settings.max_messages_per_day)
        self._router = Router()

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        try:
            answer = await self._answer(scope, receive)
        except ApiError as error:
            answer = Answer(error.status, {"error": error.message}, error.headers)
        except EngineStoppedError as error:
            answer = Answer(HTTPStatus.SERVICE_UNAVAILABLE, {"error": str(error)})
        except Exception:  # noqa: BLE001 - a fault of ours is one bad answer, never a dead server
            _log.exception("%s %s failed", scope["method"], scope["path"])
            answer = Answer(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "internal error; see the server's log"})
        await send_json(send, answer.status, answer.body, answer.headers)

    async def _answer(self, scope: Event, receive: Receive) -> Answer:
        raw_path = scope["raw_path"].decode("latin-1")
        if raw_path == _READY_PATH:
            return self._ready()
        headers = _headers(scope["headers"])
        query = scope["query_string"].decode("latin-1")
        caller = self._identify(headers, query)
        route, params = self._router.match(scope["method"], raw_path)
        _authorise(caller, route, headers)
        self._rates.check(self._engine.state.tenant(caller.user_id), route, self._engine.clock.now_ms())
        limits = self._engine.state.limits
        limit_bytes = limits.max_batch_bytes if route.command is publish_batch else limits.max_message_bytes
        body = await read_body(scope, receive, limit_bytes)
        client = scope.get("client")
        request = Request(params, query, headers, body, client[0] if client else None)
        answer = await route.respond(self._engine, caller.user_id, request)
        if not route.changes:
            await self._engine.shown()
        return answer

    def _ready(self) -> Answer:
        self._engine.check_running()
        return Answer(HTTPStatus.OK, {"ready": True} | ({"proof": self._proof} if self._proof else {}))

    def _identify(self, headers: HeaderMap, query: str) -> Caller:
        scheme, _, token = headers.get("authorization", [""])[0].partition(" ")
        if scheme.lower() != "bearer":
            token = next((value for name, value in parse_qsl(query) if name == "qstash_token"), "")
        caller = self._callers.identify(token.strip())
        if caller is None:
            raise ApiError(
                HTTPStatus.UNAUTHORIZED, "unknown or missing token; send 'Authorization: Bearer <QSTASH_TOKEN>'"
            )
        return caller


def _authorise(caller: Caller, route: Route, headers: HeaderMap) -> None:
    if caller.published and not all(_is_of_this_machine(origin) for origin in headers.get("origin", ())):
        raise ApiError(
            HTTPStatus.FORBIDDEN,
            f"a page of {headers['origin'][0][:200]!r} may not use the published development token; start the server "
            "with --token",
        )
    if route.changes and not caller.may_write:
        raise ApiError(HTTPStatus.FORBIDDEN, "this token may only read; use the full token for changes")


def _is_of_this_machine(origin: str) -> bool:
    try:
        host = urlsplit(origin).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> HeaderMap:
    result: HeaderMap = {}
    for name, value in raw:
        result.setdefault(name.decode("latin-1").lower(), []).append(_text(value))
    return result


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
