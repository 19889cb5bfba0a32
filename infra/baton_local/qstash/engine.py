"""The shell around the state machine: commands in, deliveries as tasks, one alarm for the next timer.

Invariant: nothing is answered and no delivery starts before the changes behind it are on disk
(group_commit.py).
"""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable

from baton_local.qstash.clock import Clock
from baton_local.qstash.core.answer import Answer
from baton_local.qstash.core.machine import Command, P, apply, end_attempt, tick
from baton_local.qstash.core.message import AttemptResult, OutgoingRequest, build_request
from baton_local.qstash.core.state import Deliver, State, Transition
from baton_local.qstash.faults import FaultPlan
from baton_local.qstash.group_commit import EngineStoppedError, GroupCommit
from baton_local.qstash.storage import Storage

Send = Callable[[OutgoingRequest], Awaitable[AttemptResult]]

_log = logging.getLogger(__name__)


class Engine:
    """Runs commands and deliveries over one state and one data folder."""

    def __init__(
        self, state: State, storage: Storage, clock: Clock, send: Send, faults: FaultPlan | None = None
    ) -> None:
        self.state, self.storage, self.clock = state, storage, clock
        self.faults = faults  # what is planned; None: faults are off
        self.commits = GroupCommit(storage, clock.now_ms, self._start)
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._stopping = False
        self._attempts: set[asyncio.Task[None]] = set()
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_ms: int | None = None

    def check_running(self) -> None:
        """Raise if the engine can promise nothing any more."""
        if self.commits.broken is not None:
            raise self.commits.broken
        if self._stopping:
            raise EngineStoppedError("the server is shutting down")

    async def execute(self, user: str, command: Command[P], *arguments: P.args, **options: P.kwargs) -> Answer:
        """Carry out a command of a user; returns when its changes are on disk."""
        self.check_running()
        answer, step = apply(self.state, self.clock.now_ms(), user, command, *arguments, **options)
        if self.take(step, urgent=True):
            await self.commits.on_disk()
        return answer

    async def shown(self) -> None:
        """Wait until all that a reader can see is on disk, so that no crash undoes what was shown."""
        self.check_running()
        if not self.commits.settled():
            await self.commits.on_disk()

    def take(self, step: Transition, *, urgent: bool = False) -> bool:
        """Put a transition into the next commit; whether there is anything to write."""
        self._arm()
        return self.commits.enqueue(step, urgent=urgent)

    async def settled(self) -> None:
        """Wait until nothing is being written or delivered; what waits for a time may still wait."""
        await self.commits.drained()
        while self._attempts:
            await asyncio.wait(self._attempts, return_when=asyncio.FIRST_COMPLETED)
            await self.commits.drained()

    async def stop(self, grace_seconds: float) -> None:
        """Let attempts in flight end for a moment, then give up on them: they are repeated by the next run."""
        if self._attempts:
            await asyncio.wait(self._attempts, timeout=grace_seconds)
        self._stopping = True
        if self._alarm is not None:
            self._alarm.cancel()
        await self.commits.drained()
        for attempt in self._attempts:
            attempt.cancel()
        await asyncio.gather(*self._attempts, return_exceptions=True)
        self.commits.close()
        try:
            self.storage.close()
        except sqlite3.Error as error:
            _log.critical("the data folder could not be closed in order: %s", error)

    def _start(self, effect: Deliver) -> None:
        attempt = self._loop.create_task(self._attempt(effect))
        self._attempts.add(attempt)
        attempt.add_done_callback(self._attempts.discard)

    async def _attempt(self, effect: Deliver) -> None:
        message = effect.message
        skew_seconds = self.faults.clock_skew_seconds if self.faults is not None else 0
        request = build_request(
            message,
            effect.retried,
            effect.signing_key,
            # Receivers check signatures against real time, whatever time the server lives in.
            now_seconds=Clock().now_ms() // 1_000 + skew_seconds,
            jwt_id=self.state.ids.new_id("jwt"),
            default_timeout_ms=self.state.limits.max_timeout_ms,
        )
        try:
            result = await self._send(request)
        except Exception as error:  # noqa: BLE001 - an attempt always ends with a result
            _log.exception("delivery of %s failed in an unforeseen way", message.id)
            result = AttemptResult(error=f"{type(error).__name__}: {error}")
        if not self._stopping and self.commits.broken is None:
            now_ms = self.clock.now_ms()
            self.take(apply(self.state, now_ms, message.user, end_attempt, message.id, effect.retried, result)[1])

    def _arm(self) -> None:
        at_ms = self.state.next_wakeup_ms()
        if at_ms == self._alarm_ms or self._stopping:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = None if at_ms is None else self.clock.call_at(at_ms, self._wake)
        self._alarm_ms = at_ms

    def _wake(self) -> None:
        self._alarm, self._alarm_ms = None, None
        if self.commits.broken is None:
            self.take(tick(self.state, self.clock.now_ms()))
