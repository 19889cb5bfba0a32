"""Asks that are ready at the same time in one process travel in one request, with few requests under way at once.

Invariants: an ask at low load goes at once, in a request of its own. Each asker gets its own answer, or its own error,
or a TimeoutError when it has waited too long, for its turn or on the way. An ask that nobody waits for any more is not
sent, and a request that nobody waits for is given up. A request that fails fails for all in it. No order is promised
between askers. Must not: know what is asked, repeat anything, or outlive its event loop.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Generic, TypeVar

from msgspec import Struct

# Fewer are not worth a second request.
_MANY = 8

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Bounds(Struct, frozen=True):
    """How many requests are under way at once, what each carries at most, and how long an asker waits in all.

    An ask that is larger by itself goes alone.
    """

    requests: int
    entries: int
    size_bytes: int
    seconds: float


class _Waiting(Generic[Item, Answer]):
    """One ask and who waits for it."""

    __slots__ = ("answer", "entries", "item", "request", "size_bytes", "until")

    def __init__(
        self, item: Item, entries: int, size_bytes: int, until: float, answer: "asyncio.Future[Answer]"
    ) -> None:
        self.item = item
        self.entries = entries
        self.size_bytes = size_bytes
        self.until = until
        self.answer = answer
        self.request: _Request[Item, Answer] | None = None


class _Request(Generic[Item, Answer]):
    """What travels together."""

    __slots__ = ("batch", "task", "timer")

    def __init__(self, batch: "list[_Waiting[Item, Answer]]", task: asyncio.Task[None]) -> None:
        self.batch = batch
        self.task = task
        self.timer: asyncio.TimerHandle | None = None


class Batcher(Generic[Item, Answer]):
    """Sends asks by `send`, which returns for each, in order, its answer or the exception that is its asker's alone."""

    def __init__(self, send: Callable[[list[Item]], Awaitable[Sequence[Answer | Exception]]], bounds: Bounds) -> None:
        self._send = send
        self._bounds = bounds
        self.loop = asyncio.get_running_loop()
        self._waiting: deque[_Waiting[Item, Answer]] = deque()
        self._requests: set[asyncio.Task[None]] = set()
        self._is_due = False
        self._timer: asyncio.TimerHandle | None = None  # of those who wait for their turn

    async def send(self, item: Item, entries: int, size_bytes: int) -> Answer:
        """The answer to `item`, which is `entries` entries of a request and `size_bytes` in all."""
        until = self.loop.time() + self._bounds.seconds
        waiting: _Waiting[Item, Answer] = _Waiting(item, entries, size_bytes, until, self.loop.create_future())
        self._waiting.append(waiting)
        if len(self._requests) < self._bounds.requests:
            self._soon()
        try:
            return await waiting.answer
        except asyncio.CancelledError:
            _given_up(waiting.request)
            raise

    async def close(self) -> None:
        """Give up what is under way; callers that still wait get an error."""
        _refuse(self._waiting, _closed())
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        requests = list(self._requests)
        for request in requests:
            request.cancel()
        await asyncio.gather(*requests, return_exceptions=True)

    def _soon(self) -> None:
        # After whatever is ready now has run: all that asks in the same round of the event loop goes together.
        if not self._is_due:
            self._is_due = True
            self.loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._is_due = False
        while (free := self._bounds.requests - len(self._requests)) > 0 and (batch := self._next(free)):
            request = _Request(batch, self.loop.create_task(self._send_batch(batch)))
            for each in batch:
                each.request = request
            # One timer for all in it: they are in the order of their asking.
            request.timer = self.loop.call_at(batch[0].until, self._late, request)
            self._requests.add(request.task)
            request.task.add_done_callback(partial(self._done, request))
        if self._waiting and self._timer is None:
            self._timer = self.loop.call_at(self._waiting[0].until, self._late_in_line)

    def _next(self, free: int) -> list[_Waiting[Item, Answer]]:
        """As many of the waiting as fit, or, of many, the share of one request of those that are free.

        Then the first are answered, and ask again, while the server is at work for the others: else all would wait for
        it, and then it for all.
        """
        most = -(-len(self._waiting) // free) if len(self._waiting) >= _MANY else len(self._waiting)
        taken: list[_Waiting[Item, Answer]] = []
        waiting, entries, size_bytes = self._waiting, self._bounds.entries, self._bounds.size_bytes
        while waiting:
            first = waiting[0]
            entries -= first.entries
            size_bytes -= first.size_bytes
            if taken and (entries < 0 or size_bytes < 0 or len(taken) == most):
                break
            waiting.popleft()
            if not first.answer.done():
                taken.append(first)
        return taken

    async def _send_batch(self, batch: list[_Waiting[Item, Answer]]) -> None:
        try:
            answers = await self._send([each.item for each in batch])
            for each, answer in zip(batch, answers, strict=True):
                if each.answer.done():
                    continue
                if isinstance(answer, Exception):
                    each.answer.set_exception(answer)
                else:
                    each.answer.set_result(answer)
        except asyncio.CancelledError:
            _refuse(batch, _closed())
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the askers'
            _refuse(batch, error)

    def _done(self, request: _Request[Item, Answer], task: asyncio.Task[None]) -> None:
        self._requests.discard(task)
        if request.timer is not None:
            request.timer.cancel()
        request.batch = []  # they know their request: without this only the garbage collector would free both
        # Callers that were just answered run first; their next request is in time. Where nobody waits, the next
        # ask says when: what is begun beside it goes with it.
        if self._waiting:
            self._soon()

    def _late(self, request: _Request[Item, Answer]) -> None:
        waits = self._still(request.batch)
        if waits is None:
            request.task.cancel()
        else:
            request.timer = self.loop.call_at(waits.until, self._late, request)

    def _late_in_line(self) -> None:
        waits = self._still(self._waiting)
        self._timer = self.loop.call_at(waits.until, self._late_in_line) if waits else None

    def _still(self, batch: Iterable[_Waiting[Item, Answer]]) -> _Waiting[Item, Answer] | None:
        """The first that still has time; those that have none get an error."""
        now = self.loop.time()
        for each in batch:
            if not each.answer.done():
                if each.until > now:
                    return each
                each.answer.set_exception(TimeoutError())
        return None


def _given_up(request: _Request[Item, Answer] | None) -> None:
    """End a request when the last of its askers has gone."""
    if request is not None and all(each.answer.done() for each in request.batch):
        request.task.cancel()


def _refuse(batch: Iterable[_Waiting[Item, Answer]], error: Exception) -> None:
    for each in batch:
        if not each.answer.done():
            each.answer.set_exception(error)


def _closed() -> ConnectionAbortedError:
    return ConnectionAbortedError("closed while it was asked")
