"""A job is created in the request that asks for its slot: what each crash between the two leaves is found by comparing.

Source: decisions/0011-admission.
"""

from dataclasses import replace

import pytest
from msgspec import structs

from baton.commands.backup import BACKUP_DELAY_MS
from baton.engine.all_jobs.slots import SlotState
from baton.engine.commit.answers import Created, Reconciled
from baton.engine.transitions import JobStatus
from baton.recovery.reconciler import Page
from baton.storage.ports.all_jobs import SlotAnswer
from baton.transport.meter import Meter, metered
from baton_events.errors import StoreError
from baton_events.schema import AgentLoopInit, Event, Spending
from tests.fakes import FakeStore
from tests.unit.baton.kit.stage import SETTINGS, Stage

TASK = {"text": "do it", "data": {}}
COSTS = Spending(requests=1, commands=7, size_bytes=500)
ONE_SLOT = replace(SETTINGS, max_concurrent_jobs=1)


class Unanswered(FakeStore):
    """A store that does not answer who corrects a job."""

    is_away = False

    async def reconcile(self, *requested: object, **named: object) -> Reconciled:
        if self.is_away:
            raise StoreError("no answer from the store")
        return await super().reconcile(*requested, **named)  # type: ignore[arg-type]


async def holding(store: FakeStore | None = None) -> tuple[Stage, Event]:
    """A stage whose only slot a job holds that does not go on yet, and that job's first event."""
    stage = Stage(settings=ONE_SLOT, store=store)
    return stage, await stage.submit("adds")


def slot_state(stage: Stage, job_id: str) -> SlotState:
    return stage.store.tree(job_id).slot_state(job_id)


async def test_a_job_in_line_is_corrected_before_it_is_accepted() -> None:
    """It has no slot then, in its state as in the slot table, and nothing of its work is published."""
    stage, _ = await holding()
    known = len(stage.events())
    await stage.container.commands.submit(stage.job("answers", "job_2"), TASK)
    assert not slot_state(stage, "job_2").slot
    assert not stage.entry("job_2").slot
    (request,) = stage.events()[known + 1 :]
    assert isinstance(request, AgentLoopInit)
    assert request.payload.slot_request == slot_state(stage, "job_2").epoch


async def test_a_crash_before_the_correction_is_found_by_the_backup_message() -> None:
    """The state says that there is a slot, the slot table says that there is none: no work begins without one."""
    store = Unanswered()
    stage, first = await holding(store)
    known, store.is_away = len(stage.events()), True
    with pytest.raises(StoreError):
        await stage.container.commands.submit(stage.job("answers", "job_2"), TASK)
    store.is_away = False
    assert slot_state(stage, "job_2").slot  # as it was created
    backup = stage.events()[known:]
    assert len(backup) == 1, "its work is published before its slot is known"
    stage.clock.ms += BACKUP_DELAY_MS
    await stage.deliver(backup[0], stage.queue.published[-1][0])
    assert not slot_state(stage, "job_2").slot
    for event in stage.events()[known + 1 :]:
        await stage.deliver(event)
    assert (await stage.snapshot("job_2")).job.status is JobStatus.PENDING
    await stage.deliver(first)
    await stage.run()
    assert (await stage.snapshot("job_2")).job.status is JobStatus.COMPLETED


class Forgetful(FakeStore):
    """A store that is sent each creation twice, and has forgotten the job when it is corrected."""

    async def create(self, *requested: object, **named: object) -> Created:
        await super().create(*requested, **named)  # type: ignore[arg-type]
        return await super().create(*requested, **named)  # type: ignore[arg-type]

    async def reconcile(self, *_requested: object, **_named: object) -> Reconciled:
        return Reconciled(known=False)


async def test_a_job_that_is_forgotten_before_its_correction_keeps_its_backup_message() -> None:
    """It was there already when its creation came a second time, and yet this call has created it."""
    stage, _ = await holding(Forgetful())
    await stage.container.commands.submit(stage.job("answers", "job_2"), TASK)
    assert not stage.queue.cancelled


async def test_a_crash_before_the_sweep_compares_is_found_by_it() -> None:
    """A sweep over all jobs does what the correction would have done."""
    store = Unanswered()
    stage, _ = await holding(store)
    store.is_away = True
    with pytest.raises(StoreError):
        await stage.container.commands.submit(stage.job("answers", "job_2"), TASK)
    store.is_away = False
    await stage.sweep.handle(Page(0), "sweep_1", "sweep_1", again=False)
    assert not slot_state(stage, "job_2").slot


async def test_a_job_whose_slot_request_was_lost_is_entered_by_its_backup_message() -> None:
    stage, request = Stage(), StoreError("no answer from the store")

    async def lost(*_requested: object, **_named: object) -> SlotAnswer:
        raise request

    stage.admission.slot_request, usual = lost, stage.admission.slot_request  # type: ignore[method-assign]
    with pytest.raises(StoreError):
        await stage.container.commands.submit(stage.job("answers"), TASK)
    stage.admission.slot_request = usual  # type: ignore[method-assign]
    assert not stage.admission.entries
    await stage.run()
    assert (await stage.snapshot()).job.status is JobStatus.COMPLETED


def costly(event: Event) -> Event:
    assert isinstance(event, AgentLoopInit)
    return event.with_spent(COSTS)


def spending(event: Event) -> Spending | None:
    assert isinstance(event, AgentLoopInit)
    return event.payload.spent


async def test_a_second_delivery_of_the_message_counts_nothing() -> None:
    """The first one has told what its sender spent, or its process has died with it."""
    stage = Stage()
    with metered(Meter(stage.clock, 128)):
        await stage.deliver(costly(await stage.submit("answers")), retried=1)
    assert (await stage.snapshot()).usage.redis_commands == 0


async def test_a_message_that_is_postponed_counts_once() -> None:
    """Its copy brings nothing: what the sender spent is overhead by then."""
    stage = Stage()
    job = structs.replace(stage.job("answers"), start_at_ms=stage.clock.ms + 1_000)
    await stage.container.commands.submit(job, TASK)
    meter = Meter(stage.clock, 128)
    with metered(meter):
        await stage.deliver(costly(stage.events()[-1]))
    assert meter.rest().commands == COSTS.commands
    assert spending(stage.events()[-1]) is None
