"""Retries: an ended job runs again under its id; they meet failovers, backup messages, and words of earlier runs."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from baton.engine.outbox import event_of
from baton.engine.state import Job
from baton.engine.transitions import CallStatus, JobStatus
from baton.sdk.models.model import ModelAnswer, ModelRequest
from baton_events.errors import PublishError, StoreError
from baton_events.ids import child_of
from baton_events.schema import AgentLoopInit, Cancellation, Completion, Retrial
from tests.fakes.stored import TREES
from tests.unit.baton.kit.faults import Method, around, fail
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


async def test_a_backup_does_not_retry_a_job_a_second_time_that_failed_again() -> None:
    """It names the run that it is about, as that of a cancellation does, which comes when the job runs again."""
    stage = await FlakyStage.failed(times=2)
    await stage.retry()
    await stage.run()
    failed_again = await stage.now()
    assert failed_again.status is JobStatus.FAILED
    await stage.deliver(stage.backup(Retrial), "late")
    await stage.run()
    assert await stage.now() == failed_again
    stage = await FlakyStage.cancelled()
    await stage.retry()
    await stage.deliver(stage.backup(Cancellation), "late")
    assert not (await stage.now()).ended


async def test_a_second_run_is_cancelled_and_retried_as_the_first_is() -> None:
    stage = await FlakyStage.cancelled()
    for run in (2, 3):
        assert await stage.retry() == ""
        assert ((await stage.now()).run, (await stage.now()).ended) == (run, False)
        assert (await stage.commands.cancel(await stage.now(), "one")).changed
        assert (await stage.now()).status is JobStatus.CANCELLED


async def test_a_backup_retries_what_a_failover_forgot() -> None:
    stage = await FlakyStage.failed()
    failover = stage.redis.failover(*TREES)
    await stage.retry()
    failover()
    await stage.run()
    job = await stage.now()
    assert (job.status, job.run) == (JobStatus.COMPLETED, 2)


async def test_a_backup_waits_for_an_end_that_a_failover_forgot() -> None:
    """The job runs its last item again: when that has failed, too, the retry counts; it is told again each minute."""
    stage = FlakyStage()
    stage.flaky.model_fails = 2
    await stage.submit("flaky")
    failover: list[Callable[[], None]] = []

    async def remember_the_last_live_state() -> None:
        if not (await stage.now()).ended:
            failover[:] = [stage.redis.failover(*TREES)]

    await stage.run(remember_the_last_live_state)
    await stage.retry()
    failover[0]()
    assert (await stage.deliver(stage.backup(Retrial), "w1")).label == "signalled"
    again = stage.outgoing()[-1]
    assert again.not_before_ms == stage.clock.now_ms() + 60_000
    item = next(item for item in await stage.items() if item.kind == "loop")
    await stage.deliver(event_of((await stage.now()).session_id, item), "swept")
    job = await stage.now()
    assert (job.status, job.run) == (JobStatus.FAILED, 1)
    await stage.run()
    job = await stage.now()
    assert (job.status, job.run) == (JobStatus.COMPLETED, 2)


async def test_a_second_retry_of_the_same_run_changes_nothing() -> None:
    stage = await FlakyStage.failed()
    job = await stage.now()
    first = await stage.commands.retry(job, "one", from_start=False)
    second = await stage.commands.retry(job, "two", from_start=True)
    assert (first.changed, second.changed, second.refused) == (True, False, "")
    await stage.run()
    assert (await stage.now()).run == 2


async def test_a_call_that_waited_is_made_again_and_an_outcome_of_the_earlier_run_is_not_its_own() -> None:
    """Under the same operation; who completes it in the new run is heard."""
    stage = FlakyStage()
    await stage.waiting("waits")
    call, job = (await stage.calls())[0], await stage.now()
    assert call.status is CallStatus.WAITING
    await stage.commands.cancel(job, "one")
    await stage.retry()
    late = Completion(call_id=call.id, outcome={"ok": "late"})
    assert (await stage.commands.signal(job, late)).value == "ended"
    slot_request = next(item for item in await stage.items() if item.kind == "slot_request")
    assert slot_request.want == "slot"
    again = Completion(call_id=call.id, outcome={"ok": 1})
    assert (await stage.commands.signal(await stage.now(), again)).value == "first"
    await stage.run()
    assert (await stage.now()).result == {"answer": "came"}
    assert (await stage.calls())[0].attempts == 2


async def test_a_job_below_is_started_anew_and_is_not_retried_by_itself() -> None:
    """It ended with the run that started it."""
    stage = FlakyStage()
    await stage.waiting("asks")
    call = (await stage.calls())[0]
    refused = await stage.retry(await stage.now(child_of(call.id)), from_start=True)
    assert "retry job 'job_1'" in refused
    await stage.commands.cancel(await stage.now(), "one")
    await stage.retry()
    for number in range(4):
        await stage.deliver(stage.events()[-1], f"again{number}")
    assert (await stage.calls())[0].child == child_of(call.id, 2)
    assert (await stage.now(child_of(call.id))).status is JobStatus.CANCELLED
    assert not (await stage.now(child_of(call.id, 2))).ended


async def test_a_live_job_is_not_retried_and_the_backup_is_taken_back() -> None:
    """It would retry the job's end, whenever that comes."""
    stage = FlakyStage()
    await stage.submit("flaky")
    assert await stage.retry() == "job 'job_1' has not ended: cancel it first, or let it end"
    assert stage.queue.cancelled == [stage.queue.published[-1][0]]


async def test_a_late_commit_of_the_earlier_run_is_dropped() -> None:
    """The work item of the later run has the same key, and a process of the earlier one wakes up."""
    stage = FlakyStage()
    await stage.submit("flaky")
    slow = [True]

    async def slowly(answer: Method, request: ModelRequest) -> ModelAnswer:
        if slow:
            slow.clear()
            await stage.commands.cancel(await stage.now(), "one")
            await stage.retry()
        answered: ModelAnswer = await answer(request)
        return answered

    around(stage.flaky, "answer", slowly)
    outcome = await stage.deliver(stage.events()[-1])
    assert outcome.label == "overtaken"
    assert (await stage.now()).used.turns == 0
    await stage.run()
    assert (await stage.now()).status is JobStatus.COMPLETED


async def test_a_refusal_that_comes_late_says_that_it_may_still_be_done() -> None:
    """Its backup message is under way."""
    stage = FlakyStage()
    await stage.submit("flaky")

    async def slowly(recall: Method, job_id: str) -> object:
        stage.clock.ms += 40_000
        return await recall(job_id)

    around(stage.ports.archive, "recall", slowly)
    with pytest.raises(StoreError, match="may still be changed"):
        await stage.retry()


async def test_a_deletion_that_stood_still_does_not_take_the_slot_of_a_later_run() -> None:
    """It read the job as it had ended, which has run again since: the admission knows a later word, which stays."""
    stage = await FlakyStage.cancelled()
    ended = await stage.now()
    recalled = await stage.ports.archive.recall(ended.id)
    await stage.retry()
    await stage.deliver(stage.events()[-1], "slot_request")
    assert stage.entry().slot

    async def as_it_was(_recall: Method, _job_id: str, **_named: Any) -> object:
        return recalled

    around(stage.ports.archive, "recall", as_it_was)
    with pytest.raises(StoreError, match="send the request again"):
        await stage.commands.delete(ended)
    assert stage.entry().slot


async def test_a_retry_is_in_the_slot_table_before_it_is_recorded() -> None:
    """It left the slot table with its end: whatever becomes of the call, and of its backup, a sweep finds the job."""
    stage = await FlakyStage.failed()
    stage.admission.entries.clear()
    fail(stage.store, "record", StoreError("nobody hears the answer"), applied=True)
    with pytest.raises(StoreError, match="nobody hears"):
        await stage.retry()
    assert (await stage.now()).run == 2
    assert stage.entry().want == "gone"


async def soon(stage: FlakyStage) -> Job:
    """A job that has not begun requests its slot shortly before; as it is seen by who takes it for a failed one."""
    job = replace(stage.job("adds"), start_at_ms=stage.clock.ms + 100_000)
    await stage.commands.submit(job, {"text": "do it", "data": {}})
    stage.clock.ms += 50_000
    return replace(job, status=JobStatus.FAILED)


async def test_a_refused_retry_dispatches_what_it_guarantees() -> None:
    """Who looks at such a job takes its slot request along."""
    stage = FlakyStage()
    assert "has not ended" in await stage.retry(await soon(stage))
    [slot_request] = [item for item in await stage.items() if item.kind == "slot_request"]
    told = [event.payload.slot_request for event in stage.events() if isinstance(event, AgentLoopInit)]
    assert slot_request.attempt in told


async def test_a_refused_retry_whose_slot_request_is_not_taken_keeps_its_backup() -> None:
    """Else nobody carried the slot request; who asked is told to ask again."""
    stage = FlakyStage()
    job, taken = await soon(stage), list[Any]()

    async def once(publish: Method, messages: Any) -> Any:
        taken.append(messages)
        if len(taken) > 1:  # after the backup message
            raise PublishError("full")
        return await publish(messages)

    around(stage.queue, "publish", once)
    with pytest.raises(PublishError, match="full"):
        await stage.retry(job)
    assert stage.queue.cancelled == []
