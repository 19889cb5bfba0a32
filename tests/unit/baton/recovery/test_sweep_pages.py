"""Sweeps that are asked for, and that go on by message: what a page asks for, and what one that dies leaves."""

import pytest

from baton.engine.all_jobs.slots import PAGE, REQUESTED_EVERY_MS, STALLED_AFTER_MS, QueueEntry
from baton.recovery.outage import ReconcileRequests
from baton.recovery.reconciler import Page, read_page
from baton_events.errors import PublishError, StoreError
from baton_events.messages import Outgoing
from baton_events.schema import SWEEP_ENDPOINT
from tests.unit.baton.kit.faults import fail
from tests.unit.baton.kit.stage import BASE, Stage


def sweeps(stage: Stage) -> list[Outgoing]:
    """What was published for the sweep."""
    return [message for message in stage.outgoing() if message.url == f"{BASE}{SWEEP_ENDPOINT}"]


def pages(stage: Stage) -> list[Page]:
    """What the published pages ask for, after the first ones."""
    return [page for message in sweeps(stage) if (page := read_page(message.body.encode())).after]


def relay_ids(stage: Stage) -> set[str]:
    """The messages that carry what is open of the job behind a full page."""
    return {item.relay_id for item in stage.store.tree("job_z").items.values()}


async def crowded() -> Stage:
    """More jobs than a page has, of which nothing is known, and behind them one that nobody redrives."""
    stage = Stage()
    await stage.submit("answers", "job_z")
    waiting = {f"job_{n:04}": QueueEntry("t", f"s{n}", 5, n, 1, since_ms=stage.clock.ms) for n in range(PAGE + 5)}
    stage.admission.entries = {**waiting, **stage.admission.entries}
    stage.clock.ms += STALLED_AFTER_MS + 1
    return stage


async def test_a_backstop_goes_on_by_message_until_everybody_was_looked_at() -> None:
    """The job behind a full page is redriven by the second one, in that one's own name."""
    stage = await crowded()
    assert (await stage.swept(0, "m1")).dispatched == 0
    (second,) = pages(stage)
    assert second == Page(0, f"a:job_{PAGE - 1:04}")
    assert (await stage.sweep.handle(second, "m2", "d2", again=False)).dispatched == 1
    assert pages(stage) == [second]
    assert "m2" in relay_ids(stage)


async def test_a_page_at_which_it_dies_does_not_keep_it_from_the_next_one() -> None:
    """The message of the next page is published before its work."""
    stage = await crowded()
    fail(stage.store, "reconcile_all", StoreError("it dies"))
    with pytest.raises(StoreError):
        await stage.swept(0, "m1")
    (second,) = pages(stage)
    assert (await stage.sweep.handle(second, "m2", "d2", again=False)).dispatched == 1


async def test_a_sweep_that_comes_again_goes_on_in_its_own_name() -> None:
    """It may carry what belongs to any job; whoever looks for it must dispatch that as that message."""
    stage = await crowded()
    await stage.swept(stage.clock.ms, "m1", again=True)
    (second,) = pages(stage)
    assert second == Page(stage.clock.ms, f"a:job_{PAGE - 1:04}", relay_id="m1")
    await stage.sweep.handle(second, "m2", "d2", again=False)
    assert "m1" in relay_ids(stage)
    assert "m2" not in relay_ids(stage)


async def test_one_sweep_a_minute_is_requested_however_many_request_one() -> None:
    """By one process and by several; it looks at every job, as the hourly one does."""
    stage = Stage()
    await stage.submit()
    stage.clock.ms += STALLED_AFTER_MS + 1
    one = stage.container.reconcile_requests
    another = ReconcileRequests(stage.admission, stage.container.emitter, stage.clock)
    asked = [await each.reconcile_soon("the store answers again") for each in (one, one, another, one)]
    stage.clock.ms += REQUESTED_EVERY_MS
    asked.append(await another.reconcile_soon("the store answers again"))
    assert asked == [True, False, False, False, True]
    first, _later = [message for message in sweeps(stage) if not message.not_before_ms]
    page = read_page(first.body.encode())
    assert (await stage.sweep.handle(page, "m-asked", "d1", again=False)).dispatched == 1


async def test_who_asks_does_not_fail_where_the_queue_does() -> None:
    """The minute goes on in the store; the process asks again at the next occasion."""
    stage = Stage()
    stage.queue.failing += [PublishError("down")]
    assert not await stage.container.reconcile_requests.reconcile_soon("a test")
    stage.clock.ms += REQUESTED_EVERY_MS
    assert await stage.container.reconcile_requests.reconcile_soon("a test")
