"""A process of the simulation: after its death, none of its code runs any more.

Invariant: code that runs in a process has the process in its context, so its death stops all of it at once, without an
exception that the code could see. The world counts the points at which it can die. Must not: know a queue or a store.
"""

import asyncio
import gc
import logging
import os
import socket
import subprocess
import warnings
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from functools import partial
from types import AsyncGeneratorType
from typing import Any, NoReturn, Protocol, TypeVar, TypeVarTuple
from weakref import WeakKeyDictionary, ref

from msgspec import Struct
from starlette.types import ASGIApp

from baton.sdk.records.own_threads import OWN_THREADS
from baton.testing.dice import Dice
from baton.testing.virtual_clock import VirtualClock
from baton.testing.virtual_loop import Crashed, VirtualLoop
from baton.testing.virtual_thread import in_virtual_thread
from baton.worker.container import Container


class Point(Struct, frozen=True):
    """A point at which the process ends. `stopped`: it is asked to stop, as by a deploy, instead of dying."""

    number: int
    what: str
    stopped: bool = False

    def __str__(self) -> str:
        return f"{'the process is stopped' if self.stopped else 'the process dies'} {self.what}"


class Process:
    """One process, with its memory. `deliveries`: its work, with callbacks that report the loss to the queue."""

    def __init__(self, container: Container, apps: dict[str, ASGIApp], surroundings: Context) -> None:
        self.container, self._surroundings, self.apps = container, surroundings, apps
        self.alive = True
        self.deliveries: dict[asyncio.Task[None], Callable[[], None]] = {}

    def context(self) -> Context:
        """Make the context of code that runs in it."""
        context = self._surroundings.copy()
        context.run(PROCESS.set, self)
        return context

    def die(self) -> None:
        """End everything at once; the queue loses its connections."""
        self.alive = False
        for lost in self.deliveries.values():
            lost()

    def stop(self) -> None:
        """Ask the process to stop: it gives back its work in progress."""
        self.container.stopping.begun = True
        for task in self.deliveries:
            task.cancel()


_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")
PROCESS: ContextVar[Process] = ContextVar("process")


class SimulationLoop(VirtualLoop):
    """A virtual loop of processes. `waits`: is called before time passes; True: other work comes first."""

    def __init__(self, waits: Callable[[], bool]) -> None:
        super().__init__()
        self.waits = waits
        self.refused = ""
        self._contexts = WeakKeyDictionary[asyncio.Task[Any], Context]()
        # By `id`: a generator is no weak key any more when it is collected.
        self._begun: dict[int, tuple[ref[AsyncGenerator[Any]], Context]] = {}
        self._left: list[tuple[Context, AsyncGenerator[Any]]] = []
        self._over = False

    def create_task(self, coro: Any, *, name: Any = None, context: Context | None = None) -> asyncio.Task[Any]:
        """Make a task, which runs next; its context is kept, for its end."""
        own = copy_context() if context is None else context
        task = super().create_task(coro, name=name, context=own)
        self._contexts[task] = own
        return task

    def run_in_executor(self, executor: Executor | None, func: Callable[[*_Ts], _T], *args: *_Ts) -> asyncio.Future[_T]:
        """Run users' functions as in a thread, in virtual time; those of Baton's own are called at once."""
        if executor is OWN_THREADS:
            return super().run_in_executor(executor, func, *args)
        future: asyncio.Future[_T] = self.create_future()
        self.create_task(_into(future, func, *args))
        return future

    async def create_connection(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse a socket."""
        self.refuse("opens a socket")

    async def subprocess_exec(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse a new process."""
        self.refuse("starts a process")

    def refuse(self, what: str) -> NoReturn:
        """Note that the agent does what virtual time has not, and raise it in the agent's code."""
        self.refused = (
            f"the agent {what}, and neither is possible in virtual time: give it a server of MCP in this process"
            " (MCPToolset(server)), a FunctionToolset, or a fake model"
        )
        raise OSError(self.refused)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Ignore it: a failure of users' code is in the job, and a dead process leaves tasks behind."""

    def _waits(self) -> bool:
        return self.waits()

    def _lives(self, _handle: Any) -> bool:
        process = _handle._context.get(PROCESS)
        return process is None or process.alive

    def _begins(self, generator: AsyncGenerator[Any]) -> None:
        task = asyncio.current_task(self)
        if task is not None:
            self._begun[id(generator)] = ref(generator), self._contexts[task]

    def _close(self, left: AsyncGenerator[Any]) -> None:
        """Close a generator in its own context, at the latest at the end: its process may die before."""
        _, context = self._begun.pop(id(left), (None, None))
        if context is None:
            super()._close(left)
            return
        self._left.append((context, left))
        process = context.get(PROCESS)
        if not self._over and (process is None or process.alive):
            self.call_soon(partial(self.create_task, left.aclose(), context=context))

    def shut_down(self) -> None:
        """Close the leftovers of dead processes, and the loop."""
        self._over, logged, outer = True, logging.root.manager.disable, asyncio._get_running_loop()
        logging.disable()  # logs of a dead process's code are no news
        asyncio._set_running_loop(None)  # nor may its clean-up take the caller's task for its own
        try:
            with warnings.catch_warnings(action="ignore"):
                for task in asyncio.all_tasks(self):
                    left: Any = task
                    left._log_destroy_pending = False
                    self._contexts[task].run(_close, left.get_coro())
                begun = [(context, reference()) for reference, context in self._begun.values()]
                self._left += [(context, one) for context, one in begun if one is not None]
                for context, one in self._left:  # each may leave others
                    context.run(_close_generator, one)
        finally:
            asyncio._set_running_loop(outer)
            logging.disable(logged)
        self._timers.clear()
        self._ready.clear()
        self._left.clear()
        self.close()


async def _into(future: "asyncio.Future[_T]", func: Callable[[*_Ts], _T], *args: *_Ts) -> None:
    """Run the function for who waits for the future: as from a thread, an exit is an error of that one alone."""
    try:
        result = await in_virtual_thread(func, *args)
    except (asyncio.CancelledError, GeneratorExit, Crashed):  # the process is dead
        raise
    except BaseException as error:  # noqa: BLE001 - as above
        if not future.done():  # else nobody waits any more
            future.set_exception(error)
    else:
        if not future.done():
            future.set_result(result)


# What opens a socket or starts a process, whatever library asks for it. A test's own stand-ins are left alone.
_DOORS: tuple[tuple[Any, str, Any, str], ...] = (
    *((socket.socket, name, None, "opens a socket") for name in ("connect", "connect_ex", "bind")),
    (socket, "getaddrinfo", socket.getaddrinfo, "opens a socket"),
    (subprocess.Popen, "__init__", subprocess.Popen.__init__, "starts a process"),
    (os, "system", os.system, "starts a process"),
)


@contextmanager
def closed_doors(loop: SimulationLoop) -> Iterator[None]:
    """Refuse sockets and processes to the code of processes, also where it blocks: each crash would repeat them."""
    shut = [(owner, name, real, what) for owner, name, real, what in _DOORS if vars(owner).get(name) is real]
    for owner, name, _, what in shut:
        setattr(owner, name, _refusing(loop, getattr(owner, name), what))
    try:
        yield
    finally:
        for owner, name, real, _ in shut:
            if real is None:  # it is inherited
                delattr(owner, name)
            else:
                setattr(owner, name, real)


def _refusing(loop: SimulationLoop, real: Callable[..., Any], what: str) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        if PROCESS.get(None) is not None:
            loop.refuse(what)
        return real(*arguments, **named)

    return call


def _awaited_in(step: Any) -> Any:
    generators = [one for one in gc.get_referents(step) if isinstance(one, AsyncGeneratorType)]
    return generators[0].ag_await if generators else None


_MOST_CLOSINGS = 1_000


def _close_generator(generator: AsyncGenerator[Any]) -> None:
    step = generator.aclose()
    try:
        step.send(None)
        for _ in range(_MOST_CLOSINGS):
            step.throw(GeneratorExit)
    except BaseException:  # noqa: BLE001, S110 - code of a process that is dead
        pass


def _close(coroutine: Any) -> None:
    """Close a coroutine and everything that it awaits, the innermost first: one may continue each time it is closed."""
    chain = list[Any]()
    while hasattr(coroutine, "close"):
        chain.append(coroutine)
        coroutine = coroutine.cr_await if hasattr(coroutine, "cr_await") else _awaited_in(coroutine)
    for one in reversed(chain):
        for _ in range(_MOST_CLOSINGS):
            try:
                # Closing a step of an asynchronous generator does not affect the generator.
                one.close() if hasattr(one, "cr_await") else one.throw(GeneratorExit)
            except RuntimeError:  # it ignored that it is closed
                continue
            except BaseException:  # noqa: BLE001, S110 - code of a process that is dead
                pass
            break


class Surroundings(Protocol):
    """The view that ports have of their world."""

    loop: SimulationLoop
    dice: Dice
    faults: frozenset[str]
    clock: VirtualClock
    job_id: str
    unsure: list[str]

    def now_ms(self) -> int:
        """Return the time."""
        ...

    def process(self) -> Process:
        """Return the process that takes the next delivery."""
        ...

    async def point(self, what: str) -> None:
        """Mark a point at which the process can die."""
        ...

    def delivered(self) -> None:
        """Record that a delivery is over."""
        ...

    def record(self, what: str) -> None:
        """Add to the story."""
        ...
