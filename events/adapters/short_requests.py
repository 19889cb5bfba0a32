"""Asks for short COMMITs: those of one job's calls at once that are ready at the same time are one script.

Invariant: nothing waits for another that is not ready in the same round of the event loop. They are done in the order
of asking, up to one that may not be done so. Each asker gets its own answer; whatever goes wrong is told to all of
them. Must not: repeat anything.
"""

import asyncio
from collections.abc import Sequence
from functools import cache

from msgspec import Struct

from events.adapters import keys
from events.adapters.counting import Commands, cost_of, in_sum
from events.adapters.redis import RedisConnection, script
from events.adapters.short_commits import ShortCommit
from events.adapters.weighing import command_bytes
from events.errors import StoreError
from events.ports import Spent

# Below what a request may carry in all (redis_commands.py).
_MOST, _SIZE_BYTES = 64, 500_000

_text = cache(script)


class _Ask(Struct, frozen=True):
    """What one of them adds to the script's arguments, and what is counted beside it."""

    arguments: Sequence[str | int]
    beside: Commands


class _Together:
    """Those of a job that are to be one script."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.asks: list[_Ask] = []
        self._answers: list[asyncio.Future[bool | None]] = []
        self._size_bytes = 0

    def takes(self, size_bytes: int) -> bool:
        """Whether so much more still fits in a request, and may wait for it here."""
        fits = len(self.asks) < _MOST and self._size_bytes + size_bytes <= _SIZE_BYTES
        return (fits or not self.asks) and self._loop is asyncio.get_running_loop()

    def add(self, ask: _Ask, answer: "asyncio.Future[bool | None]", size_bytes: int) -> None:
        """One more, and who waits for its answer."""
        self.asks.append(ask)
        self._answers.append(answer)
        self._size_bytes += size_bytes

    def end(self, task: "asyncio.Task[list[bool | None]]") -> None:
        """Each is told its answer, or what went wrong."""
        error = StoreError("a COMMIT was given up while it was asked for") if task.cancelled() else task.exception()
        for number, answer in enumerate(self._answers):
            if answer.done():
                continue
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(task.result()[number])


class ShortRequests:
    """Asks for short COMMITs over one connection."""

    def __init__(self, redis: RedisConnection) -> None:
        self._redis = redis
        self._ready: dict[str, _Together] = {}
        self._tasks = set[asyncio.Task[list[bool | None]]]()

    async def ask(self, short: ShortCommit, spent: Spent, beside: Commands, *, alone: bool) -> bool | None:
        """Whether it was followed. None: nothing was done, and the longer script is to be asked.

        Args:
            short: the COMMIT.
            spent: what its invocation has used.
            beside: what is counted beside it.
            alone: nobody here is at work on another call of the job, who might be about to ask.

        Raises:
            StoreError: it was done or not.
        """
        job_id = short.claim.job_id
        ask, together = _Ask(short.arguments(spent), beside), self._ready.get(job_id)
        if together is None and alone:
            return (await self._asked(job_id, (ask,)))[0]
        loop, size_bytes = asyncio.get_running_loop(), command_bytes(ask.arguments)
        if together is None or not together.takes(size_bytes):
            together = self._ready[job_id] = _Together(loop)
            # A task of its own: who was first may be cancelled, and the others are not.
            task = loop.create_task(self._all_asked(job_id, together))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(together.end)
        answer: asyncio.Future[bool | None] = loop.create_future()
        together.add(ask, answer, size_bytes)
        return await answer

    async def _all_asked(self, job_id: str, together: _Together) -> list[bool | None]:
        # It begins once all that is ready now has run.
        if self._ready.get(job_id) is together:
            del self._ready[job_id]
        return await self._asked(job_id, together.asks)

    async def _asked(self, job_id: str, asks: Sequence[_Ask]) -> list[bool | None]:
        """The answer to each, of one script."""
        beside = asks[0].beside if len(asks) == 1 else in_sum(ask.beside for ask in asks)
        arguments = [job_id, *cost_of(beside), *asks[0].arguments]
        for ask in asks[1:]:
            arguments += ask.arguments
        asked = await self._redis.ask(
            _text("short_commit", "state", "used"), keys.written_keys(job_id), arguments, beside
        )
        if not asked.answer:  # else it has counted itself
            asked.charge()
        return [bool(followed) for followed in asked.answer] + [None] * (len(asks) - len(asked.answer))
