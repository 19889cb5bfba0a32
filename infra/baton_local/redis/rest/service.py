"""The REST API: which request goes where, and what the bridge answers itself: readiness, counters, faults.

Invariants: nothing of a request is parsed before its token has been checked, and every failure is answered in JSON,
for the SDKs retry, and so repeat writes, whatever they cannot read (redis-rest.md 3, 10). The bridge's own paths never
reach the server as commands, and looking does not change what is counted.
"""

import json
import logging
from collections.abc import Callable
from typing import TypeAlias

from baton_local.redis.commands.access import READ_ONLY, UNAUTHORIZED, Access, Tokens
from baton_local.redis.link.link import RedisLink
from baton_local.redis.link.resp import Reply, ServerError, encode_command
from baton_local.redis.rest.arguments import (
    MalformedRequestError,
    command_from_json,
    command_from_path,
    commands_from_json,
    parse_json,
    split_target,
)
from baton_local.redis.rest.counters import READ_STATS, Counters
from baton_local.redis.rest.http_connection import Exchange
from baton_local.redis.rest.replies import Answers, Wire, wire_of
from baton_local.redis.rest.runner import FORM, Faults, Runner
from baton_local.redis.rest.streams import STREAMS, Streams

_PING = encode_command([b"PING"])


class Admin:
    """Handlers for the bridge's own paths."""

    def __init__(
        self, link: RedisLink, answers: Answers, counters: Counters, faults: Faults | None, proof: str | None
    ) -> None:
        self._link, self._answers, self._counters, self._faults = link, answers, counters, faults
        self._is_ready = json.dumps({"status": "ready"} | ({"proof": proof} if proof else {})).encode()

    def ready(self, exchange: Exchange) -> None:
        """Answer `/readyz`, without a token: 200 when the server answers PING."""

        def done(replies: list[Reply]) -> None:
            self._counters.own["ping"] += 1
            if isinstance(replies[0], ServerError):
                lost(replies[0].text.decode("utf-8", "replace"))
            else:
                exchange.respond(200, self._is_ready)

        def lost(reason: str) -> None:
            exchange.respond(503, json.dumps({"status": "unavailable", "error": f"ERR {reason}"}).encode())

        self._link.send(_PING, 1, done, lost)

    def counters(self, exchange: Exchange) -> None:
        def done(replies: list[Reply]) -> None:
            report = self._counters.report(replies[0])
            if isinstance(report, ServerError):
                lost(report.text.decode("utf-8", "replace"))
            else:
                self._answers.send(exchange, 200, report)

        def lost(reason: str) -> None:
            self._answers.fail(exchange, 503, f"ERR {reason}")

        self._link.send(READ_STATS, 1, done, lost)

    def faults(self, exchange: Exchange) -> None:
        """Answer `/admin/faults`: POST sets the plan, anything else shows what is left of it."""
        if self._faults is None:
            self._answers.fail(exchange, 404, "ERR faults are off; start the bridge with --faults")
            return
        if exchange.request.method == b"POST":
            try:
                self._faults.plan = FORM.read(exchange.request.body)
            except ValueError as error:
                raise MalformedRequestError(str(error)) from None
        self._answers.send(exchange, 200, json.dumps(FORM.render(self._faults.plan)).encode())


METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT"})
_WITH_BODY = frozenset({b"POST", b"PUT"})
Parameters: TypeAlias = list[tuple[bytes, bytes | None]]
OwnPath: TypeAlias = Callable[[Exchange], None]

_log = logging.getLogger(__name__)


class Service:
    def __init__(
        self,
        tokens: Tokens,
        runner: Runner,
        streams: Streams,
        answers: Answers,
        counters: Counters,
        limit_bytes: int,
        ready: OwnPath,
        admin: dict[bytes, OwnPath],
    ) -> None:
        self._tokens, self._runner, self._streams, self._answers = tokens, runner, streams, answers
        self._counters, self._limit_bytes, self._ready, self._admin = counters, limit_bytes, ready, admin

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
