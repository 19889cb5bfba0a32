"""Asking for a sweep now: often, by many, and where store or queue fail."""

from baton.engine.all_jobs.slots import REQUESTED_EVERY_MS, STALLED_AFTER_MS
from baton.recovery.outage import ReconcileRequests
from baton.recovery.reconciler import read_page
from baton_events.errors import PublishError
from baton_events.schema import SWEEP_ENDPOINT
from tests.unit.baton.kit.stage import BASE, Stage


def sweeps(stage: Stage) -> list[str]:
    """The bodies of the sweeps that were published to be delivered at once."""
    url = f"{BASE}{SWEEP_ENDPOINT}"
    return [message.body for message in stage.outgoing() if message.url == url and not message.not_before_ms]


async def test_one_sweep_a_minute_is_requested_however_many_request_one() -> None:
    stage = Stage()
    another = ReconcileRequests(stage.admission, stage.container.emitter, stage.clock)
    assert await stage.container.reconcile_requests.reconcile_soon("the store answers again")
    for _ in range(3):
        assert not await stage.container.reconcile_requests.reconcile_soon("the store answers again")
        assert not await another.reconcile_soon("the store answers again")
    assert len(sweeps(stage)) == 1
    stage.clock.ms += REQUESTED_EVERY_MS
    assert await another.reconcile_soon("the store answers again")
    assert len(sweeps(stage)) == 2


async def test_the_sweep_that_was_requested_looks_at_every_job() -> None:
    stage = Stage()
    await stage.submit()
    stage.clock.ms += STALLED_AFTER_MS + 1
    await stage.container.reconcile_requests.reconcile_soon("a test")
    (body,) = sweeps(stage)
    outcome = await stage.sweep.handle(read_page(body.encode()), "m-asked", "d1", again=False)
    assert outcome.dispatched == 1


async def test_who_asks_does_not_fail_where_the_queue_does() -> None:
    """The minute goes on in the store; the process asks again at the next occasion."""
    stage = Stage()
    stage.queue.failing += [PublishError("down")]
    assert not await stage.container.reconcile_requests.reconcile_soon("a test")
    stage.clock.ms += REQUESTED_EVERY_MS
    assert await stage.container.reconcile_requests.reconcile_soon("a test")
