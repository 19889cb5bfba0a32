"""Retries over the whole product: an ended job runs again under its id, from what failed or from its start."""

from msgspec.structs import replace

from baton.engine.transitions import CallStatus, JobStatus
from baton.sdk.limits import Limits
from tests.unit.baton.kit.flaky import FlakyStage


async def test_the_failed_turn_is_asked_again_and_finished_calls_are_not_repeated() -> None:
    """The job goes on under its id; its stream says that it does, and goes on counting."""
    told = FlakyStage()
    told.flaky.model_fails = 1
    await told.ended("flaky")
    assert await told.status() is JobStatus.FAILED
    before = (await told.stage.reader.parts("job_1", 0)).parts
    assert await told.retry() == ""
    job = (await told.stage.snapshot()).job
    assert (job.status, job.result, job.run, job.error) == (JobStatus.COMPLETED, {"answer": "the answer"}, 2, None)
    assert [run[0] for run in told.flaky.runs] == ["a"]
    assert [asked.turn for asked in told.flaky.asked] == [1, 2, 2]
    after = (await told.stage.reader.parts("job_1", 0)).parts
    assert after[: len(before)] == before
    assert '"data-job-retried"' in after[len(before) + 1]
    assert after[-1] == '{"messageMetadata":{"status":"completed"},"type":"finish"}'


async def test_a_failed_turn_that_fails_again_has_all_its_attempts_again() -> None:
    """What it failed before does not count, and its attempts go on counting."""
    told = FlakyStage()
    told.flaky.model_fails = 2
    await told.ended("flaky")
    assert await told.retry() == ""
    assert await told.status() is JobStatus.FAILED
    assert (await told.stage.snapshot()).job.attempts == 2
    assert await told.retry() == ""
    assert await told.status() is JobStatus.COMPLETED


async def test_a_failed_step_runs_again_with_its_key_and_those_after_it_run_then() -> None:
    """The one before it is over, and is not repeated."""
    told = FlakyStage()
    told.flaky.tool_fails = 1
    await told.ended("plans")
    assert await told.status() is JobStatus.FAILED
    assert await told.retry() == ""
    assert await told.status() is JobStatus.COMPLETED
    assert [run[0] for run in told.flaky.runs] == ["a", "b", "b", "c"]
    first, again = told.flaky.runs[1:3]
    assert (first[1], first[2], again[2]) == (again[1], 1, 2)
    assert all(call.status is CallStatus.COMPLETED for call in await told.stage.calls())


async def test_from_the_start_nothing_said_before_is_told_and_calls_are_new() -> None:
    """The task stays; the turn numbers go on, so that ids do not meet old results."""
    told = FlakyStage()
    await told.ended("flaky")
    assert await told.status() is JobStatus.COMPLETED
    assert await told.retry() == "job 'job_1' is completed: nothing in it failed. Retry it from the start"
    assert await told.retry(from_start=True) == ""
    job = (await told.stage.snapshot()).job
    assert (job.status, job.run, job.turn, job.used.turns) == (JobStatus.COMPLETED, 2, 4, 4)
    assert [asked.turn for asked in told.flaky.asked] == [1, 2, 1, 2]
    assert told.flaky.asked[2].messages == told.flaky.asked[0].messages
    assert len(told.flaky.asked[3].messages) == len(told.flaky.asked[1].messages)
    assert len({run[1] for run in told.flaky.runs}) == 2


async def test_limits_count_anew_and_what_was_used_stays_counted() -> None:
    """Else a job that a limit ended would end at once again."""
    told = FlakyStage()
    job = replace(told.stage.job("tight"), limits=Limits(tool_calls=1, on_limit="fail"))
    await told.commands.submit(job, {"text": "do it", "data": {}})
    await told.stage.run()
    failed = (await told.stage.snapshot()).job
    assert failed.error is not None
    assert failed.error.type == "limit_exceeded"
    assert await told.retry() == ""
    job = (await told.stage.snapshot()).job
    assert job.status is JobStatus.COMPLETED
    assert job.used.tool_calls == 2
