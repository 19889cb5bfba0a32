"""A job that waits in line, and that a failover made the admission forget: its backup message takes it there again."""

from dataclasses import replace

from baton.engine.all_jobs.slots import STALLED_AFTER_MS
from baton.storage.in_memory.admission import Kept
from baton_events.schema import AgentLoopInit, Event, Submission
from tests.unit.baton.kit.stage import SETTINGS, Stage


def backups(stage: Stage) -> list[Event]:
    found = [event for event in stage.events() if isinstance(event, AgentLoopInit) and event.job_id == "job_2"]
    return [event for event in found if isinstance(event.payload.command, Submission)]


async def in_line() -> Stage:
    """One job has the only slot; another one, submitted a minute ago, waits for it."""
    stage = Stage(settings=replace(SETTINGS, max_concurrent_jobs=1))
    await stage.submit("answers", "job_1")
    await stage.submit("answers", "job_2")
    stage.clock.ms += STALLED_AFTER_MS + 1
    return stage


async def test_it_is_admitted_and_has_another_backup() -> None:
    """What the admission is told now may be forgotten, too: nobody else would speak of the job."""
    stage = await in_line()
    stage.admission.go_back(Kept())
    [backup] = backups(stage)
    await stage.deliver(backup, "late")
    assert (await stage.snapshot("job_2")).job.ended
    again = [message for message in stage.outgoing() if message.headers.get("x-event-id") == backup.id]
    assert [message.not_before_ms for message in again][1:] == [stage.clock.now_ms() + STALLED_AFTER_MS]


async def test_a_job_that_is_in_line_has_no_more_backups() -> None:
    stage = await in_line()
    [backup] = backups(stage)
    await stage.deliver(backup, "late")
    assert backups(stage) == [backup]
