"""API calls that change a job: backup message first, then commit, then dispatch, then answer.

A refused call takes its backup message back. Once the commit is done the answer stands, whether dispatching works or
not: the backup message dispatches within a minute, and of a call so slow that its backup message is over, the sweep
does.

Source: decisions/0010-backup-messages.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec.structs import replace

from baton.clock import Clock, Randomness
from baton.commands.facts import Facts, outside_fact
from baton.commands.follow import JobNotices
from baton.commands.retry_and_delete import Told
from baton.engine.commit.answers import Created, SignalResult
from baton.engine.commit.codec import job_values
from baton.engine.state import Job
from baton.engine.work_items import WorkItem
from baton.observability.tracing import incoming_traceparent, submission
from baton.queue.dispatch import dispatch
from baton.transport.meter import charge
from baton_events.emitter import Emitter
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

BACKUP_DELAY_MS = 60_000
# A commit is told a second time when a failover can no longer forget it (20 s, and clocks that are wrong): one that
# comes later than this after its backup message was published needs another backup message.
WITNESSED_MS = BACKUP_DELAY_MS - 25_000
# For so long after it was submitted a job may have been created by a call that was late itself, or by its backup
# message.
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
            may_exist: look first whether it is there: then it needs no backup message, and no second place in the slot
                table.
            alone: refuse it while another job of its session is at work or in line.

        Raises:
            SessionBusyError, StorageFullError: it is refused; there is no job, and will be none from this call.
            PublishError: the queue does not take the backup message, and there is no job; or it does not give it back,
            and
                nobody knows whether there will be one.
            StoreError: the store did not answer: there is no job yet, and it starts by itself within a minute.
            JobGoneError: it was there, and its data is gone.
        """
        job = replace(job, traceparent=incoming_traceparent())
        fact, began_ms = Submission(job=job_values(job), task=task), self._clock.now_ms()
        if may_exist and (there := await self._facts.find(job.id)):
            if WITNESSED_MS <= began_ms - there.created_at_ms <= YOUNG_MS:
                await self._backup(job.id, job.session_id, fact)  # when it was created, nobody knows
            return Created(new=False, job=there)
        if may_exist and await self._facts.is_gone(job.id):
            raise JobGoneError(job.id)
        await self._facts.quota.check(job.tenant)
        # A store that did not answer may have done what it was asked: then the backup message is what guarantees it, so
        # it stays. So it does where the job "was there" and yet is carried by this very call, which was made twice.
        backup_id = await self._backup(job.id, job.session_id, fact)
        try:
            created = await self._facts.submitting.submit(job, task, backup_id, alone=alone)
        except SessionBusyError:
            await self._refuse(backup_id, began_ms)
            raise
        except JobGoneError:
            await self._not_needed(backup_id, began_ms)
            raise
        if not created.new and not created.pending:
            await self._not_needed(backup_id, began_ms)
        await self._backup_late(job, fact, began_ms)
        submission(created.job, began_ms, created.pending)
        await self._dispatch(created.job, created.pending, backup_id)
        return created

    async def cancel(self, job: Job, by: str) -> Told:
        """Cancel a job at once; one that has ended stays as it is.

        Raises:
            PublishError, StoreError: as for a submission.
        """
        fact, began_ms = Cancellation(by=by, run=job.run), self._clock.now_ms()
        backup_id = await self._backup(job.id, job.session_id, fact)
        try:
            told = await self._facts.cancelled(job.id, fact, backup_id)
        except (UnknownJobError, JobGoneError):
            await self._not_needed(backup_id, began_ms)
            raise
        if not told.changed and not told.items and began_ms - (told.job.finished_at_ms or 0) > YOUNG_MS:
            await self._not_needed(backup_id, began_ms)
        await self._backup_late(job, fact, began_ms)
        await self._dispatch(told.job, told.items, backup_id)
        return told

    async def retry(self, job: Job, by: str, *, from_start: bool) -> Told:
        """Let an ended job run again; one that somebody has retried since it was read stays as it is.

        Raises:
            PublishError, StoreError: as for a submission. JobGoneError: its data is gone.
        """
        fact = Retrial(run=job.run, from_start=from_start, by=by)
        return await self._about_ended(job, fact, lambda backup_id: self._ended.retried(job.id, fact, backup_id))

    async def remove(self, job: Job) -> Told:
        """Delete the data of an ended job.

        Raises:
            PublishError, StoreError: as for a submission. JobGoneError: its data is gone, as it should be.
        """
        fact = Removal(run=job.run)
        return await self._about_ended(job, fact, lambda backup_id: self._ended.removed(job.id, fact, backup_id))

    async def _about_ended(self, job: Job, fact: Fact, tell: Callable[[str], Awaitable[Told]]) -> Told:
        began_ms = self._clock.now_ms()
        backup_id = await self._backup(job.id, job.session_id, fact)
        try:
            told = await tell(backup_id)
        except (UnknownJobError, JobGoneError):
            await self._not_needed(backup_id, began_ms)
            raise
        if not told.refused:
            await self._backup_late(job, fact, began_ms)
            await self._dispatch(told.job, told.items, backup_id)
            return told
        # Its look at the job may have made it slot request: a backup message that carries that is not taken back before
        # it is out.
        await dispatch(self._emitter, job.session_id, told.items, backup_id)
        if self._is_late(began_ms):
            raise StoreError(
                f"job {job.id!r} may still be changed: its backup message is under way; read it in a minute"
            )
        await self._take_back(backup_id)
        return told

    async def outside(self, job: Job, fact: Completion | Occurrence) -> SignalResult:
        """Take in what a job waits for, or will: an operation's outcome, or an event. The first outcome stays.

        Raises:
            UnknownJobError: there is no such tool call of the job.
            PublishError, StoreError: as for a submission.
        """
        if isinstance(fact, Completion):
            fact = fact.model_copy(update={"run": job.run})
        began_ms, fact_id = self._clock.now_ms(), self._fact_id(fact, job.id)
        backup_id = await self._backup(job.id, job.session_id, fact, fact_id)
        try:
            told = await self._facts.outside(job.id, outside_fact(fact_id, fact), backup_id)
        except UnknownJobError:
            await self._not_needed(backup_id, began_ms)
            raise
        if told.signal_result in (SignalResult.OTHER, SignalResult.ENDED) and not told.items:
            await self._not_needed(backup_id, began_ms)
        await self._backup_late(job, fact, began_ms, fact_id)
        await self._dispatch(job, told.items, backup_id)
        return told.signal_result

    def _fact_id(self, fact: Fact, job_id: str) -> str:
        return event_id(f"{fact.kind}:{job_id}:{self._randomness.token()}")

    async def _backup(self, job_id: str, session_id: str, fact: Fact, fact_id: str = "") -> str:
        now_ms = self._clock.now_ms()
        event = AgentLoopInit(
            id=fact_id or self._fact_id(fact, job_id),
            session_id=session_id,
            job_id=job_id,
            created_at=moment(now_ms),
            payload=LoopPayload(turn=1, fact=fact),
        )
        message_id = await self._emitter.emit(event, not_before_ms=now_ms + BACKUP_DELAY_MS)
        charge(messages=1)
        return message_id

    async def _backup_late(self, job: Job, fact: Fact, began_ms: int, fact_id: str = "") -> None:
        """A call that was slow may have committed just before its backup message came, or after it."""
        if self._is_late(began_ms):
            await self._backup(job.id, job.session_id, fact, fact_id)

    async def _not_needed(self, backup_id: str, began_ms: int) -> None:
        """This call did nothing. A backup that may be under way can carry work items by now, and is not taken back."""
        if not self._is_late(began_ms):
            await self._take_back(backup_id)

    async def _refuse(self, backup_id: str, began_ms: int) -> None:
        """Who is told that a job is refused must not see it run: so its backup message has to be gone for sure.

        One that may be under way is not taken back, as in `_not_needed`: it may have created the job by now.

        Raises:
            PublishError: it may come.
        """
        if not self._is_late(began_ms):
            await self._emitter.cancel(backup_id)
        if self._is_late(began_ms):
            raise PublishError(
                f"backup message {backup_id} may have come before: whether its job is refused is not known"
            )

    def _is_late(self, began_ms: int) -> bool:
        return self._clock.now_ms() - began_ms >= WITNESSED_MS

    async def _dispatch(self, job: Job, items: tuple[WorkItem, ...], backup_id: str) -> None:
        self._notices.notify(job.id)
        try:
            await dispatch(self._emitter, job.session_id, items, backup_id)
        except PublishError as error:
            _log.warning(
                "the next step of job %s is dispatched within two minutes, by its backup message or a sweep: %s",
                job.id,
                error,
            )

    async def _take_back(self, backup_id: str) -> None:
        try:
            await self._emitter.cancel(backup_id)
        except PublishError as error:
            _log.warning(
                "backup message %s could not be taken back; it will find the job as it is: %s", backup_id, error
            )
