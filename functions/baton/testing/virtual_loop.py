"""An asyncio event loop whose time is a number: instead of sleeping it advances the number to the next timer.

Invariant: the same tasks in the same order give the same run; nothing waits for real time and nothing uses sockets or
threads. One loop serves many worlds, one after the other. It keeps timers and runs ready callbacks itself: the
library's further work, for selectors, threads and debugging, took a tenth of a schedule.
"""

import asyncio
import heapq
import sys
from collections import deque
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Executor
from contextvars import Context, copy_context
from typing import Any, TypeVar, TypeVarTuple, cast

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")
_CLOCK_RESOLUTION_SECONDS = 1e-6  # sums of floats may end a hair before a timer


class Crashed(BaseException):
    """The process dies here. No Exception: no code of the product may catch it."""


class _Handle(asyncio.Handle):
    """The library's handle without its debugging data: that queries the loop several times for each handle."""

    __slots__ = ("_when",)

    def __init__(
        self, when: float, callback: Callable[..., object], args: Any, loop: "VirtualLoop", context: Context | None
    ) -> None:
        private: Any = self
        private._callback, private._args, private._loop, private._cancelled = callback, args, loop, False
        private._context = copy_context() if context is None else context  # an empty one is false
        private._source_traceback = private._repr = None
        self._when = when

    def when(self) -> float:
        """Return the loop's time of the call."""
        return self._when

    def cancel(self) -> None:
        private: Any = self
        private._cancelled, private._callback, private._args = True, None, None


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop; `run_until_idle` runs until no task and no timer is left, or until `stop`.

    `seconds`: the time since the world began.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        self._timers: list[tuple[float, int, _Handle]] = []
        self._count = 0
        # Private names of the library: the callbacks to run next, and the request to stop.
        private: Any = self
        self._ready: deque[Any] = private._ready
        self._stopping: bool = private._stopping

    def time(self) -> float:
        """Return the seconds since the world began."""
        return self.seconds

    def call_at(
        self, when: float, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call it at that time; of several at the same time the first scheduled one first."""
        timer: Any = _Handle(when, callback, args, self, context)
        self._count += 1
        heapq.heappush(self._timers, (when, self._count, timer))
        return timer  # type: ignore[no-any-return]

    def call_later(
        self, delay: float, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call it after that many seconds."""
        when = self.seconds + delay
        timer: Any = _Handle(when, callback, args, self, context)
        self._count += 1
        heapq.heappush(self._timers, (when, self._count, timer))
        return timer  # type: ignore[no-any-return]

    def call_soon(
        self, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.Handle:
        handle = _Handle(0.0, callback, args, self, context)
        self._ready.append(handle)
        return handle

    def create_task(self, coro: Any, *, name: Any = None, context: Context | None = None) -> asyncio.Task[Any]:
        """Make a task, which runs next."""
        return asyncio.Task(coro, loop=self, name=name, context=context)

    def run_in_executor(
        self,
        executor: Executor | None,  # noqa: ARG002 - the library's signature
        func: Callable[[*_Ts], _T],
        *args: *_Ts,
    ) -> asyncio.Future[_T]:
        """Call the function at once: a thread would run in real time."""
        future: asyncio.Future[_T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it is for the caller that awaits it
            future.set_exception(error)
        return future

    async def sleep(self, seconds: float) -> None:
        """Sleep as `asyncio.sleep`, without a round of the loop if nothing else happens meanwhile."""
        until, timers = self.seconds + seconds, self._timers
        if self._ready or self._stopping or (timers and timers[0][0] <= until):
            await asyncio.sleep(seconds)
        else:
            self.seconds = until

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Report an unhandled error, except for the death of a process."""
        if not isinstance(context.get("exception"), Crashed):
            super().call_exception_handler(context)

    def run_until_idle(self) -> None:
        """Run until nothing is left to do; a loop that runs in this thread waits meanwhile."""
        hooks, outer, library = sys.get_asyncgen_hooks(), asyncio._get_running_loop(), cast("Any", asyncio.tasks)
        waiting = asyncio.current_task() if outer is not None else None
        if waiting is not None:
            library._leave_task(outer, waiting)
        sys.set_asyncgen_hooks(firstiter=self._begins, finalizer=self._close)  # else the outer loop closes them, too
        asyncio._set_running_loop(self)
        try:
            self._run()
        finally:
            self._stopping = False
            asyncio._set_running_loop(outer)
            sys.set_asyncgen_hooks(*hooks)
            if waiting is not None:
                library._enter_task(outer, waiting)

    def _run(self) -> None:
        timers, ready = self._timers, self._ready
        while not self._stopping:
            while timers and timers[0][2]._cancelled:
                heapq.heappop(timers)
            if not ready and not self._time_passes():
                return
            until = self.seconds + _CLOCK_RESOLUTION_SECONDS
            while timers and timers[0][0] < until:
                ready.append(heapq.heappop(timers)[2])
            for _ in range(len(ready)):
                handle = ready.popleft()
                if not handle._cancelled and self._lives(handle):
                    try:
                        handle._context.run(handle._callback, *handle._args)
                    except Exception as error:  # noqa: BLE001 - as the library's loop does
                        self.call_exception_handler({"message": f"in {handle._callback}", "exception": error})

    def _time_passes(self) -> bool:
        if not self._timers:
            return False
        wait = self._timers[0][0] - self.seconds
        if wait > 0.0 and not self._waits():
            self.seconds += wait
        return True

    def _waits(self) -> bool:
        return False

    def _lives(self, _handle: Any) -> bool:
        return True

    def _begins(self, generator: AsyncGenerator[Any]) -> None:
        """Note that a generator begins."""

    def _close(self, left: AsyncGenerator[Any]) -> None:
        self.call_soon(self.create_task, left.aclose())

    def clear(self) -> None:
        """End all running tasks and drop pending callbacks; the time begins again."""
        for task in asyncio.all_tasks(self):
            task.cancel()
        self._timers.clear()
        self.run_until_idle()
        self._timers.clear()
        self._ready.clear()
        self.seconds = 0.0
