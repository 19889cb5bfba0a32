"""The server's replies as the client gets them: JSON, JSON with base64 strings, or raw RESP2, with a sync token.

Invariants: exactly one of `result` and `error` per reply; errors are never encoded (redis-rest.md 3 to 5). A form that
the service does not have is refused before anything runs. Every answer carries a sync token that no earlier one carried
(redis-rest.md 6); one local server is always current, so the token that a client sends back is not looked at.
"""

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring

from baton_local.redis.link.resp import Reply, ServerError, encode_reply
from baton_local.redis.rest.arguments import MalformedRequestError
from baton_local.redis.rest.counters import Counters
from baton_local.redis.rest.http_connection import Exchange


def text_json(text: bytes) -> bytes:
    """Return a JSON string; what is not UTF-8 becomes U+FFFD."""
    return encode_basestring(text.decode("utf-8", "replace")).encode()


def error_body(text: str) -> bytes:
    """Return the body of a failure that the bridge itself reports."""
    return b'{"error":' + text_json(text.encode()) + b"}"


def member(reply: Reply, *, base64: bool) -> bytes:
    """Return `{"result": …}` or `{"error": …}` for one reply."""
    if isinstance(reply, bytes):
        if not base64:
            return b'{"result":' + text_json(reply) + b"}"
        # Bare `OK` only where it is the whole result: JavaScript decodes all strings inside arrays (redis-rest.md 4).
        return b'{"result":"' + (reply if reply == b"OK" else b64encode(reply)) + b'"}'
    if isinstance(reply, ServerError):
        return b'{"error":' + text_json(reply.text) + b"}"
    return b'{"result":' + _value(reply, base64=base64) + b"}"


def _value(reply: Reply, *, base64: bool) -> bytes:
    if isinstance(reply, bytes):
        return b'"' + b64encode(reply) + b'"' if base64 else text_json(reply)
    if reply is None:
        return b"null"
    if isinstance(reply, int):
        return b"%d" % reply
    if isinstance(reply, ServerError):
        return b'{"error":' + text_json(reply.text) + b"}"
    return b"[" + b",".join([_value(item, base64=base64) for item in reply]) + b"]"


@dataclass(frozen=True, slots=True)
class Wire:
    """How replies are written."""

    base64: bool = False
    resp2: bool = False

    @property
    def content_type(self) -> bytes:
        """The header that goes with the bodies below."""
        return b"application/octet-stream" if self.resp2 else b"application/json"

    def single(self, reply: Reply) -> bytes:
        return encode_reply(reply) if self.resp2 else member(reply, base64=self.base64)

    def batch(self, replies: list[Reply]) -> bytes:
        """Return the body for a pipeline or a transaction."""
        if self.resp2:
            return b"".join(map(encode_reply, replies))
        return b"[" + b",".join([member(reply, base64=self.base64) for reply in replies]) + b"]"


JSON = Wire()
JSON_BASE64 = Wire(base64=True)
RESP2 = Wire(resp2=True)


def wire_of(headers: Mapping[bytes, bytes]) -> Wire:
    """Return the form that the request's headers ask for (redis-rest.md 4 and 5).

    Raises MalformedRequestError: an unknown format, or base64 together with resp2.
    """
    encoding = headers.get(b"upstash-encoding")
    base64 = encoding is not None and (encoding == b"base64" or encoding.lower() == b"base64")
    response_format = headers.get(b"upstash-response-format")
    if response_format is None or response_format.lower() == b"json":
        return JSON_BASE64 if base64 else JSON
    if response_format.lower() != b"resp2":
        shown = response_format[:64].decode("ascii", "replace")
        raise MalformedRequestError(f"unknown Upstash-Response-Format {shown!r}; use json or resp2")
    if base64:
        raise MalformedRequestError("Upstash-Encoding: base64 cannot be combined with Upstash-Response-Format: resp2")
    return RESP2


_UNAVAILABLE_CODES = frozenset({b"LOADING", b"MASTERDOWN"})


class Answers:
    def __init__(self, token_prefix: bytes, counters: Counters) -> None:
        self._counters = counters
        self._token_head = b"Upstash-Sync-Token: " + token_prefix
        self._count = 0

    def send(self, exchange: Exchange, status: int, body: bytes, content_type: bytes = b"application/json") -> None:
        self._count += 1
        token = b"%b%d\r\n" % (self._token_head, self._count)
        if exchange.drop_reply:
            exchange.drop()
        elif exchange.delay_seconds:
            loop = asyncio.get_running_loop()
            loop.call_later(exchange.delay_seconds, exchange.respond, status, body, content_type, token)
        else:
            exchange.respond(status, body, content_type, token)

    def reply(self, exchange: Exchange, wire: Wire, reply: Reply) -> None:
        self._counters.sent(reply)
        status = 200
        if type(reply) is ServerError:
            status = 503 if reply.code in _UNAVAILABLE_CODES else 400
        self.send(exchange, status, wire.single(reply), wire.content_type)

    def batch(self, exchange: Exchange, wire: Wire, replies: list[Reply]) -> None:
        """Answer with the replies of a batch, whatever its members did."""
        for reply in replies:
            self._counters.sent(reply)
        self.send(exchange, 200, wire.batch(replies), wire.content_type)

    def fail(self, exchange: Exchange, status: int, text: str) -> None:
        """Answer with an error of the bridge's own, always JSON."""
        self.send(exchange, status, error_body(text))
