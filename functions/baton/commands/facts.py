"""Facts from outside: what an API call tells, told a second time by its backup message.

A fact is published first, as a message delayed by a minute (its backup message), then committed with that message as
relay message, then dispatched. So a crash in between loses nothing, and after a failover that forgot the commit it is
told again.

Source: decisions/0010-backup-messages.
"""

import logging
from collections.abc import Sequence

from baton.admission.slot_client import SlotClient
from baton.clock import Clock
from baton.commands.retry_and_delete import EndedFacts, Told
from baton.commands.schedule import next_of
from baton.commands.submit import Submitting, submitted_job
from baton.engine.all_jobs.slots import Entry, SlotState
from baton.engine.commit.answers import Outside, OutsideFact, Recorded, SignalResult
from baton.engine.decide import cancel
from baton.engine.effects import Changes
from baton.engine.state import Job
from baton.engine.step_results import Cancelled
from baton.engine.work_items import ItemKind, WorkItem
from baton.queue.dispatch import dispatch
from baton.storage.ports.all_jobs import Admission
from baton.storage.ports.jobs import Archive, Store
from baton.storage.usage import record, tell
from baton.transport.meter import charge
from baton_events.emitter import Emitter
from baton_events.errors import JobGoneError, StorageFullError, StoreError, UnknownJobError
from baton_events.ids import CHILD_SEPARATOR, canonical_json, root_of
from baton_events.schema import (
    AgentLoopInit,
    Cancellation,
    Completion,
    Event,
    Fact,
    Occurrence,
    Recurrence,
    Removal,
    Retrial,
    Submission,
)
from baton_events.timestamps import milliseconds

_log = logging.getLogger("baton.facts")

LOST_AFTER_MS = 60_000
# For so long a fact is told again where a failover forgot what it is about; longer while its root lives.
PATIENCE_MS = 900_000
# The state may change between loading a job and recording what a fact makes of it: then it is decided anew.
_ATTEMPTS = 20


class Facts:
    """Takes in facts, from the API or from a backup message."""

    def __init__(
        self, store: Store, archive: Archive, admission: Admission, asking: SlotClient, emitter: Emitter, clock: Clock
    ) -> None:
        self.ended = EndedFacts(archive, store, asking, clock)
        self.submitting = Submitting(store, asking, clock)
        self.quota = asking.quota
        self._store = store
        self._admission = admission
        self._slot_client = asking
        self._emitter = emitter
        self._clock = clock

    async def find(self, job_id: str) -> Job | None:
        """A job, if it is known."""
        loaded = await self._store.load(job_id)
        return loaded.job if loaded else None

    async def is_gone(self, job_id: str) -> bool:
        """Whether an unknown job was there, and its data is gone."""
        return isinstance(await self.ended.missing(job_id), JobGoneError)

    async def cancelled(self, job_id: str, fact: Cancellation, relay_id: str) -> Told:
        """Somebody cancels a job.

        Raises:
            UnknownJobError: there is no such job (yet). JobGoneError: its data is gone.
            StoreError: what became of it is not known: a write that was repeated may have done it the first time.
        """
        changed = False
        for _ in range(_ATTEMPTS):
            loaded = await self._store.load(job_id)
            if loaded is None:
                break
            now_ms = self._clock.now_ms()
            changes = cancel(loaded.job, Cancelled(fact.by, fact.run), now_ms).changes
            recorded, items = await record(self._store, loaded, relay_id, changes or Changes(), now_ms)
            if recorded is Recorded.COMMITTED:
                job = changes.job if changes and changes.job else loaded.job
                return Told(job, changes is not None, items)
            changed = changed or recorded is Recorded.CHANGED
        if changed:
            raise StoreError(f"job {job_id!r} changes, and a read does not show it as it is: send the request again")
        raise await self.ended.missing(job_id)

    async def outside(self, job_id: str, fact: OutsideFact, relay_id: str) -> Outside:
        """Something has come from outside that a job waits for, or will.

        Raises:
            UnknownJobError: there is no such job, or it is not in that run (yet).
        """
        told = await tell(self._store, job_id, relay_id, fact, self._clock.now_ms())
        if told.signal_result is SignalResult.UNKNOWN:
            raise UnknownJobError(f"there is no job {job_id!r} (yet), or it is not in run {fact.run}")
        return told

    async def backup(self, event: Event, relay_id: str, token: str = "") -> tuple[WorkItem, ...] | None:
        """Take in the fact that an event tells; returns work items to dispatch, None where it tells none.

        `token`: what the queue signed when it delivered the event; empty where `carrier` itself was signed.

        Raises:
            UnknownJobError: its job is not known (yet), or the tool call that it is about.
        """
        fact = event.payload.fact if isinstance(event, AgentLoopInit) else None
        if fact is None:
            return None
        try:
            return await self._told_again(event, fact, relay_id, token)
        except JobGoneError:
            return ()
        except UnknownJobError:
            await self._bring_on(event, relay_id)
            raise

    async def _told_again(self, event: Event, fact: Fact, relay_id: str, token: str) -> tuple[WorkItem, ...]:
        match fact:
            case Cancellation():
                return (await self.cancelled(event.job_id, fact, relay_id)).items
            case Retrial():
                return await self._retrial_again(event, fact, relay_id)
            case Removal():
                return await self._once_more(event, await self.ended.removed(event.job_id, fact, relay_id))
            case Completion() | Occurrence():
                return await self._outside_again(event, outside_fact(event.id, fact), relay_id)
            case Submission():
                return await self._submission_again(event, fact, relay_id)
            case Recurrence():
                return await self._fired(event, fact, relay_id, token)

    async def _fired(self, event: Event, fact: Recurrence, relay_id: str, token: str) -> tuple[WorkItem, ...]:
        """A schedule starts a job, unless its tenant has stored too much by now."""
        charge(messages=1)  # the queue's schedule made it
        named = await self._admission.bearer(token, relay_id) if token else relay_id
        submission, submitted = next_of(event, fact, named, self._clock.now_ms())
        if await self._has_room(submission, submitted):
            return await self._submission_again(submission, submitted, relay_id)
        return ()

    async def _once_more(self, event: Event, told: Told) -> tuple[WorkItem, ...]:
        """A failover forgot the end that the fact is about: once the job has ended again, the fact counts."""
        if told.early:
            await self.tell_again(event, "again")
        return told.items

    async def _retrial_again(self, event: Event, fact: Retrial, relay_id: str) -> tuple[WorkItem, ...]:
        """Let a job run again, to be told once more; look at one that has begun to as the sweep does."""
        told = await self.ended.retried(event.job_id, fact, relay_id)
        if told.changed:
            await self._backup_more(event)  # what is done now may be forgotten, too
        if told.changed or told.early or told.refused:
            return await self._once_more(event, told)
        entry, items = await self._look_again(told.job.id, told.items, relay_id)
        if entry is None or entry.want == "gone":  # forgotten, or known by the end of the run before
            await self._enter_again(event, told.job, items, relay_id)
        return items

    async def _outside_again(self, event: Event, fact: OutsideFact, relay_id: str) -> tuple[WorkItem, ...]:
        """A failover forgot what is new here, and may do so again; where it forgot the call, too, it is redriven."""
        told = await self.outside(event.job_id, fact, relay_id)
        if told.signal_result.is_new:
            await self.tell_again(event, "kept")
        if told.signal_result is SignalResult.EARLY:
            await self._bring_on(event, relay_id)
        return told.items

    async def tell_again(self, event: Event, why: str) -> bool:
        """Publish a fact again: for PATIENCE_MS, and longer where its root lives; False: it has had its time.

        Each minute at first, then in steps of an eighth to a quarter of its age, once a step however many copies there
        are: each of them would bring one back, which is copied again.
        """
        now_ms = self._clock.now_ms()
        age_ms = now_ms - milliseconds(event.created_at)
        if age_ms > PATIENCE_MS and not await self._lives(root_of(event.job_id)):
            return False
        step_ms = LOST_AFTER_MS << max(0, (age_ms // LOST_AFTER_MS // 4).bit_length() - 1)
        once = f"{event.id}.{why}.{step_ms}.{age_ms // step_ms}"
        await self._emitter.emit(event, not_before_ms=now_ms + step_ms, deduplication_id=once)
        charge(messages=1)
        return True

    async def _lives(self, job_id: str) -> bool:
        job = await self.find(job_id)
        return job is not None and not job.ended

    async def _submission_again(self, event: Event, fact: Submission, relay_id: str) -> tuple[WorkItem, ...]:
        """Create a forgotten job, to be told once more; look at a known one as the sweep does."""
        job, task = submitted_job(event, fact), fact.task
        known = await self.find(job.id) is not None
        if not known and await self.is_gone(job.id):
            return ()
        if not known:
            _log.info("job %s is created by its backup message", job.id)
            # What is created now may be forgotten, too, and somebody who asks meanwhile is told that it is accepted.
            await self._backup_more(event)
        created = await self.submitting.submit(job, task, relay_id, known=known)
        entry, items = await self._look_again(job.id, created.pending, relay_id)
        if known and entry is None:
            await self._enter_again(event, created.job, items, relay_id)
        return items

    async def _has_room(self, event: Event, fact: Submission) -> bool:
        """Whether a schedule may start its job: one that it has started goes on."""
        try:
            await self.quota.check(submitted_job(event, fact).tenant)
        except StorageFullError as error:
            if await self.find(event.job_id) is None:
                _log.warning("job %s of a schedule is not started: %s", event.job_id, error)
                return False
        return True

    async def _look_again(
        self, job_id: str, pending: tuple[WorkItem, ...], relay_id: str
    ) -> tuple[Entry | None, tuple[WorkItem, ...]]:
        """What the admission knows of a job, and what to dispatch: what the relay carries, and what a sweep finds."""
        entry, lost = await self._look(job_id, relay_id)
        found = {item.key for item in lost}
        return entry, (*lost, *(item for item in pending if item.key not in found))

    async def _backup_more(self, event: Event) -> None:
        await self._emitter.emit(event, not_before_ms=self._clock.now_ms() + LOST_AFTER_MS)
        charge(messages=1)

    async def _enter_again(self, event: Event, job: Job, items: Sequence[WorkItem], relay_id: str) -> None:
        """A failover made the admission forget a job: until somebody speaks of it, no sweep looks at it.

        So a word of its own is said at once, not only once its slot request is delivered: what was published may never
        arrive. That word may be forgotten, too, so the submission is told once more.
        """
        slot_request = next(
            (item for item in items if item.kind is ItemKind.SLOT_REQUEST and item.job_id == job.id), None
        )
        if slot_request is not None and slot_request.want == "slot":
            await self._slot_client.ask(job, SlotState("slot", slot_request.attempt), relay_id)
            await self._backup_more(event)
        elif job.ended and not items:
            # The word of this end: one of a run that has begun meanwhile is a later one. It stays in the slot table
            # until a sweep has compared.
            await self._slot_client.ask(job, SlotState("gone", job.finished_at_ms or 0), relay_id)

    async def _bring_on(self, event: Event, relay_id: str) -> None:
        """A failover forgot what a fact is about: what led to it is redriven, as by a sweep, and leads to it again."""
        names = event.job_id.split(CHILD_SEPARATOR)
        lost = [
            item
            for depth in range(len(names))
            for item in (await self._look(CHILD_SEPARATOR.join(names[: depth + 1]), relay_id))[1]
        ]
        await dispatch(self._emitter, event.session_id, lost, f"{relay_id}.{self._clock.now_ms()}")

    async def _look(self, job_id: str, relay_id: str) -> tuple[Entry | None, tuple[WorkItem, ...]]:
        """What the admission knows of a job, and its work items that nobody brings on, as a sweep finds them."""
        entry = await self._admission.entry(job_id)
        slot_table = {job_id: entry} if entry else {}
        now_ms = self._clock.now_ms()
        looked = await self._store.look(root_of(job_id), relay_id, now_ms, LOST_AFTER_MS, slot_table, only=job_id)
        return entry, looked.lost


def outside_fact(fact_id: str, fact: Completion | Occurrence) -> OutsideFact:
    """What an event tells of the outside, as the store takes it; it has the event's id."""
    match fact:
        case Completion():
            return OutsideFact(fact_id, canonical_json(fact.outcome), call_id=fact.call_id, run=fact.run)
        case Occurrence():
            return OutsideFact(fact_id, canonical_json({"ok": fact.data}), event=fact.name)
