"""Submissions: a job is accepted with a witness, so that an accepted job always starts (DESIGN 3, "Accepting").

Order: the witness (a message delayed by a minute that carries the whole submission) is published first; then the job
takes its place in the list; then it is created, carried by the witness; then its first event is handed on, and the
caller is answered. A crash in between loses nothing: the witness tells the fact a second time.
"""

import logging
from dataclasses import dataclass
from typing import Any

from events.core.decide import submit
from events.core.effects import Changes
from events.core.expected import event_of
from events.core.happenings import Submitted
from events.core.legs import Leg, loop_leg
from events.core.records import job_from, job_values
from events.core.state import Job
from events.emitter import Emitter
from events.errors import PublishError, StoreError
from events.ports import Clock, Listing, Store
from events.schema import SWEEP_ENDPOINT, AgentLoopInit, Submission
from functions.delivery import Delivered
from functions.handing_on import hand_on

_log = logging.getLogger("baton.submission")

WITNESS_DELAY_MS = 60_000
LOST_AFTER_MS = 60_000


@dataclass(frozen=True, slots=True)
class Accepted:
    """The stored job and its first legs; `new` is False when it was there already."""

    job: Job
    new: bool
    legs: tuple[Leg, ...]


class Submissions:
    """Accepts jobs, and takes in their witnesses."""

    def __init__(
        self, store: Store, listing: Listing, emitter: Emitter, clock: Clock, sweep_interval_ms: int = 60_000
    ) -> None:
        self._store = store
        self._listing = listing
        self._emitter = emitter
        self._clock = clock
        self._sweep_interval_ms = sweep_interval_ms

    async def accept(self, job: Job, task: dict[str, Any]) -> Accepted:
        """Accept a job: once this returns it will run to its end.

        Args:
            job: the new job, pending.
            task: `{"text": …, "data": {…}}`.

        Raises:
            PublishError: the queue does not take the witness; there is no job.
            StoreError: the store did not answer; the witness was taken back, or the job starts by itself in a minute.
        """
        now_ms = self._clock.now_ms()
        witness_id = await self._emitter.emit(_witness(job, task, now_ms), not_before_ms=now_ms + WITNESS_DELAY_MS)
        try:
            await self._list(job.id, now_ms)
            created = await self._store.create(_creation(job, task, now_ms), witness_id, now_ms)
        except StoreError:
            await self._take_back(witness_id)
            raise
        if not created.new:
            await self._take_back(witness_id)
        try:
            await hand_on(self._emitter, created.job.session_id, created.carried, witness_id)
        except PublishError as error:
            _log.warning("job %s starts within a minute, by its witness: %s", job.id, error)
        return Accepted(created.job, created.new, created.carried)

    async def witness(self, delivered: Delivered) -> tuple[Leg, ...]:
        """Take in the fact of an event, if it tells one: create a forgotten job, find legs without progress."""
        fact = delivered.event.payload.fact if isinstance(delivered.event, AgentLoopInit) else None
        if fact is None:
            return ()
        now_ms = self._clock.now_ms()
        job = job_from(fact.job)
        await self._list(job.id, now_ms)
        await self._store.create(_creation(job, fact.task, now_ms), delivered.message_id, now_ms)
        looked = await self._store.look(job.id, delivered.message_id, now_ms, LOST_AFTER_MS)
        own = loop_leg(job.id, delivered.event.payload.turn, delivered.event.payload.attempt, 0).key
        return tuple(leg for leg in looked.lost if leg.key != own)

    async def _list(self, job_id: str, now_ms: int) -> None:
        sweep_at_ms = now_ms + self._sweep_interval_ms
        if await self._listing.enter(job_id, now_ms, sweep_at_ms):
            await self._arm(sweep_at_ms)

    async def _arm(self, sweep_at_ms: int) -> None:
        try:
            await self._emitter.emit_to(SWEEP_ENDPOINT, f'{{"dueMs":{sweep_at_ms}}}', not_before_ms=sweep_at_ms)
        except PublishError as error:
            _log.warning("no sweep could be armed; the hourly one will look: %s", error)

    async def _take_back(self, witness_id: str) -> None:
        try:
            await self._emitter.cancel(witness_id)
        except PublishError as error:
            _log.warning("witness %s could not be taken back; it will find the job as it is: %s", witness_id, error)


def _creation(job: Job, task: dict[str, Any], now_ms: int) -> Changes:
    changes = submit(Submitted(job, task), now_ms).changes
    assert changes is not None, "a submission always creates"
    return changes


def _witness(job: Job, task: dict[str, Any], now_ms: int) -> AgentLoopInit:
    first = event_of(job.session_id, loop_leg(job.id, job.turn, 1, now_ms))
    assert isinstance(first, AgentLoopInit), "a loop leg is carried by agent.loop.init"
    fact = Submission(job=job_values(job), task=task)
    return first.model_copy(update={"payload": first.payload.model_copy(update={"fact": fact})})
