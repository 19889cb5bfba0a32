"""The REST API: which request goes where.

Invariant: nothing of a request is parsed before its token has been checked, and every failure is answered in JSON,
for the SDKs retry, and so repeat writes, whatever they cannot read (redis-rest.md 3, 10).
"""

import logging
from collections.abc import Callable
from typing import TypeAlias

from baton_local.redis.answers import Answers
from baton_local.redis.arguments import (
    MalformedRequestError,
    command_from_json,
    command_from_path,
    commands_from_json,
    parse_json,
    split_target,
)
from baton_local.redis.auth import READ_ONLY, UNAUTHORIZED, Access, Tokens
from baton_local.redis.counters import Counters
from baton_local.redis.http_connection import Exchange
from baton_local.redis.runner import Runner
from baton_local.redis.streams import STREAMS, Streams
from baton_local.redis.wire import Wire, wire_of

METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT"})
_WITH_BODY = frozenset({b"POST", b"PUT"})
Parameters: TypeAlias = list[tuple[bytes, bytes | None]]
Admin: TypeAlias = Callable[[Exchange], None]

_log = logging.getLogger(__name__)


class Service:
    """Routes requests."""

    def __init__(
        self,
        tokens: Tokens,
        runner: Runner,
        streams: Streams,
        answers: Answers,
        counters: Counters,
        limit_bytes: int,
        ready: Admin,
        admin: dict[bytes, Admin],
    ) -> None:
        self._tokens = tokens
        self._runner = runner
        self._streams = streams
        self._answers = answers
        self._counters = counters
        self._limit_bytes = limit_bytes
        self._ready = ready
        self._admin = admin

    def handle(self, exchange: Exchange) -> None:
        """Answer one request, now or later."""
        try:
            self._route(exchange)
        except MalformedRequestError as error:
            self._answers.fail(exchange, 400, f"ERR {error}")
        except Exception:  # noqa: BLE001 - whatever it is, the client must get JSON
            _log.exception("a request failed in the bridge")
            self._answers.fail(exchange, 500, "ERR internal error of the bridge; see its log")

    def _route(self, exchange: Exchange) -> None:
        request = exchange.request
        path: bytes = b""
        parameters: Parameters = []
        if request.target != b"/":
            path, parameters = split_target(request.target)
            if path == b"readyz":
                self._ready(exchange)
                return
        token = next((value for name, value in parameters if name == b"_token"), None)
        access = self._tokens.access(request.headers.get(b"authorization"), token)
        if access is Access.NONE:
            self._answers.fail(exchange, 401, UNAUTHORIZED)
            return
        if request.method not in METHODS:
            shown = request.method.decode("ascii", "replace")
            self._answers.fail(exchange, 405, f"ERR method {shown} is not allowed; use GET, HEAD, POST or PUT")
            return
        if path in self._admin:
            if access is not Access.FULL:
                self._answers.fail(exchange, 400, f"{READ_ONLY}; it cannot use the bridge's own paths")
            else:
                self._admin[path](exchange)
            return
        self._run(exchange, path, parameters, read_only=access is Access.READ)

    def _run(self, exchange: Exchange, path: bytes, parameters: Parameters, *, read_only: bool) -> None:
        self._counters.http_requests += 1
        request = exchange.request
        if request.too_large:
            limits = f"Limit: {self._limit_bytes} bytes, Actual: {request.size_bytes} bytes"
            raise MalformedRequestError(f"max request size exceeded. {limits}")
        retry = request.headers.get(b"upstash-telemetry-retry")
        if retry is not None:  # the SDK repeats a command whose reply it lost (redis-rest.md 10)
            _log.info("a client's retry number %s", retry[:20].decode("ascii", "replace"))
        wire = wire_of(request.headers)
        body = request.body if request.method in _WITH_BODY else b""
        if not path:
            self._root(exchange, wire, body, read_only=read_only)
            return
        if path.partition(b"/")[0].lower() in STREAMS:
            self._counters.commands_received += 1
            self._streams.open(exchange, command_from_path(path, [], b""), read_only=read_only)
            return
        endpoint = path.rstrip(b"/").lower()
        if endpoint == b"pipeline":
            self._runner.pipeline(exchange, wire, commands_from_json(parse_json(body)), read_only=read_only)
        elif endpoint == b"multi-exec":
            self._runner.transaction(exchange, wire, commands_from_json(parse_json(body)), read_only=read_only)
        else:
            self._runner.single(exchange, wire, command_from_path(path, parameters, body), read_only=read_only)

    def _root(self, exchange: Exchange, wire: Wire, body: bytes, *, read_only: bool) -> None:
        if not body:
            raise MalformedRequestError('no command: POST one as a JSON array such as ["PING"], or put it in the path')
        self._runner.single(exchange, wire, command_from_json(parse_json(body)), read_only=read_only)
