"""The event loop of one run: it runs the user's code until nothing is ready but what a step has to answer.

Invariant: the order of its callbacks follows from the order of the outcomes alone, so the same outcomes make the same
calls again, in any process. A timer is a step. Must not: touch sockets, threads, or the loop of the process.
"""

import asyncio
import sys
import threading
from asyncio import events, tasks
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context, copy_context
from typing import Any, NoReturn, TypeVarTuple, cast
from weakref import WeakSet

from baton.sdk.workflows.places import Place, place_here

_Ts = TypeVarTuple("_Ts")
_private = cast("Any", tasks)


class NotAStepError(Exception):
    """The code waits for something that is no step. `place`: where."""

    def __init__(self, what: str, place: Place | None) -> None:
        way = "a workflow waits for steps alone; do it in a @tool, and await that"
        super().__init__(f"{what} is no step: {way}")
        self.place = place


class StretchFuture(asyncio.Future[Any]):
    """A future that hashes by its number in its loop: asyncio keeps it in sets, whose order is that of hashes."""

    def __init__(self, *, loop: "StretchLoop") -> None:
        super().__init__(loop=loop)
        self._number = loop.next_number()

    def __hash__(self) -> int:
        return self._number


class StretchTask(asyncio.Task[Any]):
    """A task that hashes by its number. `own_context`: what its code runs in."""

    def __init__(self, coro: Any, *, loop: "StretchLoop", name: str | None, context: Context) -> None:
        self._number, self.own_context = loop.next_number(), context
        super().__init__(coro, loop=loop, name=name or f"Task-{self._number}", context=context)

    def __hash__(self) -> int:
        return self._number

    def is_dropped(self) -> None:
        """Let asyncio not warn that it never ends."""
        private: Any = self
        private._log_destroy_pending = False


class StepTimer(asyncio.TimerHandle):
    """A callback at a time. `number`: of the step that waits for the time; 0: none."""

    number = 0


class StretchLoop(asyncio.AbstractEventLoop):
    """Runs callbacks in order.

    Attributes:
        seconds: the time of the stretch, since 1970.
        failed: what the code did that no workflow can; None: nothing.
        stopped: whether the stretch has run too long, and ends.
        closed: whether the run is dropped: nothing begins any more.
        notes: what asyncio would log, such as an exception that nothing has retrieved.
        give_up: is told the number of each step that nothing waits for any more.
    """

    def __init__(self, wait_until: Callable[[StepTimer], None], give_up: Callable[[int], None]) -> None:
        _order_sets_of_asyncio()
        self._ready = deque[asyncio.Handle]()
        self._wait_until, self.give_up = wait_until, give_up
        self._numbers, self._thread = 0, 0
        self._handler: Callable[[Any, Any], object] | None = None
        self.tasks = WeakSet[StretchTask]()
        self.seconds, self.notes = 0.0, list[str]()
        self.failed: NotAStepError | None = None
        self.stopped = self.closed = False

    def next_number(self) -> int:
        """Return a number that no other object of this loop has."""
        self._numbers += 1
        return self._numbers

    def run_ready(self) -> None:
        """Run what is ready, and what becomes ready by that."""
        with self._as_running():
            while self._ready and not self.stopped:
                handle = self._ready.popleft()
                if not handle.cancelled():
                    handle._run()

    def ready(self, handle: asyncio.Handle) -> None:
        """Let a callback run next."""
        self._ready.append(handle)

    @contextmanager
    def _as_running(self) -> Iterator[None]:
        """Be the running loop of this thread; a loop that runs in it, and its task, wait meanwhile."""
        outer, hooks = events._get_running_loop(), sys.get_asyncgen_hooks()
        waiting = asyncio.current_task(outer) if outer is not None else None
        if waiting is not None:
            _private._leave_task(outer, waiting)
        events._set_running_loop(None)
        events._set_running_loop(self)
        sys.set_asyncgen_hooks(firstiter=None, finalizer=self._close_generator)
        self._thread = threading.get_ident()
        try:
            yield
        finally:
            self._thread = 0
            sys.set_asyncgen_hooks(*hooks)
            events._set_running_loop(None)
            events._set_running_loop(outer)
            if waiting is not None:
                _private._enter_task(outer, waiting)

    def _close_generator(self, left: AsyncGenerator[Any]) -> None:
        """Close an asynchronous generator that was abandoned, as asyncio does."""
        if not self.closed and self._thread == threading.get_ident():
            self.call_soon(self.create_task, left.aclose())
        else:
            _close_generator(left)

    def no_step(self, what: str) -> NoReturn:
        """Fail the job: the code does what no workflow can; the first one counts.

        Raises NotAStepError: always; code that catches it fails the job, too.
        """
        error = NotAStepError(what, place_here())
        self.failed = self.failed or error
        raise error

    def _unless_closed(self) -> None:
        if self.closed:
            raise GeneratorExit  # no code catches it by mistake

    # What asyncio asks of a loop.
    def time(self) -> float:
        return self.seconds

    def call_soon(
        self, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        if not self.closed:
            self._ready.append(handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Call it next, if this is the code's own thread."""
        if self._thread != threading.get_ident():
            self.no_step("work in another thread")
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self, delay: float, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call it after that many seconds."""
        return self.call_at(self.seconds + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call it at that time, which a step waits for."""
        self._unless_closed()
        timer = StepTimer(when, callback, args, self, context)
        if when <= self.seconds:
            self._ready.append(timer)
        else:
            self._wait_until(timer)
        return timer

    def _timer_handle_cancelled(self, handle: StepTimer) -> None:
        self.give_up(handle.number)

    def create_future(self) -> asyncio.Future[Any]:
        self._unless_closed()
        return StretchFuture(loop=self)

    def create_task(
        self,
        coro: Any,
        *,
        name: str | None = None,
        context: Context | None = None,
        eager_start: bool | None = None,  # noqa: ARG002 - of later Pythons; a task of a workflow never starts so
    ) -> asyncio.Task[Any]:
        """Make a task, which runs next."""
        if self.closed:
            close(coro)
            raise GeneratorExit
        task = StretchTask(coro, loop=self, name=name, context=copy_context() if context is None else context)
        self.tasks.add(task)
        return task

    def get_debug(self) -> bool:
        """Return False: no debugging."""
        return False

    def is_running(self) -> bool:
        """Return whether its code is at work."""
        return bool(self._thread)

    def is_closed(self) -> bool:
        """Return whether the run is dropped."""
        return self.closed

    def get_task_factory(self) -> None:
        """Return that there is none."""

    def get_exception_handler(self) -> Callable[[Any, Any], object] | None:
        """Return the code's own handler."""
        return self._handler

    def set_exception_handler(self, handler: Callable[[Any, Any], object] | None) -> None:
        """Set the code's own handler."""
        self._handler = handler

    def call_exception_handler(self, context: Mapping[str, Any]) -> None:
        """Take what no code has caught."""
        if self.closed or self.stopped:
            return
        if self._handler is None:
            self.default_exception_handler(context)
        else:
            self._handler(self, context)

    def default_exception_handler(self, context: Mapping[str, Any]) -> None:
        """Note it for the log."""
        error = context.get("exception")
        self.notes.append(f"{context.get('message')}{f': {error!r}' if error else ''}")


def _refusing(name: str) -> Callable[..., NoReturn]:
    def refused(self: StretchLoop, *_: Any, **__: Any) -> NoReturn:
        self.no_step(f"loop.{name}()")

    return refused


for _name in vars(asyncio.AbstractEventLoop):
    if not _name.startswith("_") and _name not in vars(StretchLoop):
        setattr(StretchLoop, _name, _refusing(_name))


def new_loop(wait_until: Callable[[StepTimer], None], give_up: Callable[[int], None]) -> StretchLoop:
    """Make a loop; what it does not say of itself, it refuses."""
    make: Any = StretchLoop
    loop: StretchLoop = make(wait_until, give_up)
    return loop


_MOST_CLOSINGS = 1_000


def close(coroutine: Any) -> None:
    """Close a coroutine as CPython does: `finally` blocks run to their first await, which ends like the one before."""
    for _ in range(_MOST_CLOSINGS):
        try:
            coroutine.close()
        except RuntimeError:  # it ignores that it is closed
            continue
        except BaseException:  # noqa: BLE001, S110 - code of a run that nobody goes on with
            pass
        return


def _close_generator(left: AsyncGenerator[Any]) -> None:
    """Close an asynchronous generator in the same way."""
    step: Any = left.aclose()
    try:
        step.send(None)
        for _ in range(_MOST_CLOSINGS):
            step.throw(GeneratorExit)
    except BaseException:  # noqa: BLE001, S110 - as above
        pass


def _ordered_set(items: Iterable[Any] = ()) -> set[Any]:
    """Make a set for asyncio; in a workflow its bare awaitables are made tasks, in the order given."""
    loop = events._get_running_loop()
    if not isinstance(loop, StretchLoop):
        return set(items)
    return {
        asyncio.ensure_future(each, loop=loop) if asyncio.iscoroutine(each) else each for each in dict.fromkeys(items)
    }


def _hash_of(future: Any) -> int:
    """Hash the future of a `gather` by a number, in a workflow."""
    loop = future.get_loop()
    if not isinstance(loop, StretchLoop):
        return object.__hash__(future)
    number: int = getattr(future, "_number", 0) or loop.next_number()
    future._number = number
    return number


def _order_sets_of_asyncio() -> None:
    """Let `wait` and `as_completed` walk what they are given in its order: they make sets of it."""
    tasks.__dict__["set"] = _ordered_set
    _private._GatheringFuture.__hash__ = _hash_of
