"""Runs commands for HTTP requests: alone, as a pipeline, as a transaction.

Invariant: whatever happens to the server, each exchange is answered once; nothing is sent to the server twice.
No coroutine on the way of a forwarded command: the reply's callback writes the answer.
"""

from collections.abc import Callable

from infra.local_redis.answers import Answers
from infra.local_redis.background import Background
from infra.local_redis.batch import Pipeline, Transaction
from infra.local_redis.command import Answer, Apart, Command, Forward
from infra.local_redis.counters import Counters
from infra.local_redis.http_connection import Exchange
from infra.local_redis.link import RedisLink, RedisUnavailableError
from infra.local_redis.prepare import Preparer
from infra.local_redis.resp import Reply, ServerError, encode_command
from infra.local_redis.side import SideConnections
from infra.local_redis.wire import JSON, RESP2, Wire


class Runner:
    """Between the routes and the link."""

    def __init__(
        self, link: RedisLink, preparer: Preparer, answers: Answers, counters: Counters, background: Background
    ) -> None:
        self._link = link
        self._preparer = preparer
        self._answers = answers
        self._counters = counters
        self._background = background
        self._side = SideConnections(link.address)

    def single(self, exchange: Exchange, wire: Wire, arguments: list[bytes], *, read_only: bool) -> None:
        """One command."""
        self._counters.commands_received += 1
        answers = self._answers
        command = self._preparer.prepare(arguments, read_only=read_only)
        if type(command) is Answer:
            answers.reply(exchange, wire, command.reply)
            return
        if type(command) is Apart:
            self._run_apart(exchange, [command], lambda replies: answers.reply(exchange, wire, replies[0]))
            return
        assert type(command) is Forward
        rewrite = command.rewrite

        def done(replies: list[Reply]) -> None:
            answers.reply(exchange, wire, replies[0] if rewrite is None else rewrite(replies[0]))

        self._link.send(encode_command(command.arguments), 1, done, lambda reason: self._lost(exchange, reason))

    def pipeline(self, exchange: Exchange, wire: Wire, batch: list[list[bytes]], *, read_only: bool) -> None:
        """Several commands, each with a result of its own."""
        pipeline = Pipeline(self._prepare_all(batch, read_only=read_only))

        def done(replies: list[Reply]) -> None:
            self._answers.batch(exchange, wire, pipeline.merge(replies))

        if pipeline.count == 0:
            done([])
        elif any(type(command) is Apart for command in pipeline.commands):
            self._run_apart(exchange, pipeline.commands, done)
        else:
            self._link.send(pipeline.frames(), pipeline.count, done, lambda reason: self._lost(exchange, reason))

    def transaction(self, exchange: Exchange, wire: Wire, batch: list[list[bytes]], *, read_only: bool) -> None:
        """Several commands as one MULTI/EXEC."""
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

        self._link.send(transaction.frames(), transaction.count, done, lambda reason: self._lost(exchange, reason))

    def _prepare_all(self, batch: list[list[bytes]], *, read_only: bool) -> list[Command]:
        self._counters.commands_received += len(batch)
        return [self._preparer.prepare(arguments, read_only=read_only) for arguments in batch]

    def _run_apart(self, exchange: Exchange, commands: list[Command], done: Callable[[list[Reply]], None]) -> None:
        arguments = [command.arguments for command in commands if not isinstance(command, Answer)]
        self._background.run(exchange, self._apart(exchange, arguments, done))

    async def _apart(
        self, exchange: Exchange, arguments: list[list[bytes]], done: Callable[[list[Reply]], None]
    ) -> None:
        try:
            done(await self._side.call(arguments))
        except RedisUnavailableError as error:
            self._lost(exchange, str(error))

    def _lost(self, exchange: Exchange, reason: str) -> None:
        self._answers.fail(exchange, 503, f"ERR {reason}")
