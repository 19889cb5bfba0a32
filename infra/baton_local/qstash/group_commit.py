"""Group commit: what comes while the disk is busy is written together next.

Invariant: effects start, and waiters go on, only after the changes that came with or before them are on disk, in
order. If the disk refuses, nothing is ever reported as written again: memory is ahead of the disk by then.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread

from baton_local.qstash.core.state import Change, Deliver, Transition
from baton_local.qstash.storage import Storage

_PATIENCE_SECONDS = 0.003


class EngineStoppedError(RuntimeError):
    """The server can no longer promise anything."""


@dataclass(slots=True)
class _Batch:
    changes: list[Change] = field(default_factory=list)
    effects: list[Deliver] = field(default_factory=list)
    waiters: list[asyncio.Future[None]] = field(default_factory=list)


class GroupCommit:
    """Gathers transitions, writes them, waits for the disk in a thread, then lets their effects happen."""

    def __init__(self, storage: Storage, now_ms: Callable[[], int], start: Callable[[Deliver], None]) -> None:
        self._storage, self._now_ms, self._start = storage, now_ms, start
        self._loop = asyncio.get_running_loop()
        self._written: SimpleQueue[_Batch | None] = SimpleQueue()  # None: there come no more
        self._disk = Thread(target=self._wait_for_disk, name="qstash-commit", daemon=True)
        self._disk.start()
        self._batch = _Batch()
        self._busy = False  # a flush is asked for, or the disk is at work
        self._patience: asyncio.TimerHandle | None = None
        self._idle: asyncio.Future[None] | None = None
        self.broken: EngineStoppedError | None = None
        self.on_broken: Callable[[], None] = lambda: None

    def enqueue(self, step: Transition, *, urgent: bool) -> bool:
        """Put a transition into the next commit; whether there is anything to write.

        What nobody waits for and nothing follows from, such as a delivery that ended well, may wait a moment for
        company: if the process dies meanwhile, the delivery is repeated, as if it had died just before the answer.
        """
        if not step.changes and not step.effects:
            return False
        self._batch.changes += step.changes
        self._batch.effects += step.effects
        if urgent or step.effects:
            self._request_flush()
        elif not self._busy and self._patience is None:
            self._patience = self._loop.call_later(_PATIENCE_SECONDS, self._request_flush)
        return True

    def on_disk(self) -> asyncio.Future[None]:
        """Return a future, done once all added so far is on disk; each waiter has its own, which may be cancelled."""
        self._request_flush()
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._batch.waiters.append(waiter)
        return waiter

    def settled(self) -> bool:
        """Return whether all that was added is on disk."""
        return not (self._busy or self._batch.changes or self._batch.effects)

    async def drained(self) -> None:
        """Wait until nothing is left to write."""
        if self._patience is not None:
            self._request_flush()
        if self._busy:
            self._idle = self._idle or self._loop.create_future()
            await self._idle

    def close(self) -> None:
        """End the thread; call after `drained`."""
        self._written.put(None)
        self._disk.join()

    def _request_flush(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        if not self._busy:
            self._busy = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        batch, self._batch = self._batch, _Batch()
        try:
            self._storage.write(batch.changes, self._now_ms())
            if not self._storage.synced:
                self._storage.commit()
        except Exception as error:  # noqa: BLE001 - whatever it was, memory is now ahead of the disk
            self._break(error, batch)
            return
        if self._storage.synced:
            self._written.put(batch)
        else:
            self._committed(None, batch)

    def _wait_for_disk(self) -> None:
        """Commit one batch after the other in the thread, each before the next is written."""
        while (batch := self._written.get()) is not None:
            failure: Exception | None = None
            try:
                self._storage.commit()
            except Exception as error:  # noqa: BLE001 - whatever it was, the loop has to know
                failure = error
            self._loop.call_soon_threadsafe(self._committed, failure, batch)

    def _committed(self, error: Exception | None, batch: _Batch) -> None:
        if error is not None:
            self._break(error, batch)
            return
        if self._batch.changes or self._batch.effects or self._batch.waiters:
            self._flush()  # first of all, so that the disk works while this batch is answered
        else:
            self._rest()
        # What was published is on its way before its publisher, who may be its receiver, is busy with our answer.
        for effect in batch.effects:
            self._start(effect)
        for waiter in batch.waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _rest(self) -> None:
        self._busy = False
        if self._idle is not None:
            self._idle.set_result(None)
            self._idle = None

    def _break(self, error: Exception, batch: _Batch) -> None:
        self.broken = EngineStoppedError(f"cannot write to the data folder: {error}")
        for waiter in (*batch.waiters, *self._batch.waiters):
            if not waiter.done():
                waiter.set_exception(self.broken)
        self._rest()
        self.on_broken()
