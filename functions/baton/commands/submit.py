"""How a submitted job begins: it takes its place in the slot table, and it is created, unless it is there."""

from dataclasses import replace
from typing import Any

from msgspec import ValidationError

from baton.admission.slot_client import SlotClient
from baton.clock import Clock
from baton.engine.all_jobs.slots import SlotState
from baton.engine.commit.answers import Created
from baton.engine.commit.codec import job_from
from baton.engine.commit.stored_bytes import BytesAdded
from baton.engine.decide import submit
from baton.engine.effects import Changes
from baton.engine.lifecycle import first_slot_state
from baton.engine.state import Job
from baton.engine.step_results import Submitted
from baton.engine.work_items import slot_request_item
from baton.storage.ports.jobs import Store
from baton.storage.usage import create
from baton_events.errors import JobGoneError, MalformedEventError, SessionBusyError
from baton_events.schema import Event, Submission


def submitted_job(event: Event, fact: Submission) -> Job:
    """The job that a submission tells of.

    Raises:
        MalformedEventError: it cannot be read, or is another one than the event's.
    """
    try:
        job = job_from(fact.job)
    except ValidationError as error:
        raise MalformedEventError(f"the submission in event {event.id} is about no job: {error}") from error
    if job.id != event.job_id:
        raise MalformedEventError(f"the submission in event {event.id} is about job {job.id}, not of {event.job_id}")
    return job


class Submitting:
    """Takes in submissions."""

    def __init__(self, store: Store, asking: SlotClient, clock: Clock) -> None:
        self._store = store
        self._slot_client = asking
        self._clock = clock

    async def submit(
        self, job: Job, task: dict[str, Any], relay_id: str, *, known: bool = False, alone: bool = False
    ) -> Created:
        """One after the other: what is created knows whether it has its slot.

        `known`: it is there, and has its place; what is asked is what the relay message still carries. `alone`: it
        takes no place while another job of its session has one. Its backup message does not ask for that: what was
        accepted, and was forgotten in a failover, waits for its turn.

        Raises:
            SessionBusyError: it was to be alone. JobGoneError: it was there, and its data is gone.
        """
        now_ms = self._clock.now_ms()
        slot_state = first_slot_state(job, now_ms)
        stored = self._slot_client.quota.submitted(job, _changes(job, task, now_ms, slot=False))
        slot_answer = (
            None if known else await self._slot_client.ask(job, slot_state, relay_id, alone=alone, stored=stored)
        )
        if slot_answer is not None and slot_answer.busy:
            raise SessionBusyError(f"session {job.session_id!r} is busy: another of its jobs is running or queued")
        slot = slot_answer is not None and slot_answer.slot
        try:
            changes = _changes(job, task, now_ms, slot=slot)
            created = await create(self._store, changes, relay_id, now_ms, _counted(stored))
        except JobGoneError:
            await self._leave(job, slot_state, relay_id)
            raise
        return created if created.new or not slot else self._found(created, slot_state, now_ms)

    def _found(self, created: Created, slot_state: SlotState, now_ms: int) -> Created:
        """Somebody created it meanwhile, and the slot that we were given is its own: it must hear of it."""
        return replace(
            created, pending=(*created.pending, slot_request_item(created.job.id, "slot", slot_state.epoch, now_ms))
        )

    async def _leave(self, job: Job, slot_state: SlotState, relay_id: str) -> None:
        await self._slot_client.ask(job, SlotState("gone", slot_state.epoch + 1), relay_id)


def _changes(job: Job, task: dict[str, Any], now_ms: int, *, slot: bool) -> Changes:
    changes = submit(Submitted(job, task, slot), now_ms).changes
    assert changes is not None, "a submission always creates"
    return changes


def _counted(stored: BytesAdded | None) -> int:
    return sum(stored.adds.values()) if stored else 0
