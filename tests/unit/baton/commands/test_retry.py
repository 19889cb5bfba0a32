"""Retries over the whole product: an ended job runs again under its id, from what failed or from its start."""

from baton.engine.transitions import CallStatus, JobStatus
from tests.unit.baton.kit.flaky import FlakyStage


async def test_the_failed_turn_is_asked_again_and_finished_calls_are_not_repeated() -> None:
    """The job goes on under its id; its stream says that it does, and goes on counting. Its data expires no more."""
    stage = await FlakyStage.failed()
    before = (await stage.reader.parts("job_1", 0)).parts
    assert stage.store.trees["job_1"].expires_ms
    assert await stage.retry() == ""
    assert not stage.store.trees["job_1"].expires_ms
    assert stage.store.trees["job_1"].tombstone is None
    await stage.run()
    job = await stage.now()
    assert (job.status, job.result, job.run, job.error) == (JobStatus.COMPLETED, {"answer": "the answer"}, 2, None)
    assert [run[0] for run in stage.flaky.runs] == ["a"]
    assert [requested.turn for requested in stage.flaky.requested] == [1, 2, 2]
    after = (await stage.reader.parts("job_1", 0)).parts
    assert after[: len(before)] == before
    assert '"data-job-retried"' in after[len(before) + 1]
    assert after[-1] == '{"messageMetadata":{"status":"completed"},"type":"finish"}'


async def test_a_failed_step_runs_again_with_its_key_and_those_after_it_run_then() -> None:
    """The one before it is over, and is not repeated."""
    stage = FlakyStage()
    stage.flaky.tool_fails = 1
    assert (await stage.played("plans")).status is JobStatus.FAILED
    assert await stage.retry() == ""
    await stage.run()
    assert (await stage.now()).status is JobStatus.COMPLETED
    assert [run[0] for run in stage.flaky.runs] == ["a", "b", "b", "c"]
    first, again = stage.flaky.runs[1:3]
    assert (first[1], first[2], again[2]) == (again[1], 1, 2)
    assert all(call.status is CallStatus.COMPLETED for call in await stage.calls())


async def test_from_the_start_the_history_is_empty_and_calls_are_new() -> None:
    """The task stays; the turn numbers go on, so that ids do not meet old results."""
    stage = FlakyStage()
    await stage.played("flaky")
    assert await stage.retry() == "job 'job_1' is completed: nothing in it failed. Retry it from the start"
    assert await stage.retry(from_start=True) == ""
    await stage.run()
    job, requested = await stage.now(), stage.flaky.requested
    assert (job.status, job.run, job.turn, job.used.turns) == (JobStatus.COMPLETED, 2, 4, 4)
    assert [request.turn for request in requested] == [1, 2, 1, 2]
    assert requested[2].messages == requested[0].messages
    assert len(requested[3].messages) == len(requested[1].messages)
    assert len({run[1] for run in stage.flaky.runs}) == 2
