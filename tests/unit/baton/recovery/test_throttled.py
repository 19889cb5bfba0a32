"""What happens to a message for which its endpoint had no place: 429, or what stands before it answers so."""

import pytest

from baton.engine.attempts import THROTTLED, THROTTLED_BUDGET
from baton.engine.lifecycle import UNDELIVERED_BUDGET
from baton.engine.transitions import JobStatus
from baton.engine.work_items import item_key_of
from tests.unit.baton.kit.giving_up import give_up
from tests.unit.baton.kit.stage import Stage


@pytest.mark.parametrize("status", sorted(THROTTLED))
async def test_an_endpoint_without_a_place_costs_nothing_of_the_budget(status: int) -> None:
    """However often: it is redriven, each time after a longer pause, and somebody is told of it once."""
    stage = Stage()
    event = await stage.submit()
    pauses = []
    for n in range(12):
        stage.clock.ms += 70_000
        await give_up(stage, event, f"cb{n}", f"m{n}", status=status)
        assert item_key_of(stage.events()[-1]) == item_key_of(event)
        pauses.append((stage.outgoing()[-1].not_before_ms - stage.clock.now_ms()) // 1000)
    bounds = [30, 60, 120, 240, 480, *[960] * 7]
    assert all(bound <= pause < 2 * bound for bound, pause in zip(bounds, pauses, strict=True)), pauses
    assert not (await stage.snapshot()).job.ended
    assert [notice.kind for notice in stage.alerts.sent] == ["undelivered"]


async def test_many_dead_messages_about_a_step_redrive_it_as_one() -> None:
    """A sweep may have redriven it again and again: the queue takes what is to come at the same time once."""
    stage = Stage()
    event = await stage.submit()
    for n in range(10):
        await give_up(stage, event, f"cb{n}", f"m{n}", status=429)
    before = len(stage.outgoing())
    for n in range(100):
        await give_up(stage, event, f"later{n}", f"m{n}", status=429)
    assert len({message.deduplication_id for message in stage.outgoing()[before:]}) == 1


async def test_what_finds_no_place_for_days_fails_its_job() -> None:
    """Nobody waits for ever: after some days it is as undeliverable as what the endpoint refuses."""
    stage = Stage()
    event = await stage.submit()
    for n in range(THROTTLED_BUDGET):
        await give_up(stage, event, f"cb{n}", f"m{n}", status=429)
    assert not (await stage.snapshot()).job.ended
    await give_up(stage, event, "last", "m", status=429)
    job = (await stage.snapshot()).job
    assert (job.status, job.error and job.error.type) == (JobStatus.FAILED, "delivery_failed")
    assert THROTTLED_BUDGET * 960 // 86_400 == 3  # days


async def test_a_refusal_counts_beside_what_found_no_place() -> None:
    """The budget is of what cannot be delivered; pauses are only for what found no place."""
    stage = Stage()
    event = await stage.submit()
    for n in range(UNDELIVERED_BUDGET):
        await give_up(stage, event, f"full{n}", f"m{n}", status=503)
        await give_up(stage, event, f"broken{n}", f"m{n}", status=500)
        assert stage.outgoing()[-1].not_before_ms == 0
    assert not (await stage.snapshot()).job.ended
    await give_up(stage, event, "last", "m", status=500)
    assert (await stage.snapshot()).job.status is JobStatus.FAILED
