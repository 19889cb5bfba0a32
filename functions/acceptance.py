"""API calls that change a job: witness first, then commit, then hand on, then answer (DESIGN 3, "Accepting").

A refused call takes its witness back. Once the commit is done the answer stands, whether handing on works or not: the
witness hands on within a minute.
"""

import logging
from typing import Any

from events.core.legs import Leg
from events.core.records import job_values
from events.core.state import Job
from events.emitter import Emitter
from events.errors import PublishError, UnknownJobError
from events.ids import event_id
from events.ports import Clock, Created, Randomness
from events.schema import AgentLoopInit, Cancellation, LoopPayload, Submission
from events.timestamps import moment
from functions.facts import Facts, Told
from functions.handing_on import hand_on

_log = logging.getLogger("baton.acceptance")

WITNESS_DELAY_MS = 60_000


class Acceptance:
    """Accepts submissions and cancellations."""

    def __init__(self, facts: Facts, emitter: Emitter, clock: Clock, randomness: Randomness) -> None:
        self._facts = facts
        self._emitter = emitter
        self._clock = clock
        self._randomness = randomness

    async def submit(self, job: Job, task: dict[str, Any], *, may_exist: bool = False) -> Created:
        """Accept a job: once this returns it will run to its end.

        Args:
            job: the new job, pending.
            task: `{"text": …, "data": {…}}`.
            may_exist: look first whether it is there: then it needs no witness, and no second place in the book.

        Raises:
            PublishError: the queue does not take the witness; there is no job.
            StoreError: the store did not answer: there is no job yet, and it starts by itself within a minute.
        """
        if may_exist and (there := await self._facts.find(job.id)):
            return Created(new=False, job=there)
        # A store that did not answer may have done what it was asked: then the witness is what guarantees it, so it
        # stays. So it does where the job "was there" and yet is carried by this very call, which was made twice.
        witness_id = await self._witness(job.id, job.session_id, Submission(job=job_values(job), task=task))
        created = await self._facts.submitted(job, task, witness_id)
        if not created.new and not created.carried:
            await self._take_back(witness_id)
        await self._hand_on(created.job, created.carried, witness_id)
        return created

    async def cancel(self, job: Job, by: str) -> Told:
        """Cancel a job at once; one that has ended stays as it is.

        Raises:
            PublishError, StoreError: as for a submission.
        """
        witness_id = await self._witness(job.id, job.session_id, Cancellation(by=by))
        try:
            told = await self._facts.cancelled(job.id, by, witness_id)
        except UnknownJobError:
            await self._take_back(witness_id)
            raise
        if not told.changed and not told.legs:
            await self._take_back(witness_id)
        await self._hand_on(told.job, told.legs, witness_id)
        return told

    async def _witness(self, job_id: str, session_id: str, fact: Submission | Cancellation) -> str:
        now_ms = self._clock.now_ms()
        event = AgentLoopInit(
            id=event_id(f"{fact.kind}:{job_id}:{self._randomness.token()}"),
            session_id=session_id,
            job_id=job_id,
            created_at=moment(now_ms),
            payload=LoopPayload(turn=1, fact=fact),
        )
        return await self._emitter.emit(event, not_before_ms=now_ms + WITNESS_DELAY_MS)

    async def _hand_on(self, job: Job, legs: tuple[Leg, ...], witness_id: str) -> None:
        try:
            await hand_on(self._emitter, job.session_id, legs, witness_id)
        except PublishError as error:
            _log.warning("what follows for job %s is handed on within a minute, by its witness: %s", job.id, error)

    async def _take_back(self, witness_id: str) -> None:
        try:
            await self._emitter.cancel(witness_id)
        except PublishError as error:
            _log.warning("witness %s could not be taken back; it will find the job as it is: %s", witness_id, error)
