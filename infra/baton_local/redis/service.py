"""From HTTP requests to commands and back; streams of events; the bridge's own paths: readiness, counters, faults.

Invariants: nothing of a request is parsed before its token, compared in constant time, has been checked. Every request
is answered once, and every failure in JSON, for the SDKs retry, and so repeat writes, whatever they cannot read
(redis-rest.md 3, 10). The bridge's own paths never reach the server as commands, and looking does not change what is
counted. Every answer carries a sync token that no earlier one carried (redis-rest.md 6); one local server is always
current, so the token that a client sends back is not looked at. A dropped reply belongs to a command that was executed
(redis-rest.md 10); a refused one was not.
"""

import asyncio
import contextlib
import json
import logging
import secrets
from dataclasses import asdict
from hmac import compare_digest

from baton_local.redis import forms
from baton_local.redis.commands import READ_ONLY, Commands
from baton_local.redis.counters import READ_STATS, Counters
from baton_local.redis.http_connection import REQUEST_LIMIT_BYTES, Answer, HttpConnection, Request
from baton_local.redis.resp import Reply, ServerError
from baton_local.redis.server import RedisUnavailableError, Server, ServerAddress
from baton_local.stand_in.api_error import ApiError
from baton_local.stand_in.fault_plan import FaultPlan, Strike, read_plan

METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT"})
_WITH_BODY = frozenset({b"POST", b"PUT"})
_BATCHES = frozenset({b"pipeline", b"multi-exec"})
_STREAMS = frozenset({b"subscribe", b"psubscribe", b"monitor"})
_READY, _COUNTERS, _FAULTS = b"readyz", b"admin/counters", b"admin/faults"
_OWN = frozenset({_READY, _COUNTERS, _FAULTS})
_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nConnection: close\r\n"
    b"X-Accel-Buffering: no\r\n\r\n"
)
_STREAM_PING = b": ping\n\n"
_PING_INTERVAL_SECONDS = 15.0

_log = logging.getLogger(__name__)


class Service:
    """Answers requests in front of a server; `proof` is what `/readyz` shows, so that its starter knows it."""

    def __init__(
        self, address: ServerAddress, token: str, read_only_token: str | None, *, faults: bool, proof: str | None
    ) -> None:
        self._token, self._read_only_token = token.encode(), (read_only_token or "").encode()
        self._plan = FaultPlan() if faults else None
        self._is_ready = json.dumps({"status": "ready"} | ({"proof": proof} if proof else {})).encode()
        self._counters = Counters()
        self.server = Server(address, self._counters.greeted)
        self._commands = Commands(self.server.call, self.server.call_apart, self._counters)
        self._sync_token = b"Upstash-Sync-Token: " + secrets.token_hex(4).encode()
        self._answers = 0

    async def handle(self, request: Request, connection: HttpConnection) -> Answer | None:
        """Answer one request; None: the connection was written to, or is broken."""
        answer: Answer | None
        try:
            path, parameters = forms.split_target(request.target) if request.target != b"/" else (b"", [])
            read_only = self._may_only_read(request, path, parameters)
            if path in _OWN:
                answer = await self._own(request, path)
            elif path.partition(b"/")[0].lower() in _STREAMS:
                answer = await self._stream(request, connection, path, read_only=read_only)
            else:
                answer = await self._run(request, connection, path, parameters, read_only=read_only)
        except ApiError as error:
            answer = _failure(error.status, error.message)
        except forms.MalformedRequestError as error:
            answer = _failure(400, f"ERR {error}")
        except RedisUnavailableError as error:
            answer = _failure(503, f"ERR {error}")
        except Exception:  # noqa: BLE001 - whatever it is, the client must get JSON
            _log.exception("a request failed in the bridge")
            answer = _failure(500, "ERR internal error of the bridge; see its log")
        if answer is not None:
            self._answers += 1
            answer.lines = b"%b-%d\r\n" % (self._sync_token, self._answers)
        return answer

    async def ready(self) -> None:
        """Return if a command would succeed. Raises RedisUnavailableError: none would."""
        await self._asked([b"PING"])
        self._counters.own["ping"] += 1

    async def _asked(self, command: list[bytes]) -> Reply:
        (reply,) = await self.server.call([command])
        if isinstance(reply, ServerError):
            raise RedisUnavailableError(reply.text.decode("utf-8", "replace"))
        return reply

    def _may_only_read(self, request: Request, path: bytes, parameters: forms.Parameters) -> bool:
        if not request.method:
            raise ApiError(400, "ERR the HTTP request could not be parsed")
        if path == _READY:
            return True
        token = _token_of(request, parameters)
        read_only = not compare_digest(token, self._token)
        if not token or (read_only and not compare_digest(token, self._read_only_token)):
            raise ApiError(401, "WRONGPASS invalid or missing auth token")
        if request.method not in METHODS:
            shown = request.method.decode("ascii", "replace")
            raise ApiError(405, f"ERR method {shown} is not allowed; use GET, HEAD, POST or PUT")
        if read_only and path in _OWN:
            raise ApiError(400, f"{READ_ONLY}; it cannot use the bridge's own paths")
        return read_only

    async def _run(
        self,
        request: Request,
        connection: HttpConnection,
        path: bytes,
        parameters: forms.Parameters,
        *,
        read_only: bool,
    ) -> Answer:
        self._counters.http_requests += 1
        if request.size_bytes > REQUEST_LIMIT_BYTES:
            limits = f"Limit: {REQUEST_LIMIT_BYTES} bytes, Actual: {request.size_bytes} bytes"
            raise forms.MalformedRequestError(f"max request size exceeded. {limits}")
        retry = request.headers.get(b"upstash-telemetry-retry")
        if retry is not None:  # the SDK repeats a command whose reply it lost (redis-rest.md 10)
            _log.info("a client's retry number %s", retry[:20].decode("ascii", "replace"))
        wire, endpoint = forms.wire_of(request.headers), path.rstrip(b"/").lower()
        batch = _batch_of(endpoint, path, parameters, request.body if request.method in _WITH_BODY else b"")
        strike = None
        if self._plan is not None:
            strike = self._plan.next_strike(arguments[0].decode("ascii", "replace") for arguments in batch)
            if strike is Strike.REFUSE:
                raise ApiError(503, "ERR refused by the fault plan (POST /admin/faults); the command was not sent")
        replies: list[Reply] | ServerError
        if endpoint == b"multi-exec":
            wire = forms.JSON if wire is forms.RESP2 else wire  # resp2 does not apply to transactions (redis-rest.md 5)
            replies = await self._commands.run_at_once(batch, read_only=read_only)
        else:
            replies = await self._commands.run(batch, read_only=read_only)
        if strike is Strike.DELAY and self._plan is not None:
            await asyncio.sleep(self._plan.delay_seconds)
        elif strike is Strike.DROP:
            connection.abort()
        if isinstance(replies, ServerError):
            return self._replied(wire, replies)
        if endpoint not in _BATCHES:
            return self._replied(wire, replies[0])
        for reply in replies:
            self._counters.sent(reply)
        return Answer(200, wire.batch(replies), wire.content_type)

    def _replied(self, wire: forms.Wire, reply: Reply) -> Answer:
        self._counters.sent(reply)
        status = 200
        if isinstance(reply, ServerError):
            status = 503 if reply.is_for_later else 400
        return Answer(status, wire.single(reply), wire.content_type)

    async def _own(self, request: Request, path: bytes) -> Answer:
        """Answer one of the bridge's own paths; of the faults, POST sets the plan, and all show what is left of it."""
        if path == _READY:
            try:
                await self.ready()
            except RedisUnavailableError as error:
                return Answer(503, json.dumps({"status": "unavailable", "error": f"ERR {error}"}).encode())
            return Answer(200, self._is_ready)
        if path == _COUNTERS:
            return Answer(200, self._counters.report(await self._asked(READ_STATS)))
        if self._plan is None:
            raise ApiError(404, "ERR faults are off; start the bridge with --faults")
        if request.method == b"POST":
            try:
                self._plan = read_plan(request.body)
            except ValueError as error:
                raise forms.MalformedRequestError(str(error)) from None
        return Answer(200, json.dumps(asdict(self._plan)).encode())

    async def _stream(
        self, request: Request, connection: HttpConnection, path: bytes, *, read_only: bool
    ) -> Answer | None:
        """Send what the server does after the command of the path as events.

        A stream has a connection to the server of its own, and a client that reads slowly slows its own stream only.
        """
        self._counters.http_requests += 1
        self._counters.commands_received += 1
        command = forms.command_from_path(path, [], b"")
        name = command[0].lower().decode()
        channels = [argument for argument in command[1:] if argument]
        if request.method == b"HEAD":
            raise ApiError(405, "ERR a stream has a body; use GET or POST")
        if name == "monitor" and read_only:
            raise ApiError(400, f"{READ_ONLY}; it cannot run the 'monitor' command")
        if bool(channels) is (name == "monitor"):
            how = "POST /monitor" if name == "monitor" else f"POST /{name}/<channel>"
            raise ApiError(400, f"ERR wrong number of arguments for '{name}'; use {how}")
        server = await self.server.connect()
        try:
            (reply,) = await server.call([[command[0], *channels]])
            if isinstance(reply, ServerError):
                return self._replied(forms.JSON, reply)
            await connection.write(_STREAM_HEAD + forms.event(reply))
            with contextlib.suppress(RedisUnavailableError):
                while True:
                    coming = server.replies(1)
                    while not (await asyncio.wait({coming}, timeout=_PING_INTERVAL_SECONDS))[0]:
                        await connection.write(_STREAM_PING)
                    await connection.write(forms.event(coming.result()[0]))
            return None
        finally:
            server.close()


def _token_of(request: Request, parameters: forms.Parameters) -> bytes:
    """Return what the caller gave; the header wins over the query parameter (redis-rest.md 2)."""
    header = request.headers.get(b"authorization")
    if header is None:
        return next((value or b"" for name, value in parameters if name == b"_token"), b"")
    scheme, _, credentials = header.partition(b" ")
    return credentials.strip() if scheme.lower() == b"bearer" else b""


def _batch_of(endpoint: bytes, path: bytes, parameters: forms.Parameters, body: bytes) -> list[list[bytes]]:
    """Return the commands of a request, one but for `_BATCHES`."""
    if endpoint in _BATCHES:
        return forms.commands_from_json(forms.parse_json(body))
    if path:
        return [forms.command_from_path(path, parameters, body)]
    if body:
        return [forms.command_from_json(forms.parse_json(body))]
    raise forms.MalformedRequestError('no command: POST one as a JSON array such as ["PING"], or put it in the path')


def _failure(status: int, text: str) -> Answer:
    return Answer(status, forms.error_body(text))
