"""Threads of blocking functions in virtual time: one at a time runs, the event loop's or one of these.

As in production, no loop runs in such a thread, so a function may begin its own. That one has the world's time: where
it has nothing to do, the world goes on until its next timer, or until it is woken. Invariant: the loop waits while a
function runs, so the same world gives the same run. The time of blocking sleeps passes after the function has ended.
Must not: outlive the process; what waits in a dead one ends by `Crashed`.
"""

import asyncio
import heapq
from collections.abc import Callable
from concurrent.futures import Executor
from contextvars import Context, copy_context
from threading import Semaphore, Thread, local
from typing import Any, TypeVar, TypeVarTuple

from baton.testing.virtual_loop import Crashed, VirtualLoop

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")
_EVENTS: Any = asyncio.events
_MOST_ENDINGS = 1_000


class Blocking:
    """A blocking function. `slept`: the seconds that it has slept, which have not passed yet."""

    def __init__(self, loop: VirtualLoop, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self.slept, self._loop, self._policy = 0.0, loop, _Policy(self)
        self._until: float | None = None
        self._woken: asyncio.Future[None] | None = None
        self._is_over = self._is_dead = False
        self._value: Any = None
        self._error: BaseException | None = None
        self._runs, self._waits = Semaphore(0), Semaphore(0)
        work = (self._run, function, arguments)
        # A daemon: what blocks for real must not hold the end of the tests.
        Thread(target=copy_context().run, args=work, name="baton-work", daemon=True).start()

    def seconds(self) -> float:
        """Return the seconds since the world began, as the function sees them."""
        return self._loop.seconds + self.slept

    def _run(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._runs.acquire()
        _HERE.blocking = self
        try:
            self._value = function(*arguments)
        except BaseException as error:  # noqa: BLE001 - it is for the caller that awaits the function
            self._error = error
        self._policy.close()
        self._is_over = True
        self._waits.release()

    def park(self, until: float | None) -> None:
        """Let the world go on until this time, or until it is woken; called by the function's thread."""
        self._until = until
        self._waits.release()
        self._runs.acquire()
        if self._is_dead:
            raise Crashed("the process is dead")

    def wake(self) -> None:
        """End the wait of a parked function: there is something to do in its loop."""
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    async def run(self) -> Any:
        """Run the function to its end, and let the time of its sleeps pass."""
        try:
            while not self._goes_on():
                await self._wait()
        finally:
            self._is_dead = True
            for _ in range(_MOST_ENDINGS):  # its code may go on in spite of that
                if self._is_over or self._goes_on():
                    break
        if self.slept:
            await asyncio.sleep(self.slept)
        if self._error is not None:
            raise self._error
        return self._value

    def _goes_on(self) -> bool:
        before, _EVENTS._event_loop_policy = _EVENTS._event_loop_policy, self._policy
        try:
            self._runs.release()
            self._waits.acquire()
        finally:
            _EVENTS._event_loop_policy = before
        return self._is_over

    async def _wait(self) -> None:
        loop, self._woken = self._loop, self._loop.create_future()
        timer = None if self._until is None else loop.call_at(self._until - self.slept, self.wake)
        try:
            await self._woken
        finally:
            self._woken = None
            if timer is not None:
                timer.cancel()


_HERE = local()


def blocking_here() -> Blocking | None:
    """Return the blocking function that runs in this thread; None: it is the world's."""
    found: Blocking | None = getattr(_HERE, "blocking", None)
    return found


async def in_virtual_thread(function: Callable[..., Any], /, *arguments: Any, **_: Any) -> Any:
    """Run a blocking function in a thread of its own, in virtual time; options of other libraries count for nothing."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop), "only a simulation has virtual time"
    return await Blocking(loop, function, arguments).run()


class _Policy:
    """The event loops of such a thread: as in any thread, there is none before the function makes one."""

    def __init__(self, blocking: Blocking) -> None:
        self._blocking = blocking
        self._loop: asyncio.AbstractEventLoop | None = None
        self._made: list[asyncio.AbstractEventLoop] = []

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """Make a loop with the world's time."""
        self._made.append(_InnerLoop(self._blocking))
        return self._made[-1]

    def close(self) -> None:
        """Close the loops that the function has left open."""
        for loop in self._made:
            loop.close()

    def set_event_loop(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self._loop = loop

    def get_event_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop that was set. Raises RuntimeError: none was."""
        if self._loop is None:
            raise RuntimeError("There is no current event loop in thread 'baton-work'.")
        return self._loop


class _InnerLoop(asyncio.SelectorEventLoop):
    """A loop that a blocking function runs."""

    def __init__(self, blocking: Blocking) -> None:
        self._blocking = blocking
        super().__init__()

    def time(self) -> float:
        """Return the seconds since the world began."""
        return self._blocking.seconds()

    def call_soon_threadsafe(
        self, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Call it next, also for code in the world's loop."""
        handle = super().call_soon_threadsafe(callback, *args, context=context)
        self._blocking.wake()
        return handle

    def run_in_executor(self, executor: Executor | None, func: Callable[[*_Ts], _T], *args: *_Ts) -> asyncio.Future[_T]:
        """Call the function at once, as if no loop ran here."""
        del executor
        future: asyncio.Future[_T] = self.create_future()
        asyncio._set_running_loop(None)
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it is for the caller that awaits it
            future.set_exception(error)
        finally:
            asyncio._set_running_loop(self)
        return future

    def _run_once(self) -> None:
        private: Any = self
        timers = private._scheduled
        while timers and timers[0]._cancelled:
            private._timer_cancelled_count -= 1
            heapq.heappop(timers)._scheduled = False
        if not private._ready and not private._stopping:
            self._blocking.park(timers[0]._when if timers else None)
        super()._run_once()  # type: ignore[misc]
