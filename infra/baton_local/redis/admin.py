"""What the bridge answers outside the Redis namespace: readiness, counters, faults.

Invariant: these paths never reach the server as commands, and looking does not change what is counted.
"""

import json

from baton_local.redis.answers import Answers
from baton_local.redis.arguments import MalformedRequestError
from baton_local.redis.counters import READ_STATS, Counters
from baton_local.redis.faults import FORM, Faults
from baton_local.redis.http_connection import Exchange
from baton_local.redis.link import RedisLink
from baton_local.redis.resp import Reply, ServerError, encode_command

_PING = encode_command([b"PING"])


class Admin:
    """Handlers for the bridge's own paths."""

    def __init__(
        self, link: RedisLink, answers: Answers, counters: Counters, faults: Faults | None, proof: str | None
    ) -> None:
        self._link = link
        self._answers = answers
        self._counters = counters
        self._faults = faults
        self._is_ready = json.dumps({"status": "ready"} | ({"proof": proof} if proof else {})).encode()

    def ready(self, exchange: Exchange) -> None:
        """`/readyz`, without a token: 200 when the server answers PING."""

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
        """`/admin/counters`."""

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
        """`/admin/faults`: POST sets the plan, anything else shows what is left of it."""
        if self._faults is None:
            self._answers.fail(exchange, 404, "ERR faults are off; start the bridge with --faults")
            return
        if exchange.request.method == b"POST":
            try:
                self._faults.plan = FORM.read(exchange.request.body)
            except ValueError as error:
                raise MalformedRequestError(str(error)) from None
        self._answers.send(exchange, 200, json.dumps(FORM.show(self._faults.plan)).encode())
