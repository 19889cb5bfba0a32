"""A job is created in the request that asks for its slot: what each crash between the two leaves is found by comparing.

Source: decisions/0011-admission.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from baton.engine.all_jobs.slots import STALLED_AFTER_MS, SlotState
from baton.engine.commit.answers import Reconciled
from baton.engine.outbox import event_of
from baton.engine.transitions import JobStatus
from baton.engine.work_items import loop_item
from baton.store.transport.meter import Meter, metered
from baton.worker.commands.backup import BACKUP_DELAY_MS
from baton_events.errors import StoreError
from baton_events.schema import AgentLoopInit, Event, Spending
from tests.fakes.stored import TREES
from tests.unit.baton.kit.faults import Method, around, fail
from tests.unit.baton.kit.stage import SETTINGS, Stage

TASK = {"text": "do it", "data": {}}
COSTS = Spending(requests=1, commands=7, size_bytes=500)
AWAY = StoreError("no answer from the store")


async def holding() -> tuple[Stage, Event]:
    """A stage whose only slot a job holds that does not go on yet, and that job's first event."""
    stage = Stage(settings=replace(SETTINGS, max_concurrent_jobs=1))
    return stage, await stage.submit("adds")


async def uncorrected() -> tuple[Stage, Event, list[Event]]:
    """A second job whose caller died before its correction: its state says that there is a slot; its events."""
    stage, first = await holding()
    known = len(stage.events())
    fail(stage.store, "reconcile", AWAY)
    with pytest.raises(StoreError):
        await stage.container.commands.submit(stage.job("answers", "job_2"), TASK)
    assert slot_state(stage).slot
    return stage, first, stage.events()[known:]


def slot_state(stage: Stage) -> SlotState:
    """How the second job stands with the admission, as its own state says."""
    return stage.store.tree("job_2").slot_state("job_2")


async def test_a_job_in_line_is_corrected_before_it_is_accepted() -> None:
    """It has no slot then, in its state as in the slot table, and nothing of its work is published."""
    stage, _ = await holding()
    known = len(stage.events())
    await stage.container.commands.submit(stage.job("answers", "job_2"), TASK)
    assert not slot_state(stage).slot
    assert not stage.entry("job_2").slot
    (request,) = stage.events()[known + 1 :]
    assert isinstance(request, AgentLoopInit)
    assert request.payload.slot_request == slot_state(stage).epoch


async def test_a_crash_before_the_correction_is_found_by_the_backup_message() -> None:
    """The slot table says that there is no slot: no work begins without one."""
    stage, first, published = await uncorrected()
    assert len(published) == 1, "its work is published before its slot is known"
    backup_id, known = stage.queue.published[-1][0], len(stage.events())
    stage.clock.ms += BACKUP_DELAY_MS
    await stage.deliver(published[0], backup_id)
    assert not slot_state(stage).slot
    for event in stage.events()[known:]:
        await stage.deliver(event)
    assert (await stage.now("job_2")).status is JobStatus.PENDING
    await stage.deliver(first)
    await stage.run()
    assert (await stage.now("job_2")).status is JobStatus.COMPLETED


async def test_a_crash_before_the_sweep_compares_is_found_by_it() -> None:
    """Not while its entry is so young that a failover may forget it: the backup message alone would find it then."""
    stage, _, _ = await uncorrected()
    await stage.swept()
    assert slot_state(stage).slot
    stage.clock.ms += STALLED_AFTER_MS // 2 + 1
    await stage.swept()
    assert not slot_state(stage).slot


async def test_a_job_that_is_forgotten_before_its_correction_keeps_its_backup_message() -> None:
    """It was there already when its creation came a second time, and yet this call has created it."""
    stage, _ = await holding()

    async def twice(create: Method, *arguments: Any) -> Any:
        await create(*arguments)
        return await create(*arguments)

    async def forgotten(_reconcile: Method, *_arguments: Any, **_named: Any) -> Reconciled:
        return Reconciled(known=False)

    around(stage.store, "create", twice)
    around(stage.store, "reconcile", forgotten)
    await stage.container.commands.submit(stage.job("answers", "job_2"), TASK)
    assert not stage.queue.cancelled


async def test_a_job_whose_slot_request_was_lost_is_entered_by_its_backup_message() -> None:
    stage = Stage()
    fail(stage.admission, "slot_request", AWAY)
    with pytest.raises(StoreError):
        await stage.container.commands.submit(stage.job("answers"), TASK)
    assert not stage.admission.entries
    await stage.run()
    assert (await stage.now()).status is JobStatus.COMPLETED


def costly(event: Event) -> Event:
    """The event, of a call that has spent something."""
    assert isinstance(event, AgentLoopInit)
    return event.with_spent(COSTS)


async def counted(sent: Callable[[Event], Event], retried: int) -> int:
    """The commands that a job's first delivery counts."""
    stage = Stage()
    with metered(Meter(stage.clock, 128)):
        await stage.deliver(sent(await stage.submit("answers")), retried=retried)
    return (await stage.snapshot()).usage.redis_commands


@pytest.mark.parametrize(("retried", "more"), [(0, COSTS.commands), (1, 0)])
async def test_a_second_delivery_of_the_message_counts_nothing(retried: int, more: int) -> None:
    """The first one has told what its sender spent, or its process has died with it."""
    assert await counted(costly, retried) == more + await counted(lambda event: event, retried)


async def test_a_forgotten_job_that_starts_soon_has_no_slot_before_its_correction() -> None:
    """The message that starts it, published before the failover, comes meanwhile: it finds no slot, and waits."""
    stage, _ = await holding()
    job = structs.replace(stage.job("answers", "job_2"), start_at_ms=stage.clock.ms + 1_000)
    fail(stage.store, "reconcile", AWAY)
    with pytest.raises(StoreError):
        await stage.container.commands.submit(job, TASK, may_exist=True)
    assert slot_state(stage) == SlotState("slot", 1, slot=False)


async def test_a_job_that_starts_soon_requests_its_slot_once() -> None:
    stage = Stage()
    job = structs.replace(stage.job("answers"), start_at_ms=stage.clock.ms + 1_000)
    await stage.container.commands.submit(job, TASK, may_exist=True)
    assert len(stage.events()) == 2, "its backup message, and its request"


@pytest.mark.parametrize("later_ms", [0, 1_000, 120_000])
async def test_a_forgotten_job_has_no_slot_before_its_backup_message_has_compared(later_ms: int) -> None:
    stage, _ = await holding()
    failover, job = stage.redis.failover(*TREES), stage.job("answers", "job_2")
    await stage.container.commands.submit(structs.replace(job, start_at_ms=stage.clock.ms + later_ms), TASK)
    failover()
    stage.clock.ms += max(BACKUP_DELAY_MS, later_ms)
    fail(stage.store, "reconcile", AWAY, 2)
    with pytest.raises(StoreError):
        await stage.deliver(stage.events()[2], "m-backup")
    await stage.deliver(event_of("s", loop_item("job_2", 1, 1, 0)))
    assert ((await stage.now("job_2")).status, slot_state(stage).slot) == (JobStatus.PENDING, False)


async def test_a_message_that_is_postponed_counts_once() -> None:
    stage = Stage()
    job = structs.replace(stage.job("answers"), start_at_ms=stage.clock.ms + 1_000)
    await stage.container.commands.submit(job, TASK)
    spent = list[int]()
    for event in (stage.events()[-1], costly(stage.events()[-1])):
        meter = Meter(stage.clock, 128)
        with metered(meter):
            await stage.deliver(event)
        spent.append(meter.rest().commands)
    assert spent[1] - spent[0] == COSTS.commands
    again = stage.events()[-1]
    assert isinstance(again, AgentLoopInit)
    assert again.payload.spent is None
