"""The shell around the state machine: one event loop, one group commit at a time, deliveries as tasks.

Invariant: nothing is answered and no delivery starts before the changes behind it are on disk. If the disk refuses,
the engine stops for good (memory would be ahead of the disk) and says so to everybody who waits.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from infra.local_qstash.clock import Cancellable, Clock
from infra.local_qstash.core.answer import Answer
from infra.local_qstash.core.attempt import AttemptResult, OutgoingRequest, build_request
from infra.local_qstash.core.changes import Change
from infra.local_qstash.core.machine import AttemptEnded, Outcome, apply, tick
from infra.local_qstash.core.state import Deliver, State
from infra.local_qstash.storage.database import Database

Send = Callable[[OutgoingRequest], Awaitable[AttemptResult]]

_log = logging.getLogger(__name__)


class EngineStoppedError(RuntimeError):
    """The engine can no longer promise anything."""


class Engine:
    """Runs commands and deliveries over one state and one database."""

    def __init__(
        self, state: State, database: Database, clock: Clock, send: Send, wall_clock: Clock | None = None
    ) -> None:
        self.state = state
        self.database = database
        self.clock = clock
        self.broken: Exception | None = None
        self.on_broken: Callable[[], None] = lambda: None
        self._send = send
        # Receivers check signatures against real time, whatever time the server lives in.
        self._wall_clock = wall_clock or clock
        self._changes: list[Change] = []
        self._effects: list[Deliver] = []
        self._batch: asyncio.Future[None] | None = None
        self._writing: asyncio.Future[None] | None = None  # the batch that the disk is busy with
        self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="qstash-commit")
        self._attempts: set[asyncio.Task[None]] = set()
        self._alarm: Cancellable | None = None
        self._alarm_ms: int | None = None

    async def execute(self, command: Any) -> Answer:
        """Carry out a command; returns when its changes are on disk."""
        if self.broken is not None:
            raise EngineStoppedError(f"the server has stopped: {self.broken}")
        outcome = apply(self.state, command, self.clock.now_ms())
        on_disk = self.take(outcome)
        if on_disk is not None:
            await asyncio.shield(on_disk)
        return outcome.answer

    def take(self, outcome: Outcome) -> asyncio.Future[None] | None:
        """Put an outcome into the next commit; the future is done when it is on disk."""
        self._arm()
        if not outcome.changes and not outcome.effects:
            return None
        self._changes += outcome.changes
        self._effects += outcome.effects
        loop = asyncio.get_running_loop()
        if self._batch is None:
            self._batch = loop.create_future()
            if self._writing is None:
                loop.call_soon(self._flush)
        return self._batch

    async def stop(self, grace_seconds: float) -> None:
        """Let attempts in flight end for a moment, then give up on them: they are repeated by the next run."""
        if self._alarm is not None:
            self._alarm.cancel()
        if self._attempts:
            await asyncio.wait(self._attempts, timeout=grace_seconds)
        self.broken = self.broken or EngineStoppedError("it is shutting down")
        for attempt in self._attempts:
            attempt.cancel()
        await asyncio.gather(*self._attempts, return_exceptions=True)
        while (waiting := self._writing or self._batch) is not None:
            await asyncio.wait([waiting])
        self._disk.shutdown()
        try:
            self.database.close()
        except sqlite3.Error as error:
            _log.critical("the data folder could not be closed in order: %s", error)

    def _flush(self) -> None:
        """Write what has gathered, and wait for the disk without holding anybody up."""
        batch, changes, effects = self._batch, self._changes, self._effects
        if batch is None:
            return
        self._batch, self._changes, self._effects = None, [], []
        self._writing = batch
        try:
            self.database.write(changes, self.clock.now_ms())
        except Exception as error:  # noqa: BLE001 - whatever it was, memory is now ahead of the disk
            self._break(error, batch)
            return
        if self.database.synced:
            commit = asyncio.get_running_loop().run_in_executor(self._disk, self.database.commit)
            commit.add_done_callback(lambda done: self._committed(done.exception(), batch, effects))
        else:
            self.database.commit()
            self._committed(None, batch, effects)

    def _committed(self, error: BaseException | None, batch: asyncio.Future[None], effects: list[Deliver]) -> None:
        if error is not None:
            self._break(error, batch)
            return
        self._writing = None
        batch.set_result(None)
        for effect in effects:
            attempt = asyncio.get_running_loop().create_task(self._attempt(effect))
            self._attempts.add(attempt)
            attempt.add_done_callback(self._attempts.discard)
        self._flush()

    def _break(self, error: BaseException, batch: asyncio.Future[None]) -> None:
        _log.critical("cannot write to the data folder, stopping: %s", error)
        self.broken = EngineStoppedError(f"cannot write to the data folder: {error}")
        self._writing = None
        for waiting in filter(None, (batch, self._batch)):
            waiting.set_exception(self.broken)
            waiting.exception()  # nobody may be waiting; that is no error of its own
        self._batch = None
        self.on_broken()

    async def _attempt(self, effect: Deliver) -> None:
        message = effect.message
        request = build_request(
            message,
            effect.retried,
            effect.signing_key,
            now_seconds=self._wall_clock.now_ms() // 1_000,
            jwt_id=self.state.ids.next("jwt"),
            default_timeout_ms=self.state.limits.max_timeout_ms,
        )
        try:
            result = await self._send(request)
        except Exception as error:  # noqa: BLE001 - an attempt always ends with a result
            _log.exception("delivery of %s failed in an unforeseen way", message.id)
            result = AttemptResult(error=f"{type(error).__name__}: {error}")
        if self.broken is None:
            ended = AttemptEnded(message.user, message.id, effect.retried, result)
            self.take(apply(self.state, ended, self.clock.now_ms()))

    def _arm(self) -> None:
        """Be woken when the next timer is due."""
        at_ms = self.state.next_wakeup_ms()
        if at_ms == self._alarm_ms:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = None if at_ms is None else self.clock.call_at(at_ms, self._wake)
        self._alarm_ms = at_ms

    def _wake(self) -> None:
        self._alarm, self._alarm_ms = None, None
        if self.broken is None:
            self.take(tick(self.state, self.clock.now_ms()))
