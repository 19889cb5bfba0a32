"""A schedule whose tenant has stored as many bytes as it may."""

from dataclasses import replace

import pytest

from baton.commands.schedule import recurrence
from tests.unit.baton.kit.stage import SETTINGS, Stage


async def fires(stage: Stage, message_id: str) -> None:
    job = stage.job("answers", "sch_1")
    found = recurrence("sch_1", job, {"text": "x" * 5_000, "data": {}}, {"cron": "* * * * *", "timeZone": "UTC"})
    await stage.deliver(found, message_id)


async def test_its_messages_start_no_job(caplog: pytest.LogCaptureFixture) -> None:
    """Which is logged with the way out; the job that it has started goes on, and its message may come again."""
    stage = Stage(settings=replace(SETTINGS, bytes_kept_per_tenant=5_000))
    await fires(stage, "m1")
    for message_id in ("m2", "m1", "m3"):
        await fires(stage, message_id)
    assert len(stage.store.trees) == 1
    found = [line for line in caplog.text.splitlines() if "BYTES_KEPT_PER_TENANT" in line]
    assert len(found) == 2
    await stage.run()
    (tree,) = stage.store.trees.values()
    assert [job.status for job in tree.jobs.values()] == ["completed"]


async def test_it_goes_on_when_there_is_room() -> None:
    stage = Stage(settings=replace(SETTINGS, bytes_kept_per_tenant=5_000))
    await fires(stage, "m1")
    await stage.run()
    (job,) = (job for tree in stage.store.trees.values() for job in tree.jobs.values())
    await fires(stage, "m2")
    assert len(stage.store.trees) == 1
    await stage.container.commands.delete(job)
    await fires(stage, "m3")
    assert len(stage.store.trees) == 2
