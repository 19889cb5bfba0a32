"""Runs commands for HTTP requests, alone, as a pipeline, as a transaction; with `--faults`, struck as planned.

Invariants: whatever happens to the server, each exchange is answered once; nothing is sent to the server twice. A
dropped reply belongs to a command that was executed (redis-rest.md 10); a refused one was not. No coroutine on the way
of a forwarded command: the reply's callback writes the answer.
"""

from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeAlias

from baton_local.redis.commands.command import Answer, Command, Forward, Pipeline, ScanPage, Transaction
from baton_local.redis.commands.prepare import Preparer
from baton_local.redis.link.link import RedisLink, RedisUnavailableError, SideConnections
from baton_local.redis.link.resp import Reply, ServerError, encode_command
from baton_local.redis.rest.counters import Counters
from baton_local.redis.rest.http_connection import Background, Exchange
from baton_local.redis.rest.replies import JSON, RESP2, Answers, Wire
from baton_local.stand_in.fault_plan import FaultPlan, PlanForm, Strike

FORM = PlanForm(
    {
        "refuse": "refuse",
        "drop_replies": "drop",
        "delay_seconds": "delay_seconds",
        "delay_replies": "delay",
        "commands": "only",
        "spare": "spare",
    },
    str.upper,
)


class Faults:
    """The current plan, and how it strikes requests."""

    def __init__(self) -> None:
        self.plan = FaultPlan()

    def strike(self, exchange: Exchange, batch: Iterable[list[bytes]]) -> bool:
        """Apply the plan to one request; whether it is to be refused."""
        strike = self.plan.next_strike(arguments[0].decode("ascii", "replace").upper() for arguments in batch)
        if strike is Strike.DROP:
            exchange.drop_reply = True
        elif strike is Strike.DELAY:
            exchange.delay_seconds = self.plan.delay_seconds
        return strike is Strike.REFUSE


Finish: TypeAlias = Callable[[list[Reply]], None]


class Runner:
    """Between the routes and the link."""

    def __init__(
        self,
        link: RedisLink,
        preparer: Preparer,
        answers: Answers,
        counters: Counters,
        background: Background,
        faults: Faults | None,
    ) -> None:
        self._link, self._preparer, self._answers, self._counters = link, preparer, answers, counters
        self._background, self._faults = background, faults
        self._side = SideConnections(link.address)

    def single(self, exchange: Exchange, wire: Wire, arguments: list[bytes], *, read_only: bool) -> None:
        self._counters.received(arguments)
        if self._faults is not None and self._struck(exchange, [arguments]):
            return
        answers = self._answers
        command = self._preparer.prepare(arguments, read_only=read_only)
        if type(command) is Answer:
            answers.reply(exchange, wire, command.reply)
            return

        def finish(replies: list[Reply]) -> None:
            answers.reply(exchange, wire, replies[0])

        if type(command) is not Forward or command.page is not None:
            self._send(exchange, Pipeline([command]), finish)
            return
        rewrite = command.rewrite

        def done(replies: list[Reply]) -> None:
            answers.reply(exchange, wire, replies[0] if rewrite is None else rewrite(replies[0]))

        self._link.send(encode_command(command.arguments), 1, done, lambda reason: self._lost(exchange, reason))

    def pipeline(self, exchange: Exchange, wire: Wire, batch: list[list[bytes]], *, read_only: bool) -> None:
        """Several commands, each with a result of its own."""
        if self._faults is not None and self._struck(exchange, batch):
            return
        pipeline = Pipeline(self._prepare_all(batch, read_only=read_only))
        self._send(exchange, pipeline, lambda replies: self._answers.batch(exchange, wire, replies))

    def transaction(self, exchange: Exchange, wire: Wire, batch: list[list[bytes]], *, read_only: bool) -> None:
        """Several commands as one MULTI/EXEC."""
        if self._faults is not None and self._struck(exchange, batch):
            return
        json_wire = JSON if wire is RESP2 else wire  # resp2 does not apply to transactions (redis-rest.md 5)
        transaction = Transaction(Pipeline(self._prepare_all(batch, read_only=read_only)))
        refused = transaction.refused()
        if refused is not None:
            self._answers.reply(exchange, json_wire, refused)
            return

        def done(replies: list[Reply]) -> None:
            merged = transaction.merge(replies)
            if isinstance(merged, ServerError):
                self._answers.reply(exchange, json_wire, merged)
            else:
                self._answers.batch(exchange, json_wire, merged)

        self._link.send(
            transaction.frames(), transaction.reply_count, done, lambda reason: self._lost(exchange, reason)
        )

    def _prepare_all(self, batch: list[list[bytes]], *, read_only: bool) -> list[Command]:
        for arguments in batch:
            self._counters.received(arguments)
        return [self._preparer.prepare(arguments, read_only=read_only) for arguments in batch]

    def _struck(self, exchange: Exchange, batch: list[list[bytes]]) -> bool:
        if self._faults is None or not self._faults.strike(exchange, batch):
            return False
        self._answers.fail(
            exchange, 503, "ERR refused by the fault plan (POST /admin/faults); the command was not sent"
        )
        return True

    def _send(self, exchange: Exchange, pipeline: Pipeline, finish: Finish) -> None:
        def done(replies: list[Reply]) -> None:
            merged = pipeline.merge(replies)
            pages = pipeline.short_pages(merged)
            if pages:
                self._start(exchange, self._fill(merged, pages), finish)
            else:
                finish(merged)

        if pipeline.reply_count == 0:
            done([])
        elif pipeline.has_apart:
            self._start(exchange, self._side.call(pipeline.arguments()), done)
        else:
            self._link.send(pipeline.frames(), pipeline.reply_count, done, lambda reason: self._lost(exchange, reason))

    def _start(self, exchange: Exchange, work: Coroutine[Any, Any, list[Reply]], finish: Finish) -> None:
        async def run() -> None:
            try:
                finish(await work)
            except RedisUnavailableError as error:
                self._lost(exchange, str(error))

        self._background.run(exchange, run())

    async def _fill(self, replies: list[Reply], pages: dict[int, ScanPage]) -> list[Reply]:
        """Complete the pages that the server left short; the calls for it are the bridge's own."""
        for position, page in pages.items():
            while True:
                (reply,) = await self._link.call(encode_command(page.next_call()), 1)
                self._counters.own["scan"] += 1
                if not page.take(reply):
                    break
            replies[position] = reply if isinstance(reply, ServerError) else page.reply()
        return replies

    def _lost(self, exchange: Exchange, reason: str) -> None:
        self._answers.fail(exchange, 503, f"ERR {reason}")
