"""The operators' control of the admission: whether jobs get slots, and its state (CONTRACT, "worker").

Stopping takes nothing away: a job that holds a slot goes on to its end, but no other job gets one. A failover of the
store may forget a stop or a start that was made less than 20 s before it: the state then shows so.
"""

from baton.sdk.clock import Clock, Randomness
from baton.store.records.all_jobs import AdmissionState
from baton.store.redis.admission import AdmissionControl
from baton.worker.admission.slot_client import arm_sweep, notify_granted
from baton_events.emitter import Emitter


class Worker:
    """Stops and starts the admission of jobs."""

    def __init__(
        self, admission_control: AdmissionControl, emitter: Emitter, clock: Clock, randomness: Randomness
    ) -> None:
        self._admission_control = admission_control
        self._emitter = emitter
        self._clock = clock
        self._randomness = randomness

    async def state(self) -> AdmissionState:
        """Return the admission's state."""
        return await self._admission_control.state()

    async def stop(self) -> AdmissionState:
        """Admit no job any more; return the new state."""
        await self._admission_control.stop(self._clock.now_ms())
        return await self._admission_control.state()

    async def start(self, slots: int | None = None) -> AdmissionState:
        """Admit jobs again: free slots are given at once, and their jobs are notified; return the new state.

        `slots`: how many there are from now on, 0: the setting; None: as many as before.
        A crash before they are notified leaves that to the next start, the next sweep, or the hourly backstop.

        Raises:
            PublishError: the queue did not take their notices; starting again sends them.
        """
        now_ms = self._clock.now_ms()
        started = await self._admission_control.start(now_ms, slots)
        if started.sweep_at_ms:
            await arm_sweep(self._emitter, started.sweep_at_ms)
        await notify_granted(self._emitter, started.granted, now_ms, f"start-{self._randomness.token()}")
        return await self._admission_control.state()
