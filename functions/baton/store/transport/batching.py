"""Batching: calls that are ready at the same time in one process share one request, few of which run at once.

Invariants: a call at low load goes at once, in a request of its own. Each caller gets its own answer or error, or a
TimeoutError when it has waited too long, in line or on the way. A call without a waiting caller is not sent, and a
request without one is given up. A failed request fails for all its calls. The order of different callers' calls is not
guaranteed. Must not: know the calls' content, repeat anything, or outlive its event loop.
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
    """The number of requests at once, the most that each carries, and the longest wait of a caller.

    A call that is larger by itself goes alone.
    """

    requests: int
    entries: int
    size_bytes: int
    seconds: float


class _Waiting(Generic[Item, Answer]):
    """One call and its caller's future."""

    __slots__ = ("answer", "entries", "item", "request", "size_bytes", "until")

    def __init__(
        self, item: Item, entries: int, size_bytes: int, until: float, answer: "asyncio.Future[Answer]"
    ) -> None:
        self.item, self.entries, self.size_bytes, self.until = item, entries, size_bytes, until
        self.answer = answer
        self.request: _Request[Item, Answer] | None = None


class _Request(Generic[Item, Answer]):
    __slots__ = ("batch", "task", "timer")

    def __init__(self, batch: "list[_Waiting[Item, Answer]]", task: asyncio.Task[None]) -> None:
        self.batch, self.task = batch, task
        self.timer: asyncio.TimerHandle | None = None


class Batcher(Generic[Item, Answer]):
    """Sends calls by `send`, which returns for each, in order, its answer or its own exception."""

    def __init__(self, send: Callable[[list[Item]], Awaitable[Sequence[Answer | Exception]]], bounds: Bounds) -> None:
        self._send, self._bounds = send, bounds
        self.loop = asyncio.get_running_loop()
        self._waiting: deque[_Waiting[Item, Answer]] = deque()
        self._requests: set[asyncio.Task[None]] = set()
        self._is_due = False
        self._timer: asyncio.TimerHandle | None = None  # of the calls in line

    async def send(self, item: Item, entries: int, size_bytes: int) -> Answer:
        """Send `item` and return its answer. `entries`, `size_bytes`: its share of a request."""
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
        """Give up running requests; callers that still wait get an error."""
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
        # After everything that is ready now has run: all calls of the same round of the event loop go together.
        if not self._is_due:
            self._is_due = True
            self.loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._is_due = False
        while (free := self._bounds.requests - len(self._requests)) > 0 and (batch := self._next(free)):
            request = _Request(batch, self.loop.create_task(self._send_batch(batch)))
            for each in batch:
                each.request = request
            # One timer for all in it: they are in the order of their arrival.
            request.timer = self.loop.call_at(batch[0].until, self._late, request)
            self._requests.add(request.task)
            request.task.add_done_callback(partial(self._done, request))
        if self._waiting and self._timer is None:
            self._timer = self.loop.call_at(self._waiting[0].until, self._late_in_line)

    def _next(self, free: int) -> list[_Waiting[Item, Answer]]:
        """Take as many of the waiting calls as fit, or, of many, one free request's share.

        Then the first callers get answers and send again while the server works for the others. Otherwise all would
        wait for the server, and then the server for all of them.
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
        except Exception as error:  # noqa: BLE001 - any error is the callers'
            _refuse(batch, error)

    def _done(self, request: _Request[Item, Answer], task: asyncio.Task[None]) -> None:
        self._requests.discard(task)
        if request.timer is not None:
            request.timer.cancel()
        request.batch = []  # each call refers to its request: without this only the garbage collector would free both
        # Callers that were just answered run first; their next request is in time. With an empty line, the next call
        # decides: calls that begin beside it go with it.
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
        """Return the first call that still has time; calls without time get an error."""
        now = self.loop.time()
        for each in batch:
            if not each.answer.done():
                if each.until > now:
                    return each
                each.answer.set_exception(TimeoutError())
        return None


def _given_up(request: _Request[Item, Answer] | None) -> None:
    if request is not None and all(each.answer.done() for each in request.batch):
        request.task.cancel()


def _refuse(batch: Iterable[_Waiting[Item, Answer]], error: Exception) -> None:
    for each in batch:
        if not each.answer.done():
            each.answer.set_exception(error)


def _closed() -> ConnectionAbortedError:
    return ConnectionAbortedError("closed while it was asked")
