"""Facts from outside: what an API call tells, told a second time by its witness (DESIGN 3, "Accepting").

A fact is published first, as a message delayed by a minute (its witness), then committed with that message as carrier,
then handed on. So a crash in between loses nothing, and after a failover that forgot the commit it is told again.
"""

import logging
from collections.abc import Sequence

from msgspec import ValidationError

from baton.admission.asking import Asking
from baton.commands.ended_facts import EndedFacts
from baton.commands.recurring import next_of
from baton.commands.submitting import Submitting
from baton.commands.told import Told
from baton.core.admission import Entry, Standing
from baton.core.decide import cancel
from baton.core.effects import Changes
from baton.core.happenings import Cancelled
from baton.core.legs import Leg, LegKind
from baton.core.records import job_from
from baton.core.state import Job
from baton.dispatch.books import record, tell
from baton.dispatch.handing_on import hand_on
from baton.emitter import Emitter
from baton.ports import Admission, Archive, Clock, Heeded, Outside, OutsideFact, Recorded, Store, charge
from baton_events.errors import JobGoneError, MalformedEventError, StorageFullError, StoreError, UnknownJobError
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
    """Takes in facts, from the API or from a witness."""

    def __init__(
        self, store: Store, archive: Archive, admission: Admission, asking: Asking, emitter: Emitter, clock: Clock
    ) -> None:
        self.ended = EndedFacts(archive, store, asking, clock)
        self.submitting = Submitting(store, asking, clock)
        self.quota = asking.quota
        self._store = store
        self._admission = admission
        self._asking = asking
        self._emitter = emitter
        self._clock = clock

    async def find(self, job_id: str) -> Job | None:
        """A job, if it is known."""
        loaded = await self._store.load(job_id)
        return loaded.job if loaded else None

    async def is_gone(self, job_id: str) -> bool:
        """Whether an unknown job was there, and its data is gone."""
        return isinstance(await self.ended.missing(job_id), JobGoneError)

    async def cancelled(self, job_id: str, fact: Cancellation, carrier: str) -> Told:
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
            recorded, legs = await record(self._store, loaded, carrier, changes or Changes(), now_ms)
            if recorded is Recorded.COMMITTED:
                job = changes.job if changes and changes.job else loaded.job
                return Told(job, changes is not None, legs)
            changed = changed or recorded is Recorded.CHANGED
        if changed:
            raise StoreError(f"job {job_id!r} changes, and a read does not show it as it is: send the request again")
        raise await self.ended.missing(job_id)

    async def outside(self, job_id: str, fact: OutsideFact, carrier: str) -> Outside:
        """Something has come from outside that a job waits for, or will.

        Raises:
            UnknownJobError: there is no such job, or it is not in that run (yet).
        """
        told = await tell(self._store, job_id, carrier, fact, self._clock.now_ms())
        if told.heeded is Heeded.UNKNOWN:
            raise UnknownJobError(f"there is no job {job_id!r} (yet), or it is not in run {fact.run}")
        return told

    async def witness(self, event: Event, carrier: str, token: str = "") -> tuple[Leg, ...] | None:
        """Take in the fact that an event tells; returns legs to hand on, None where it tells none.

        `token`: what the queue signed when it delivered the event; empty where `carrier` itself was signed.

        Raises:
            UnknownJobError: its job is not known (yet), or the tool call that it is about.
        """
        fact = event.payload.fact if isinstance(event, AgentLoopInit) else None
        if fact is None:
            return None
        try:
            return await self._told_again(event, fact, carrier, token)
        except JobGoneError:
            return ()
        except UnknownJobError:
            await self._bring_on(event, carrier)
            raise

    async def _told_again(self, event: Event, fact: Fact, carrier: str, token: str) -> tuple[Leg, ...]:
        match fact:
            case Cancellation():
                return (await self.cancelled(event.job_id, fact, carrier)).legs
            case Retrial():
                return await self._retrial_again(event, fact, carrier)
            case Removal():
                return await self._once_more(event, await self.ended.removed(event.job_id, fact, carrier))
            case Completion() | Occurrence():
                return await self._outside_again(event, outside_fact(event.id, fact), carrier)
            case Submission():
                return await self._submission_again(event, fact, carrier)
            case Recurrence():
                return await self._fired(event, fact, carrier, token)

    async def _fired(self, event: Event, fact: Recurrence, carrier: str, token: str) -> tuple[Leg, ...]:
        """A schedule starts a job, unless its tenant has stored too much by now."""
        charge(messages=1)  # the queue's schedule made it
        named = await self._admission.bearer(token, carrier) if token else carrier
        submission, submitted = next_of(event, fact, named, self._clock.now_ms())
        if await self._has_room(submission, submitted):
            return await self._submission_again(submission, submitted, carrier)
        return ()

    async def _once_more(self, event: Event, told: Told) -> tuple[Leg, ...]:
        """A failover forgot the end that the fact is about: once the job has ended again, the fact counts."""
        if told.early:
            await self.tell_again(event, "again")
        return told.legs

    async def _retrial_again(self, event: Event, fact: Retrial, carrier: str) -> tuple[Leg, ...]:
        """Let a job run again, to be told once more; look at one that has begun to as the sweep does."""
        told = await self.ended.retried(event.job_id, fact, carrier)
        if told.changed:
            await self._witness_more(event)  # what is done now may be forgotten, too
        if told.changed or told.early or told.refused:
            return await self._once_more(event, told)
        entry, legs = await self._look_again(told.job.id, told.legs, carrier)
        if entry is None or entry.want == "gone":  # forgotten, or known by the end of the run before
            await self._enter_again(event, told.job, legs, carrier)
        return legs

    async def _outside_again(self, event: Event, fact: OutsideFact, carrier: str) -> tuple[Leg, ...]:
        """A failover forgot what is new here, and may do so once more; where it forgot the call, too, it is driven."""
        told = await self.outside(event.job_id, fact, carrier)
        if told.heeded.is_new:
            await self.tell_again(event, "kept")
        if told.heeded is Heeded.EARLY:
            await self._bring_on(event, carrier)
        return told.legs

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

    async def _submission_again(self, event: Event, fact: Submission, carrier: str) -> tuple[Leg, ...]:
        """Create a forgotten job, to be told once more; look at a known one as the sweep does."""
        job, task = _job_of(event, fact), fact.task
        known = await self.find(job.id) is not None
        if not known and await self.is_gone(job.id):
            return ()
        if not known:
            _log.info("job %s is created by its witness", job.id)
            # What is created now may be forgotten, too, and somebody who asks meanwhile is told that it is accepted.
            await self._witness_more(event)
        created = await self.submitting.submit(job, task, carrier, known=known)
        entry, legs = await self._look_again(job.id, created.carried, carrier)
        if known and entry is None:
            await self._enter_again(event, created.job, legs, carrier)
        return legs

    async def _has_room(self, event: Event, fact: Submission) -> bool:
        """Whether a schedule may start its job: one that it has started goes on."""
        try:
            await self.quota.check(_job_of(event, fact).tenant)
        except StorageFullError as error:
            if await self.find(event.job_id) is None:
                _log.warning("job %s of a schedule is not started: %s", event.job_id, error)
                return False
        return True

    async def _look_again(
        self, job_id: str, carried: tuple[Leg, ...], carrier: str
    ) -> tuple[Entry | None, tuple[Leg, ...]]:
        """What the admission knows of a job, and what to hand on: what the carrier carries, and what a sweep finds."""
        entry, lost = await self._look(job_id, carrier)
        found = {leg.key for leg in lost}
        return entry, (*lost, *(leg for leg in carried if leg.key not in found))

    async def _witness_more(self, event: Event) -> None:
        await self._emitter.emit(event, not_before_ms=self._clock.now_ms() + LOST_AFTER_MS)
        charge(messages=1)

    async def _enter_again(self, event: Event, job: Job, legs: Sequence[Leg], carrier: str) -> None:
        """A failover made the admission forget a job: until somebody speaks of it, no sweep looks at it.

        So a word of its own is said at once, not only once its wish is delivered: what was published may never arrive.
        That word may be forgotten, too, so the submission is told once more.
        """
        wish = next((leg for leg in legs if leg.kind is LegKind.WISH and leg.job_id == job.id), None)
        if wish is not None and wish.want == "slot":
            await self._asking.ask(job, Standing("slot", wish.attempt), carrier)
            await self._witness_more(event)
        elif job.ended and not legs:
            # The word of this end: one of a run that has begun meanwhile is a later one. It stays in the book until a
            # sweep has compared.
            await self._asking.ask(job, Standing("gone", job.finished_at_ms or 0), carrier)

    async def _bring_on(self, event: Event, carrier: str) -> None:
        """A failover forgot what a fact is about: what led to it is driven, as by a sweep, and leads to it again."""
        names = event.job_id.split(CHILD_SEPARATOR)
        lost = [
            leg
            for depth in range(len(names))
            for leg in (await self._look(CHILD_SEPARATOR.join(names[: depth + 1]), carrier))[1]
        ]
        await hand_on(self._emitter, event.session_id, lost, f"{carrier}.{self._clock.now_ms()}")

    async def _look(self, job_id: str, carrier: str) -> tuple[Entry | None, tuple[Leg, ...]]:
        """What the admission knows of a job, and its legs that nobody brings on, as a sweep finds them."""
        entry = await self._admission.entry(job_id)
        book = {job_id: entry} if entry else {}
        now_ms = self._clock.now_ms()
        looked = await self._store.look(root_of(job_id), carrier, now_ms, LOST_AFTER_MS, book, only=job_id)
        return entry, looked.lost


def outside_fact(fact_id: str, fact: Completion | Occurrence) -> OutsideFact:
    """What an event tells of the outside, as the store takes it; it has the event's id."""
    match fact:
        case Completion():
            return OutsideFact(fact_id, canonical_json(fact.outcome), call_id=fact.call_id, run=fact.run)
        case Occurrence():
            return OutsideFact(fact_id, canonical_json({"ok": fact.data}), event=fact.name)


def _job_of(event: Event, fact: Submission) -> Job:
    """The job that a submission tells of.

    Raises:
        MalformedEventError: it cannot be read, or is another one than the event's.
    """
    try:
        job = job_from(fact.job)
    except ValidationError as error:
        raise MalformedEventError(f"the submission in event {event.id} tells of no job: {error}") from error
    if job.id != event.job_id:
        raise MalformedEventError(f"the submission in event {event.id} tells of job {job.id}, not of {event.job_id}")
    return job
