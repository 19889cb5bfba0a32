"""Submits a job: backup message, its creation unless it is there, its entry in the slot table, dispatch, answer.

The job is created as one with a slot, and corrected where the answer is another. Creation and entry travel together,
but where others may submit the same job: then what is beside it (entry, rows, counted bytes) follows the creation, by
whoever created the job, and has the values of the job that is there.
Invariant: no work of a new job is dispatched before that answer is known. After a crash before the correction, the
backup message, or a sweep, finds the difference by comparing both.

A refused submission takes its backup message back. The backup message creates a job that a failover forgot, and checks
a known one as the sweep does. The first changes of a new job: `engine.lifecycle.submitted`.
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import ValidationError
from msgspec.structs import replace

from baton.engine.all_jobs.job_texts import task_text
from baton.engine.all_jobs.slots import STALLED_AFTER_MS, QueueEntry, SlotState
from baton.engine.commit.answers import Created
from baton.engine.commit.codec import job_from, job_values
from baton.engine.commit.stored_bytes import BytesAdded
from baton.engine.decide import submit
from baton.engine.effects import Changes
from baton.engine.lifecycle import first_slot_state
from baton.engine.outbox import command_event
from baton.engine.state import Job
from baton.engine.step_results import Submitted
from baton.engine.work_items import WorkItem, slot_request_item
from baton.observability.tracing import incoming_traceparent, submission
from baton.settings.limits import TASK_BYTES
from baton.store.records.objects import job_place
from baton.worker.commands.after_failover import BeginsRun
from baton.worker.commands.backup import BACKED_UP_MS, YOUNG_MS, Backup
from baton.worker.commands.command_result import missing
from baton_events.errors import JobGoneError, MalformedEventError, ObjectStoreError, SessionBusyError, TooLargeError
from baton_events.ids import event_id, sorted_json
from baton_events.schema import Event, Submission

if TYPE_CHECKING:
    from baton.worker.commands.kept_files import KeptFiles
    from baton.worker.payloads import Payloads

_log = logging.getLogger("baton.commands")


def submitted_job(event: Event, command: Submission) -> Job:
    """Return the job that a submission has.

    Raises MalformedEventError: it cannot be read, or is another one than the event's.
    """
    try:
        job = job_from(command.job)
    except ValidationError as error:
        raise MalformedEventError(f"the submission in event {event.id} is about no job: {error}") from error
    if job.id != event.job_id:
        raise MalformedEventError(f"the submission in event {event.id} is about job {job.id}, not of {event.job_id}")
    return job


def submission_of(job: Job, task: dict[str, Any], created_at: datetime) -> tuple[Event, Submission]:
    """Return the submission of a job that no client has sent, and the event that carries it."""
    command = Submission(job=job_values(job), task=task)
    return command_event(event_id(f"submit:{job.id}"), job.id, job.session_id, created_at, command), command


def check_task(task: Mapping[str, Any]) -> int:
    """Return the size of a task, in bytes: it is at most what its backup message carries, by whatever way it comes.

    Raises TooLargeError: it is larger.
    """
    size_bytes = len(sorted_json(task).encode("utf-8", "surrogatepass"))
    if size_bytes > TASK_BYTES:
        raise TooLargeError(
            f"the task has {size_bytes} bytes, over the limit of {TASK_BYTES}: send a reference, or files"
        )
    return size_bytes


class SubmitJob(BeginsRun):
    """Submits jobs, for the API or for a backup message. `payloads`: for large tasks; None: they are as others."""

    payloads: "Payloads | None" = None

    async def __call__(
        self,
        job: Job,
        task: dict[str, Any],
        *,
        may_exist: bool = False,
        alone: bool = False,
        attached: "KeptFiles | None" = None,
    ) -> Created:
        """Accept a job: once this returns it will run to its end.

        `job`: the new job, pending. `task`: `{"text": …, "data": {…}}`. `may_exist`: whether to check first if it is
        there: then it needs no backup message, and no second entry in the slot table. `attached`: what is stored with
        it: once it may be, and before there is a job. `alone`: whether to refuse it while another job of its session
        is at work or in line.

        Raises:
            TooLargeError, SessionBusyError, StorageFullError: it is refused; there is no job, and will be none from
                this call.
            PublishError: the queue does not take the backup message, and there is no job; or it does not give it back,
                and a job may come of it.
            StoreError: the store did not answer: there is no job yet, and it starts by itself within a minute.
            JobGoneError: it was there, and its data is gone.
        """
        size_bytes = check_task(task)
        job = replace(job, traceparent=incoming_traceparent())
        backup = self._backups.of(job, Submission(job=job_values(job), task=task))
        if may_exist and (there := await self._earlier(job, backup)):
            return Created(new=False, job=there)
        await self._store_beside(job, size_bytes, attached)
        task, content = (task, b"") if self.payloads is None else await self.payloads.task_named(job, task)
        if content:  # the row tells of it whatever becomes of this call, its backup message and the job
            await self._slot_client.enlist(job)
            backup.command = Submission(job=job_values(job), task=task)
        # A store that did not answer may have created the job, and its backup message guarantees it then, so it stays.
        # It also stays where the job "was there" and yet has this call's message as relay: the creation was sent twice.
        try:
            created = await backup.committed(
                lambda relay_id: (
                    self._create_alone(job, task, relay_id, content)
                    if alone
                    else self.create(job, task, relay_id, content, others=may_exist)
                )
            )
        except SessionBusyError:
            await backup.refuse()
            raise
        if not created.new and not created.pending:
            await backup.not_needed()
        await backup.publish_if_late()
        submission(created.job, backup.began_ms, created.pending, new=created.new)
        await backup.dispatch(created.job, created.pending, counting=created.new)
        return created

    async def _earlier(self, job: Job, backup: Backup) -> Job | None:
        """Return the job that an earlier submission has created. Raises JobGoneError: its data is gone."""
        there = await self.find(job.id)
        if there is None and await self.is_gone(job.id):
            raise JobGoneError(job.id)
        if there is not None and BACKED_UP_MS <= backup.began_ms - there.created_at_ms <= YOUNG_MS:
            await backup.publish()  # the time of its creation is not known
        return there

    async def _store_beside(self, job: Job, size_bytes: int, attached: "KeptFiles | None") -> None:
        """Store what a job has beside its task, before there is a job, where its tenant may."""
        await self._slot_client.quota.check(job.tenant, size_bytes + (attached.total_bytes if attached else 0))
        if attached is not None:
            await attached.store(self._clock.now_ms())

    async def _store_task(self, job: Job, content: bytes) -> None:
        """Store a large task, before its job is created, and after its backup message is published.

        So whoever dies in between leaves no object of which no message knows; where that has come already, the job's
        row does. Raises ObjectStoreError.
        """
        if self.payloads is not None and content:
            await self.payloads.objects.put(job_place(job.tenant, job.id), job.tenant, content)

    async def create(
        self, job: Job, task: dict[str, Any], relay_id: str, content: bytes = b"", *, others: bool = False
    ) -> Created:
        """Create a job as one with a slot, enter it into the slot table, and list it; correct it in another request.

        Until it is corrected, only the caller's message is the relay of its work, and any other message compares first.
        `others`: others may create it, too.

        Raises JobGoneError: it was there, and its data is gone.
        """
        await self._store_task(job, content)
        now_ms = self._clock.now_ms()
        # A failover may have forgotten an older job, or one that starts later: its message may outrun the correction.
        at_once = not others or job.start_at_ms <= now_ms < job.created_at_ms + BACKED_UP_MS
        changes, slot_state = _changes(job, task, now_ms, slot=at_once), first_slot_state(job, now_ms)
        stored = self._slot_client.quota.submitted(job, changes)
        # Begun first, and awaited last: both are ready at the same time, so one request carries them.
        creating = asyncio.create_task(self._store.create(changes, relay_id, now_ms, _counted(stored)))
        try:
            if others and not _is_mine(created := await creating):
                return await self._found(created, job)
            slot_answer = await self._slot_client.request(
                job, slot_state, relay_id, stored=stored, text=task_text(job, task)
            )
        except BaseException:
            creating.cancel()
            await asyncio.gather(creating, return_exceptions=True)
            raise
        try:
            created = await creating
        except JobGoneError:
            await self._leave(job, slot_state, relay_id)
            raise
        if slot_answer.slot:
            return created if created.new else _with_slot_request(created, slot_state, now_ms)
        if slot_state.want != "slot" or not created.pending:
            return created
        return await self._corrected(created, max(slot_state.epoch, slot_answer.later_epoch), relay_id, now_ms)

    async def _corrected(self, created: Created, epoch: int, relay_id: str, now_ms: int) -> Created:
        """Take back the slot that a job was created with: it has none, as a sweep would find by its entry.

        An item with this call's message as relay was created by this call, also where it was sent twice.
        """
        job = created.job
        entry = QueueEntry(job.tenant, job.line, job.priority, job.created_at_ms, epoch, "slot")
        reconciled = await self._store.reconcile(job.id, relay_id, now_ms, STALLED_AFTER_MS, {job.id: entry})
        return replace(created, new=True, pending=reconciled.stalled)

    async def _create_alone(self, job: Job, task: dict[str, Any], relay_id: str, content: bytes) -> Created:
        """Enter a job into the slot table, unless another one of its session is there; then create it, and list it.

        Its backup message does not demand that: a job that was accepted, and forgotten in a failover, waits for its
        turn. Raises SessionBusyError: it was to be alone. JobGoneError: it was there, and its data is gone.
        """
        now_ms = self._clock.now_ms()
        slot_state = first_slot_state(job, now_ms)
        stored = self._slot_client.quota.submitted(job, _changes(job, task, now_ms, slot=False))
        slot_answer = await self._slot_client.request(job, slot_state, relay_id, alone=True, stored=stored)
        if slot_answer.busy:
            raise SessionBusyError(job.session_id)
        try:
            await self._store_task(job, content)
            changes = _changes(job, task, now_ms, slot=slot_answer.slot)
            created = await self._store.create(changes, relay_id, now_ms, _counted(stored))
        except (JobGoneError, ObjectStoreError):
            await self._leave(job, slot_state, relay_id)
            raise
        if _is_mine(created):
            await self._slot_client.write_row(job, task_text(job, task))
        else:
            await self._found(created, job)
        return _with_slot_request(created, slot_state, now_ms) if slot_answer.slot and not created.new else created

    async def again(self, event: Event, command: Submission, relay_id: str) -> tuple[WorkItem, ...]:
        """Repeat a backup message's submission: create a forgotten job, or check a known one as the sweep does."""
        job, task = submitted_job(event, command), command.task
        known = await self.find(job.id) is not None
        if not known and await self.is_gone(job.id):
            return ()
        kept = self.payloads and task.get("apart")  # where it is an object
        if not known and self.payloads and kept and not await self.payloads.objects.has(kept["ref"]):
            _log.info("job %s was never accepted: its task was not stored", job.id)
            return ()
        if not known:
            _log.info("job %s is created by its backup message", job.id)
            # A failover may forget this job, too, after readers have seen that it is accepted.
            await self._after_failover.publish_copy(event)
        now_ms = self._clock.now_ms()
        if known:
            changes = _changes(job, task, now_ms, slot=False)
            created = await self._found(await self._store.create(changes, relay_id, now_ms, known=True), job)
        else:
            created = await self.create(job, task, relay_id, others=True)
        entry, items = await self._after_failover.reconcile(job.id, created.pending, relay_id)
        if known and entry is None:
            if created.job.created_at_ms == job.created_at_ms:  # this submission's, which died before it was listed
                await self._slot_client.write_row(job, task_text(job, task))
            await self._after_failover.enter(event, created.job, items, relay_id)
        return items

    async def find(self, job_id: str) -> Job | None:
        loaded = await self._store.load(job_id)
        return loaded.job if loaded else None

    async def is_gone(self, job_id: str) -> bool:
        """Return whether an unknown job was there, and its data is gone."""
        return isinstance(await missing(self._archive, job_id), JobGoneError)

    async def _found(self, created: Created, job: Job) -> Created:
        """Return a job that another submission created; no row stays of this one, as a large task is listed with."""
        await self._slot_client.unlist(job, created.job)
        return created

    async def _leave(self, job: Job, slot_state: SlotState, relay_id: str) -> None:
        await self._slot_client.request(job, SlotState("gone", slot_state.epoch + 1), relay_id)


def _is_mine(created: Created) -> bool:
    """Return whether a call has created a job itself, also where its creation was sent twice."""
    return created.new or bool(created.pending)


def _with_slot_request(created: Created, slot_state: SlotState, now_ms: int) -> Created:
    """Add a slot request: another call created the job meanwhile, and the slot given here is its own."""
    return replace(
        created, pending=(*created.pending, slot_request_item(created.job.id, "slot", slot_state.epoch, now_ms))
    )


def _changes(job: Job, task: dict[str, Any], now_ms: int, *, slot: bool) -> Changes:
    changes = submit(Submitted(job, task, slot), now_ms).changes
    assert changes is not None, "a submission always creates"
    return replace(changes, apart_bytes=task["apart"]["bytes"]) if "apart" in task else changes


def _counted(stored: BytesAdded | None) -> int:
    return sum(stored.adds.values()) if stored else 0
