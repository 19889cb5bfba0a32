"""API calls that change a job: witness first, then commit, then hand on, then answer (DESIGN 3, "Accepting").

A refused call takes its witness back. Once the commit is done the answer stands, whether handing on works or not: the
witness hands on within a minute, and of a call so slow that its witness is over, the sweep does.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec.structs import replace

from baton.commands.facts import Facts, outside_fact
from baton.commands.told import Told
from baton.core.legs import Leg
from baton.core.records import job_values
from baton.core.state import Job
from baton.dispatch.handing_on import hand_on
from baton.emitter import Emitter
from baton.following.job_notices import JobNotices
from baton.observability.tracing import incoming_traceparent, submission
from baton.ports import Clock, Created, Heeded, Randomness, charge
from baton_events.errors import JobGoneError, PublishError, SessionBusyError, StoreError, UnknownJobError
from baton_events.ids import event_id
from baton_events.schema import (
    AgentLoopInit,
    Cancellation,
    Completion,
    Fact,
    LoopPayload,
    Occurrence,
    Removal,
    Retrial,
    Submission,
)
from baton_events.timestamps import moment

_log = logging.getLogger("baton.acceptance")

WITNESS_DELAY_MS = 60_000
# A commit is told a second time when a failover can no longer forget it (20 s, and clocks that are wrong): one that
# comes later than this after its witness was published needs another witness.
WITNESSED_MS = WITNESS_DELAY_MS - 25_000
# For so long after it was submitted a job may have been created by a call that was late itself, or by its witness.
YOUNG_MS = 900_000


class Acceptance:
    """Accepts submissions, and what else changes a job."""

    def __init__(
        self, facts: Facts, emitter: Emitter, clock: Clock, randomness: Randomness, notices: JobNotices
    ) -> None:
        self._facts = facts
        self._notices = notices
        self._ended = facts.ended
        self._emitter = emitter
        self._clock = clock
        self._randomness = randomness

    async def submit(self, job: Job, task: dict[str, Any], *, may_exist: bool = False, alone: bool = False) -> Created:
        """Accept a job: once this returns it will run to its end.

        Args:
            job: the new job, pending.
            task: `{"text": …, "data": {…}}`.
            may_exist: look first whether it is there: then it needs no witness, and no second place in the book.
            alone: refuse it while another job of its session is at work or in line.

        Raises:
            SessionBusyError, StorageFullError: it is refused; there is no job, and will be none from this call.
            PublishError: the queue does not take the witness, and there is no job; or it does not give it back, and
                nobody knows whether there will be one.
            StoreError: the store did not answer: there is no job yet, and it starts by itself within a minute.
            JobGoneError: it was there, and its data is gone.
        """
        job = replace(job, traceparent=incoming_traceparent())
        fact, began_ms = Submission(job=job_values(job), task=task), self._clock.now_ms()
        if may_exist and (there := await self._facts.find(job.id)):
            if WITNESSED_MS <= began_ms - there.created_at_ms <= YOUNG_MS:
                await self._witness(job.id, job.session_id, fact)  # when it was created, nobody knows
            return Created(new=False, job=there)
        if may_exist and await self._facts.is_gone(job.id):
            raise JobGoneError(job.id)
        await self._facts.quota.check(job.tenant)
        # A store that did not answer may have done what it was asked: then the witness is what guarantees it, so it
        # stays. So it does where the job "was there" and yet is carried by this very call, which was made twice.
        witness_id = await self._witness(job.id, job.session_id, fact)
        try:
            created = await self._facts.submitting.submit(job, task, witness_id, alone=alone)
        except SessionBusyError:
            await self._refuse(witness_id, began_ms)
            raise
        except JobGoneError:
            await self._not_needed(witness_id, began_ms)
            raise
        if not created.new and not created.carried:
            await self._not_needed(witness_id, began_ms)
        await self._witness_late(job, fact, began_ms)
        submission(created.job, began_ms, created.carried)
        await self._hand_on(created.job, created.carried, witness_id)
        return created

    async def cancel(self, job: Job, by: str) -> Told:
        """Cancel a job at once; one that has ended stays as it is.

        Raises:
            PublishError, StoreError: as for a submission.
        """
        fact, began_ms = Cancellation(by=by, run=job.run), self._clock.now_ms()
        witness_id = await self._witness(job.id, job.session_id, fact)
        try:
            told = await self._facts.cancelled(job.id, fact, witness_id)
        except (UnknownJobError, JobGoneError):
            await self._not_needed(witness_id, began_ms)
            raise
        if not told.changed and not told.legs and began_ms - (told.job.finished_at_ms or 0) > YOUNG_MS:
            await self._not_needed(witness_id, began_ms)
        await self._witness_late(job, fact, began_ms)
        await self._hand_on(told.job, told.legs, witness_id)
        return told

    async def retry(self, job: Job, by: str, *, from_start: bool) -> Told:
        """Let an ended job run again; one that somebody has retried since it was read stays as it is.

        Raises:
            PublishError, StoreError: as for a submission. JobGoneError: its data is gone.
        """
        fact = Retrial(run=job.run, from_start=from_start, by=by)
        return await self._about_ended(job, fact, lambda witness_id: self._ended.retried(job.id, fact, witness_id))

    async def remove(self, job: Job) -> Told:
        """Delete the data of an ended job.

        Raises:
            PublishError, StoreError: as for a submission. JobGoneError: its data is gone, as it should be.
        """
        fact = Removal(run=job.run)
        return await self._about_ended(job, fact, lambda witness_id: self._ended.removed(job.id, fact, witness_id))

    async def _about_ended(self, job: Job, fact: Fact, tell: Callable[[str], Awaitable[Told]]) -> Told:
        began_ms = self._clock.now_ms()
        witness_id = await self._witness(job.id, job.session_id, fact)
        try:
            told = await tell(witness_id)
        except (UnknownJobError, JobGoneError):
            await self._not_needed(witness_id, began_ms)
            raise
        if not told.refused:
            await self._witness_late(job, fact, began_ms)
            await self._hand_on(told.job, told.legs, witness_id)
            return told
        # Its look at the job may have made it wish: a witness that carries that is not taken back before it is out.
        await hand_on(self._emitter, job.session_id, told.legs, witness_id)
        if self._is_late(began_ms):
            raise StoreError(f"job {job.id!r} may still be changed: its witness is under way; read it in a minute")
        await self._take_back(witness_id)
        return told

    async def outside(self, job: Job, fact: Completion | Occurrence) -> Heeded:
        """Take in what a job waits for, or will: an operation's outcome, or an event. The first outcome stays.

        Raises:
            UnknownJobError: there is no such tool call of the job.
            PublishError, StoreError: as for a submission.
        """
        if isinstance(fact, Completion):
            fact = fact.model_copy(update={"run": job.run})
        began_ms, fact_id = self._clock.now_ms(), self._fact_id(fact, job.id)
        witness_id = await self._witness(job.id, job.session_id, fact, fact_id)
        try:
            told = await self._facts.outside(job.id, outside_fact(fact_id, fact), witness_id)
        except UnknownJobError:
            await self._not_needed(witness_id, began_ms)
            raise
        if told.heeded in (Heeded.OTHER, Heeded.ENDED) and not told.legs:
            await self._not_needed(witness_id, began_ms)
        await self._witness_late(job, fact, began_ms, fact_id)
        await self._hand_on(job, told.legs, witness_id)
        return told.heeded

    def _fact_id(self, fact: Fact, job_id: str) -> str:
        return event_id(f"{fact.kind}:{job_id}:{self._randomness.token()}")

    async def _witness(self, job_id: str, session_id: str, fact: Fact, fact_id: str = "") -> str:
        now_ms = self._clock.now_ms()
        event = AgentLoopInit(
            id=fact_id or self._fact_id(fact, job_id),
            session_id=session_id,
            job_id=job_id,
            created_at=moment(now_ms),
            payload=LoopPayload(turn=1, fact=fact),
        )
        message_id = await self._emitter.emit(event, not_before_ms=now_ms + WITNESS_DELAY_MS)
        charge(messages=1)
        return message_id

    async def _witness_late(self, job: Job, fact: Fact, began_ms: int, fact_id: str = "") -> None:
        """A call that was slow may have committed just before its witness came, or after it."""
        if self._is_late(began_ms):
            await self._witness(job.id, job.session_id, fact, fact_id)

    async def _not_needed(self, witness_id: str, began_ms: int) -> None:
        """This call did nothing. A witness that may be under way can carry legs by now, and is not taken back."""
        if not self._is_late(began_ms):
            await self._take_back(witness_id)

    async def _refuse(self, witness_id: str, began_ms: int) -> None:
        """Who is told that a job is refused must not see it run: so its witness has to be gone for sure.

        One that may be under way is not taken back, as in `_not_needed`: it may have created the job by now.

        Raises:
            PublishError: it may come.
        """
        if not self._is_late(began_ms):
            await self._emitter.cancel(witness_id)
        if self._is_late(began_ms):
            raise PublishError(f"witness {witness_id} may have come before: whether its job is refused is not known")

    def _is_late(self, began_ms: int) -> bool:
        return self._clock.now_ms() - began_ms >= WITNESSED_MS

    async def _hand_on(self, job: Job, legs: tuple[Leg, ...], witness_id: str) -> None:
        self._notices.notify(job.id)
        try:
            await hand_on(self._emitter, job.session_id, legs, witness_id)
        except PublishError as error:
            _log.warning(
                "what follows for job %s is handed on in a minute or two, by its witness or a sweep: %s", job.id, error
            )

    async def _take_back(self, witness_id: str) -> None:
        try:
            await self._emitter.cancel(witness_id)
        except PublishError as error:
            _log.warning("witness %s could not be taken back; it will find the job as it is: %s", witness_id, error)
