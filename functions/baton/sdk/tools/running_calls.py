"""The tool calls that run in this process: each once at a time, within its time limit.

A call that still runs after its limit is abandoned: no attempt waits for it, it is reported once, and it counts as hung
until it ends. A later attempt of the same call waits for a running one instead of starting a second copy. It takes the
other's result as its own; after the other's failure it runs itself. Invariant: of one idempotency key at most one copy
runs in this process. Must not: retry; its caller decides.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from msgspec import Struct, field

from baton.sdk.records.own_threads import in_own_thread
from baton.sdk.tools.contained import CutShortError, Outcome, outcome_of
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.runnable import InThread, Runnable

_log = logging.getLogger("baton.tools")


class OverLimitError(Exception):
    """The call did not return in time. `hung`: it still runs."""

    def __init__(self, *, hung: bool) -> None:
        super().__init__("over its time limit")
        self.hung = hung


class StillRunsError(Exception):
    """An earlier attempt of the call still runs, and this attempt cannot take its result."""


class NoTimeLeftError(Exception):
    """An earlier attempt of the call has failed, and the remaining time is less than the tool's limit."""


class NotYetError(Exception):
    """The step has to wait, and has not begun. `limit`: what it waits for, such as "limit 'openai'", if anything."""

    def __init__(self, wait_ms: int, limit: str = "") -> None:
        super().__init__(f"waits {wait_ms} ms for the {limit}" if limit else f"waits {wait_ms} ms")
        self.wait_ms, self.limit = wait_ms, limit


class HungCall(Struct, frozen=True):
    """An abandoned call. `hung`: the number of hung calls in this process; `most`: the number allowed."""

    tool: str
    job_id: str
    call_id: str
    limit_seconds: float
    hung: int
    most: int


class _Running(Struct, eq=False):
    """One call.

    `blocking`: it is in a thread, which nothing can end. `waiting`: the attempts that wait for it; its own end wakes
    them, as callbacks of its task would do later. `stopped`: it was cancelled here.
    """

    arguments: Mapping[str, Any]
    blocking: bool = False
    waiting: list[asyncio.Future[None]] = field(default_factory=list[asyncio.Future[None]])
    stopped: bool = False
    hung: bool = False


class RunningCalls:
    """Runs tool calls, each within its tool's limit and `work_limit_seconds`.

    `most_hung`: with more of them the process is unhealthy. `report`: receives each abandoned call. `in_thread`: runs a
    blocking function. `grace_seconds`: the time that a cancelled async tool gets to end.
    """

    def __init__(
        self,
        work_limit_seconds: float,
        most_hung: int = 16,
        report: Callable[[HungCall], Awaitable[None]] | None = None,
        in_thread: InThread = in_own_thread,
        grace_seconds: float = 1.0,
    ) -> None:
        self.work_limit_seconds, self._most_hung, self._report = work_limit_seconds, most_hung, report
        self._in_thread, self._grace_seconds = in_thread, grace_seconds
        self._running: dict[str, tuple[_Running, asyncio.Task[Outcome]]] = {}

    @property
    def hung(self) -> int:
        """The number of abandoned calls that still run."""
        return sum(running.hung for running, _ in self._running.values())

    def fault(self) -> str:
        """Return why the process needs a restart; empty while it does not."""
        hung = self.hung
        if hung <= self._most_hung:
            return ""
        return f"{hung} tool calls hang past their time limit, more than {self._most_hung}: restart the process"

    def limit_seconds(self, tool: Runnable) -> float:
        return min(tool.timeout_seconds, self.work_limit_seconds)

    async def result(self, tool: Runnable, arguments: Mapping[str, Any], context: ToolContext) -> Any:
        """Return the tool's result. Its work starts at once, and its time limit with it.

        Raises:
            OverLimitError: it did not return in time.
            StillRunsError: an earlier attempt still runs, with other arguments or about to end.
            NoTimeLeftError: an earlier one ran, and took the time that this one needs: it has not begun.
            Exception: what the tool raised; `CutShortError` for what is no `Exception`.
        """
        limit_seconds, left_seconds = self.limit_seconds(tool), self.work_limit_seconds
        now_seconds = asyncio.get_running_loop().time
        while earlier := self._joined(arguments, context):
            began_seconds = now_seconds()
            outcome = await self._outcome(*earlier, tool, context, limit_seconds)
            waited_seconds = now_seconds() - began_seconds
            left_seconds -= waited_seconds
            # The failure or the time-out of another attempt is not this one's.
            if outcome.error is None or waited_seconds >= limit_seconds or left_seconds <= 0:
                return outcome.result()
        if left_seconds < limit_seconds:
            raise NoTimeLeftError(f"an earlier attempt of call {context.call_id} took the time of this one")
        started = self._started(tool, arguments, context)
        return (await self._outcome(*started, tool, context, limit_seconds)).result()

    async def _outcome(
        self, running: _Running, task: asyncio.Task[Outcome], tool: Runnable, context: ToolContext, limit_seconds: float
    ) -> Outcome:
        now_seconds = asyncio.get_running_loop().time
        end_seconds = now_seconds() + limit_seconds
        try:
            await _until(end_seconds, running, task)
        except asyncio.CancelledError:
            if not running.waiting:
                await self._stop(running, task)
                running.hung = not task.done()
            raise
        if task.done() and (late_seconds := now_seconds() - end_seconds) > self._grace_seconds:
            _log.warning(
                "tool %r ended %.1f s after its limit of %g s, and nothing else ran meanwhile:"
                " an async function must not block; make it a plain one, or await",
                *(tool.name, late_seconds, limit_seconds),
            )
        if not task.done():
            await self._stop(running, task)
        if not task.done():
            await self._write_off(running, tool, context)
            raise OverLimitError(hung=True)
        if task.cancelled():
            return Outcome(
                error=OverLimitError(hung=False) if running.stopped else CutShortError(asyncio.CancelledError())
            )
        return task.result()

    def _joined(
        self, arguments: Mapping[str, Any], context: ToolContext
    ) -> tuple[_Running, asyncio.Task[Outcome]] | None:
        found = self._running.get(context.idempotency_key)
        if found is None:
            return None
        running, _ = found
        if running.arguments != arguments or running.stopped:
            raise StillRunsError(f"an earlier attempt of call {context.call_id} still runs in this process")
        return found

    def _started(
        self, tool: Runnable, arguments: Mapping[str, Any], context: ToolContext
    ) -> tuple[_Running, asyncio.Task[Outcome]]:
        running, key = _Running(arguments), context.idempotency_key

        async def in_thread(function: "Callable[..., Any]", *given: Any) -> Any:
            running.blocking = True
            try:
                return await self._in_thread(function, *given)
            finally:
                running.blocking = False

        def ended() -> None:
            self._running.pop(key, None)
            for waiter in running.waiting:
                _wake(waiter)

        work = outcome_of(lambda: tool.run(arguments, context, in_thread), ended)
        found = self._running[key] = running, asyncio.get_running_loop().create_task(work)
        return found

    async def _write_off(self, running: _Running, tool: Runnable, context: ToolContext) -> None:
        """Abandon a call that cannot be ended; report it once."""
        if running.hung:
            return
        running.hung = True
        limit_seconds = self.limit_seconds(tool)
        if self._report is not None:
            call = HungCall(tool.name, context.job_id, context.call_id, limit_seconds, self.hung, self._most_hung)
            await self._report(call)

    async def _stop(self, running: _Running, task: asyncio.Task[Outcome]) -> None:
        if not running.blocking:
            running.stopped = True
            task.cancel()
            await _until(asyncio.get_running_loop().time() + self._grace_seconds, running, task)


async def _until(end_seconds: float, running: _Running, task: asyncio.Task[Outcome]) -> None:
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[None] = loop.create_future()
    timer = loop.call_at(end_seconds, _wake, waiter)
    running.waiting.append(waiter)
    try:
        if not task.done():
            await waiter
    finally:
        timer.cancel()
        running.waiting.remove(waiter)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
