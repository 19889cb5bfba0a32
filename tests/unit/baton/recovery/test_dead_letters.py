"""Failure callbacks that the queue has given up on: the hourly sweep has them delivered again."""

import pytest

from baton.engine.transitions import JobStatus
from baton.recovery.dead_letters import REFUSED_STATUS
from baton.recovery.reconciler import Page
from baton.recovery.redelivery import read_callback
from baton_events.errors import QueueUnreachableError
from baton_events.messages import Outgoing
from baton_events.schema import DELIVERY_FAILED_ENDPOINT, encode_event
from tests.unit.baton.kit.giving_up import callback, redelivery_of
from tests.unit.baton.kit.stage import BASE, Stage

URL = f"{BASE}{DELIVERY_FAILED_ENDPOINT}"


async def dead(stage: Stage, url: str = URL, status: int = 503, body: str = "{}") -> str:
    [message_id] = await stage.queue.publish([Outgoing(body=body, url=url)])
    return stage.records.die(message_id, status)


async def test_the_backstop_has_them_delivered_again_and_nothing_else() -> None:
    """Not what the endpoint refused for good, nor what has a failure callback of its own; an armed sweep does not."""
    stage = Stage()
    mine = await dead(stage)
    others = [await dead(stage, status=REFUSED_STATUS), await dead(stage, f"{BASE}/webhooks/agent-tool-call")]
    assert (await stage.sweep.handle(Page(stage.clock.ms), "s1", "s1.0", again=False)).dispatched == 0
    assert list(stage.records.dead) == [mine, *others]
    assert (await stage.sweep.handle(Page(0), "s2", "s2.0", again=False)).dispatched == 1
    assert list(stage.records.dead) == others


async def test_a_job_that_only_a_dead_callback_knows_of_ends(caplog: pytest.LogCaptureFixture) -> None:
    """Its creation was forgotten, and an outage outlasted its backup message and the callback about that."""
    stage = Stage()
    await stage.submit()
    backup = stage.events()[0]
    stage.store.trees.clear()
    await dead(stage, body=callback(encode_event(backup).encode()).decode())
    await stage.sweep.handle(Page(0), "s1", "s1.0", again=False)
    again = stage.outgoing()[-1]
    assert again.url == URL
    await redelivery_of(stage).handle(read_callback(again.body.encode()), "cb1", 0)
    await stage.run()
    assert (await stage.snapshot()).job.status is JobStatus.COMPLETED
    assert "1 failure callback(s) had used up their retries" in caplog.text


async def test_a_queue_that_does_not_answer_is_tried_when_the_sweep_comes_again() -> None:
    """Its message fails once all else is done, so that nobody waits another hour; of several pages only the last."""
    stage = Stage()
    mine = await dead(stage)
    stage.records.failing.append(QueueUnreachableError("http://queue.test", "down"))
    with pytest.raises(QueueUnreachableError, match="down"):
        await stage.sweep.handle(Page(0), "s1", "s1.0", again=False)
    assert mine in stage.records.dead
    assert (await stage.sweep.handle(Page(0), "s1", "s1.1", again=True)).dispatched == 1
    assert mine not in stage.records.dead
