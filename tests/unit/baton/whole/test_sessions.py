"""What a new job does while another one of its session is at work or in line: it waits, is refused, or interrupts."""

from typing import Any

import pytest

from baton.api.session_line import Sessions, WhenBusy
from baton.commands.backup import BACKED_UP_MS
from baton.engine.all_jobs.job_list import Query
from baton.engine.transitions import JobStatus
from baton_events.errors import PublishError, QueueUnreachableError, SessionBusyError, UnknownJobError
from baton_events.schema import AgentLoopInit, Submission
from tests.unit.baton.kit.faults import Method, around
from tests.unit.baton.kit.stage import Stage

TASK = {"text": "do it", "data": {}}


async def submit(stage: Stage, job_id: str, when_busy: WhenBusy = "queue", session: str = "session_1") -> None:
    """Submit a job, a little later than the one before."""
    stage.clock.ms += 1
    job = stage.job(job_id=job_id, session=session)
    await Sessions(stage.container).submit(job, TASK, when_busy, may_exist=True)


async def busy() -> Stage:
    """A session whose job is at work."""
    stage = Stage()
    await submit(stage, "job_1")
    return stage


async def names(stage: Stage, session: str = "session_1") -> list[str]:
    """The session's line."""
    return [snapshot.job.id for snapshot in await Sessions(stage.container).line("acme", session)]


async def test_a_job_that_is_to_be_alone_is_refused_while_another_one_is_there() -> None:
    """Nothing of it stays: no job, no place in line, no backup message that would bring it."""
    stage = await busy()
    known = len(stage.queue.published)
    with pytest.raises(SessionBusyError, match="session 'session_1' is busy"):
        await submit(stage, "job_2", "reject")
    backup_id, _ = stage.queue.published[known]
    assert backup_id in stage.queue.cancelled
    assert await stage.reader.job("job_2") is None
    assert "job_2" not in stage.admission.entries
    assert [one.job_id for one in (await stage.ports.listing.scan(Query(), "", 9)).found] == ["job_1"]
    await stage.run()
    assert await stage.reader.job("job_2") is None


async def test_a_job_that_is_to_be_alone_is_taken_where_nothing_runs() -> None:
    stage = Stage()
    await submit(stage, "job_1", session="session_2")
    await submit(stage, "job_2", "reject")
    await submit(stage, "job_2", "reject")
    await stage.run()
    assert (await stage.now("job_2")).status is JobStatus.COMPLETED
    await submit(stage, "job_3", "reject")
    assert await names(stage) == ["job_3"]


async def test_a_backup_that_may_come_is_no_refusal() -> None:
    """Whoever is told that a job is refused must not see it run."""
    stage = await busy()
    stage.queue.cancel_failing = [QueueUnreachableError("http://queue.example", "down")]
    with pytest.raises(PublishError):
        await submit(stage, "job_2", "reject")


@pytest.mark.parametrize(("port", "slow_method"), [("admission", "slot_request"), ("queue", "cancel")])
async def test_a_late_call_refuses_nothing(port: str, slow_method: str) -> None:
    """Its backup message may be under way, and carry the job that it has created: what becomes of it is not known."""
    stage = await busy()

    async def slowly(method: Method, *arguments: Any, **named: Any) -> Any:
        stage.clock.ms += BACKED_UP_MS
        return await method(*arguments, **named)

    around(getattr(stage, port), slow_method, slowly)
    with pytest.raises(PublishError, match="is not known"):
        await submit(stage, "job_2", "reject")
    assert bool(stage.queue.cancelled) == (slow_method == "cancel")


async def test_what_was_accepted_and_forgotten_waits_for_its_turn() -> None:
    """Its backup message asks for no session of its own: a failover must not turn an acceptance into a refusal."""
    stage = Stage()
    await submit(stage, "job_1", "reject")
    backup = next(event for event in stage.events() if isinstance(event, AgentLoopInit) and event.payload.command)
    assert isinstance(backup.payload.command, Submission)
    stage.store.write("job_1", type(stage.store.tree("job_1"))())
    stage.admission.entries = {}
    await submit(stage, "job_2")
    await stage.deliver(backup, "m9")
    assert sorted(await names(stage)) == ["job_1", "job_2"]
    await stage.run()
    assert {(await stage.now(name)).status for name in ("job_1", "job_2")} == {JobStatus.COMPLETED}


async def test_a_job_that_interrupts_ends_those_before_it() -> None:
    """The running one and those in line; not those of other sessions, nor those that come after it."""
    stage = await busy()
    await submit(stage, "job_2")
    await submit(stage, "job_3", session="session_2")
    await submit(stage, "job_4", "interrupt")
    await submit(stage, "job_5")
    assert await names(stage) == ["job_4", "job_5"]
    await stage.run()
    ended = [(await stage.now(f"job_{number}")).status for number in range(1, 6)]
    assert ended == [JobStatus.CANCELLED] * 2 + [JobStatus.COMPLETED] * 3
    error = (await stage.now()).error
    assert error is not None
    assert error.message == "cancelled by job job_4, which was sent meanwhile"


async def test_an_interruption_that_comes_again_ends_nothing_that_came_after_it() -> None:
    """The request was repeated; meanwhile somebody sent another."""
    stage = Stage()
    await submit(stage, "job_1", "interrupt")
    first = await stage.now()
    await submit(stage, "job_2")
    await Sessions(stage.container).submit(first, TASK, "interrupt", may_exist=True)
    assert await names(stage) == ["job_1", "job_2"]


async def test_an_interruption_without_a_place_in_line_has_to_come_again() -> None:
    """The call that created it died before the admission heard of it: nobody knows yet who is before it."""
    stage = await busy()
    await submit(stage, "job_2")
    place = stage.admission.entries.pop("job_2")
    with pytest.raises(UnknownJobError, match="job 'job_2' is accepted and is queued within a minute"):
        await submit(stage, "job_2", "interrupt")
    assert await names(stage) == ["job_1"]
    stage.admission.entries["job_2"] = place  # by its backup message
    await submit(stage, "job_2", "interrupt")
    assert await names(stage) == ["job_2"]


async def test_a_job_that_a_read_does_not_show_yet_is_interrupted() -> None:
    """It was accepted just now; the slot table knows it."""
    stage = await busy()

    async def old(jobs: Method, job_ids: Any) -> Any:
        return {name: job for name, job in (await jobs(job_ids)).items() if name != "job_1"}

    around(stage.reader, "jobs", old)
    await submit(stage, "job_2", "interrupt")
    assert (await stage.now()).status is JobStatus.CANCELLED
