"""The last step of every request: status, body and sync token to the client.

Invariant: every answer carries a sync token that no earlier one carried (redis-rest.md 6); one local server is always
current, so the token that a client sends back is not looked at.
"""

import asyncio

from baton_local.redis.counters import Counters
from baton_local.redis.http_connection import Exchange
from baton_local.redis.reply import error_body
from baton_local.redis.resp import Reply, ServerError
from baton_local.redis.wire import Wire

_UNAVAILABLE_CODES = frozenset({b"LOADING", b"MASTERDOWN"})


class Answers:
    """Writes answers to exchanges."""

    def __init__(self, token_prefix: bytes, counters: Counters) -> None:
        self._counters = counters
        self._token_head = b"Upstash-Sync-Token: " + token_prefix
        self._count = 0

    def send(self, exchange: Exchange, status: int, body: bytes, content_type: bytes = b"application/json") -> None:
        """Answer with a finished body."""
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
        """Answer with one reply of the server."""
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
