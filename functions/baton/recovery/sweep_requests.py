"""Asking for a sweep now, by whoever knows that jobs may have been left alone: after an outage, or a failover.

Invariant: at most one sweep a minute is asked for in a deployment, and one request a minute made for it by a process.
Must not: fail its caller, who has work of their own.
"""

import logging

from baton.core.admission import ASKED_EVERY_MS
from baton.ports import Admission, Clock
from baton_events.emitter import Emitter
from baton_events.errors import PublishError, StoreError
from baton_events.schema import SWEEP_ENDPOINT

_log = logging.getLogger("baton.sweep")


class SweepRequests:
    """Asks for a sweep: `await container.sweep_requests.sweep_soon(why)`."""

    def __init__(self, admission: Admission, emitter: Emitter, clock: Clock) -> None:
        self._admission = admission
        self._emitter = emitter
        self._clock = clock
        self._asked_ms = 0

    async def sweep_soon(self, why: str) -> bool:
        """Ask for a sweep of everything now; returns whether a message for it was published.

        Cheap to call often: a process asks the store at most once a minute, and the deployment publishes at most one
        message a minute. Raises nothing: where store or queue still fail, the next caller tries again.
        """
        now_ms = self._clock.now_ms()
        if self._asked_ms and abs(now_ms - self._asked_ms) < ASKED_EVERY_MS:
            return False
        self._asked_ms = now_ms
        try:
            if not await self._admission.may_ask_for_sweep(now_ms):
                return False
            await self._emitter.emit_to(SWEEP_ENDPOINT, "")
        except (StoreError, PublishError) as error:
            self._asked_ms = 0
            _log.warning("no sweep could be requested (%s): %s", why, error)
            return False
        _log.info("a sweep was requested: %s", why)
        return True
