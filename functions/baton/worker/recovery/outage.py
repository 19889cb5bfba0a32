"""An outage of store or queue that outlasts the retries of messages: a sweep is requested once it is over.

While the store is away, one small message a minute comes to the sweep's endpoint, checks whether it is back, and is
acknowledged. So none of its retries are used up, however long that lasts. Where the queue did not take that message
either, the next success in this process requests the sweep. It is begun by a message that comes again and fails again.
Invariant: at most one sweep a minute is requested in a deployment. Must not: fail its caller.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from baton.engine.all_jobs.slots import REQUESTED_EVERY_MS
from baton.queue.dispatch import Outcome
from baton.sdk.clock import Clock
from baton.store.redis.admission import Admission
from baton_events.emitter import Emitter
from baton_events.errors import PublishError, StoreError
from baton_events.schema import SWEEP_ENDPOINT

_log = logging.getLogger("baton.sweep")


class SweepRequests:
    """Requests a sweep: `await container.sweep_requests.sweep_soon(why)`."""

    def __init__(self, admission: Admission, emitter: Emitter, clock: Clock) -> None:
        self._admission, self._emitter, self._clock = admission, emitter, clock
        self._requested_ms = 0

    async def sweep_soon(self, why: str) -> bool:
        """Request a sweep of everything now; return whether a message for it was published.

        Cheap to call often: a process asks the store at most once a minute, and the deployment publishes at most one
        message a minute. Raises nothing: where store or queue still fail, the next caller tries again.
        """
        now_ms = self._clock.now_ms()
        if self._requested_ms and abs(now_ms - self._requested_ms) < REQUESTED_EVERY_MS:
            return False
        self._requested_ms = now_ms
        try:
            if not await self._admission.may_request_sweep(now_ms):
                return False
            await self._emitter.emit_to(SWEEP_ENDPOINT, "")
        except (StoreError, PublishError) as error:
            self._requested_ms = 0
            _log.warning("no sweep could be requested (%s): %s", why, error)
            return False
        _log.info("a sweep was requested: %s", why)
        return True


CHECKS_EVERY_MS = 60_000


class StoreAway:
    """Notices outages, and checks whether they are over."""

    def __init__(self, admission: Admission, emitter: Emitter, clock: Clock, requests: SweepRequests) -> None:
        self._admission, self._emitter, self._clock, self._requests = admission, emitter, clock, requests
        self._armed_ms = 0
        self._owes_sweep = False

    @asynccontextmanager
    async def watching(self, retried: int) -> AsyncIterator[None]:
        """Watch how a message is handled that was delivered `retried` times before."""
        try:
            yield
        except StoreError:
            if retried:
                await self.check_later()
            raise
        except PublishError:
            self._owes_sweep = self._owes_sweep or retried > 0
            raise
        if self._owes_sweep and await self._requests.sweep_soon("the queue takes messages again"):
            self._owes_sweep = False

    async def check(self, at_ms: int) -> Outcome:
        """Check whether the store is back, by the check that was armed for `at_ms`.

        If it is back, a sweep checks everything; else the next check comes in a minute. Raises PublishError: the queue
        takes no message, for a sweep or for the next check: this one comes again.
        """
        try:
            # It only shows that the store answers: a request that was sent twice may be refused the second time.
            await self._admission.may_request_sweep(self._clock.now_ms())
        except StoreError:
            await self._arm(at_ms)
            return Outcome("still away")
        await self._emitter.emit_to(SWEEP_ENDPOINT, "", deduplication_id=f"back.{at_ms}")
        _log.warning("the store is back after an outage; a sweep checks all jobs")
        return Outcome("back", 1)

    async def check_later(self) -> None:
        """Arm a check, if the queue takes its message; else the next success in this process requests a sweep."""
        try:
            await self._arm()
        except PublishError as error:
            self._owes_sweep = True
            _log.warning("store and queue are away: %s", error)

    async def _arm(self, after_ms: int = 0) -> None:
        """Publish the next check, one a minute in the whole deployment: the others are deduplicated by the queue.

        `after_ms`: the time of the check just made; a clock that is behind shows the minute before.
        """
        at_ms = (max(self._clock.now_ms(), after_ms) // CHECKS_EVERY_MS + 1) * CHECKS_EVERY_MS
        if at_ms == self._armed_ms:
            return
        body = f'{{"awayMs":{at_ms}}}'
        await self._emitter.emit_to(SWEEP_ENDPOINT, body, not_before_ms=at_ms, deduplication_id=f"away.{at_ms}")
        self._armed_ms = at_ms
