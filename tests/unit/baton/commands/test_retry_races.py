"""Retries that meet failovers, backup messages, cancellations, and words of an earlier run."""

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from baton.engine.commit.answers import Recalled
from baton.engine.outbox import event_of
from baton.engine.transitions import CallStatus, JobStatus
from baton.models.model import ModelAnswer, ModelRequest
from baton_events.errors import PublishError, StoreError
from baton_events.ids import child_of
from baton_events.messages import Outgoing
from baton_events.schema import AgentLoopInit, Cancellation, Completion, Retrial
from tests.fakes import Tree
from tests.unit.baton.kit.flaky import FlakyStage


async def test_a_backup_does_not_retry_a_job_a_second_time_that_failed_again() -> None:
    """It names the run that it is about."""
    told = FlakyStage()
    told.flaky.model_fails = 2
    await told.ended("flaky")
    await told.retry()
    failed_again = (await told.stage.snapshot()).job
    assert failed_again.status is JobStatus.FAILED
    await told.stage.deliver(told.backup(Retrial), "late")
    await told.stage.run()
    assert (await told.stage.snapshot()).job == failed_again


async def test_a_backup_retries_what_a_failover_forgot() -> None:
    """The commit is gone, and the job as it ended is there again."""
    told = FlakyStage()
    told.flaky.model_fails = 1
    await told.ended("flaky")
    forgotten = dict(told.stage.store.trees)
    job = (await told.stage.snapshot()).job
    await told.commands.retry(job, "client of acme", from_start=False)
    told.stage.store.trees = forgotten
    await told.stage.run()
    assert (await told.status(), (await told.stage.snapshot()).job.run) == (JobStatus.COMPLETED, 2)


async def test_a_backup_waits_for_an_end_that_a_failover_forgot() -> None:
    """The job runs its last item again: when that has failed, too, the retry counts; it is told again each minute."""
    told = FlakyStage()
    told.flaky.model_fails = 2
    await told.stage.submit("flaky")
    live: dict[str, Tree] = {}

    async def remember_the_last_live_state() -> None:
        if not (await told.stage.snapshot()).job.ended:
            live.update(told.stage.store.trees)

    await told.stage.run(remember_the_last_live_state)
    job = (await told.stage.snapshot()).job
    await told.commands.retry(job, "client of acme", from_start=False)
    told.stage.store.trees = live
    backup = told.backup(Retrial)
    assert (await told.stage.deliver(backup, "w1")).word == "signalled"
    again = told.stage.outgoing()[-1]
    assert again.not_before_ms == told.stage.clock.now_ms() + 60_000
    item = next(item for item in await told.stage.items() if item.kind == "loop")
    await told.stage.deliver(event_of(job.session_id, item), "swept")
    assert (await told.stage.snapshot()).job.run == 1
    assert await told.status() is JobStatus.FAILED
    await told.stage.run()
    assert (await told.status(), (await told.stage.snapshot()).job.run) == (JobStatus.COMPLETED, 2)


async def test_a_second_retry_of_the_same_run_changes_nothing() -> None:
    """Two people press the button: the job runs again once."""
    told = FlakyStage()
    told.flaky.model_fails = 1
    await told.ended("flaky")
    job = (await told.stage.snapshot()).job
    first = await told.commands.retry(job, "one", from_start=False)
    second = await told.commands.retry(job, "two", from_start=True)
    assert (first.changed, second.changed, second.refused) == (True, False, "")
    await told.stage.run()
    assert (await told.stage.snapshot()).job.run == 2


async def test_a_cancellation_of_an_earlier_run_does_not_cancel_the_later_one() -> None:
    """Its backup message comes a minute after the button was pressed, when the job runs again."""
    told = FlakyStage()
    await told.stage.submit("waits")
    job = (await told.stage.snapshot()).job
    await told.commands.cancel(job, "one")
    cancelled = (await told.stage.snapshot()).job
    await told.commands.retry(cancelled, "one", from_start=False)
    await told.stage.deliver(told.backup(Cancellation), "late")
    assert not (await told.stage.snapshot()).job.ended


async def test_a_call_that_waited_is_made_again_and_an_outcome_of_the_earlier_run_is_not_its_own() -> None:
    """Under the same operation; who completes it in the new run is heard."""
    told = FlakyStage()
    event = await told.stage.submit("waits")
    await told.stage.deliver(event)
    await told.stage.deliver(told.stage.events()[-1], "m2")
    call = (await told.stage.calls())[0]
    job = (await told.stage.snapshot()).job
    assert call.status is CallStatus.WAITING
    await told.commands.cancel(job, "one")
    await told.commands.retry((await told.stage.snapshot()).job, "one", from_start=False)
    late = Completion(call_id=call.id, outcome={"ok": "late"})
    assert (await told.commands.signal(job, late)).value == "ended"
    slot_request = next(item for item in await told.stage.items() if item.kind == "wish")
    assert slot_request.want == "slot"
    again = (await told.stage.snapshot()).job
    assert (await told.commands.signal(again, Completion(call_id=call.id, outcome={"ok": 1}))).value == "first"
    await told.stage.run()
    assert (await told.stage.snapshot()).job.result == {"answer": "came"}
    assert (await told.stage.calls())[0].attempts == 2


async def test_a_job_below_is_started_anew_and_is_not_retried_by_itself() -> None:
    """It ended with the run that started it."""
    told = FlakyStage()
    event = await told.stage.submit("asks")
    await told.stage.deliver(event)
    await told.stage.deliver(told.stage.events()[-1], "m2")
    call = (await told.stage.calls())[0]
    child = (await told.stage.snapshot(child_of(call.id))).job
    refused = await told.commands.retry(child, "one", from_start=True)
    assert "retry job 'job_1'" in refused.refused
    await told.commands.cancel((await told.stage.snapshot()).job, "one")
    await told.commands.retry((await told.stage.snapshot()).job, "one", from_start=False)
    for number in range(4):
        await told.stage.deliver(told.stage.events()[-1], f"again{number}")
    assert (await told.stage.calls())[0].child == child_of(call.id, 2)
    assert (await told.stage.snapshot(child_of(call.id))).job.status is JobStatus.CANCELLED
    assert not (await told.stage.snapshot(child_of(call.id, 2))).job.ended


async def test_nothing_of_a_retried_job_expires() -> None:
    """Its data would go while it runs."""
    told = FlakyStage()
    told.flaky.model_fails = 1
    await told.ended("flaky")
    assert told.stage.store.trees["job_1"].expires_ms
    job = (await told.stage.snapshot()).job
    await told.commands.retry(job, "one", from_start=False)
    assert not told.stage.store.trees["job_1"].expires_ms
    assert told.stage.store.trees["job_1"].tombstone is None


async def test_a_live_job_is_not_retried_and_the_backup_is_taken_back() -> None:
    """It would retry the job's end, whenever that comes."""
    told = FlakyStage()
    await told.stage.submit("flaky")
    job = (await told.stage.snapshot()).job
    refused = (await told.commands.retry(job, "one", from_start=False)).refused
    assert refused == "job 'job_1' has not ended: cancel it first, or let it end"
    assert told.stage.queue.cancelled == [told.stage.queue.published[-1][0]]


async def test_a_late_commit_of_the_earlier_run_is_dropped() -> None:
    """The work item of the later run has the same key, and a process of the earlier one wakes up."""
    told = FlakyStage()
    await told.stage.submit("flaky")
    job = (await told.stage.snapshot()).job
    original = told.flaky.answer

    async def slow(request: ModelRequest) -> ModelAnswer:
        await told.commands.cancel(job, "one")
        await told.commands.retry((await told.stage.snapshot()).job, "one", from_start=False)
        return await original(request)

    told.flaky.answer = slow  # type: ignore[method-assign]  # the model is slow, once
    outcome = await told.stage.deliver(told.stage.events()[-1])
    told.flaky.answer = original  # type: ignore[method-assign]  # and is as it was
    assert outcome.word == "overtaken"
    assert (await told.stage.snapshot()).job.used.turns == 0
    await told.stage.run()
    assert await told.status() is JobStatus.COMPLETED


async def test_a_refusal_that_comes_late_says_that_it_may_still_be_done() -> None:
    """Its backup message is under way."""
    told = FlakyStage()
    await told.stage.submit("flaky")
    job = (await told.stage.snapshot()).job
    recall = told.stage.ports.archive.recall

    async def slowly(job_id: str) -> object:
        told.stage.clock.ms += 40_000
        return await recall(job_id)

    told.stage.ports.archive.recall = slowly  # type: ignore[method-assign, assignment]  # a store that is slow
    with pytest.raises(StoreError, match="may still be changed"):
        await told.commands.retry(job, "one", from_start=False)


async def test_a_deletion_that_stood_still_does_not_take_the_slot_of_a_later_run() -> None:
    """It read the job as it had ended, which has run again since: the admission knows a later word, which stays."""
    told = FlakyStage()
    await told.stage.submit("waits")
    await told.commands.cancel((await told.stage.snapshot()).job, "one")
    ended = (await told.stage.snapshot()).job
    recalled = await told.stage.ports.archive.recall(ended.id)
    await told.commands.retry(ended, "one", from_start=False)
    await told.stage.deliver(told.stage.events()[-1], "wish")
    assert told.stage.entry().slot

    async def as_it_was(job_id: str) -> Recalled | None:
        return recalled

    told.stage.ports.archive.recall = as_it_was  # type: ignore[method-assign]  # a process that stood still
    with pytest.raises(StoreError, match="send the request again"):
        await told.commands.delete(ended)
    assert told.stage.entry().slot


async def test_a_retry_is_in_the_book_before_it_is_recorded() -> None:
    """It left the slot table with its end: whatever becomes of the call, and of its backup, a sweep finds the job."""
    told = FlakyStage()
    told.flaky.model_fails = 1
    await told.ended("flaky")
    job = (await told.stage.snapshot()).job
    told.stage.admission.entries = {}
    record = told.stage.store.record

    async def dying(*asked: Any) -> Any:
        await record(*asked)
        raise StoreError("nobody hears the answer")

    told.stage.store.record = dying  # type: ignore[method-assign, assignment]  # the process dies here
    with pytest.raises(StoreError, match="nobody hears"):
        await told.commands.retry(job, "one", from_start=False)
    assert (await told.stage.snapshot()).job.run == 2
    assert told.stage.entry().want == "gone"


async def test_a_refused_retry_dispatches_what_it_carries() -> None:
    """A job that has not begun requests its slot shortly before; who looks at it then takes that slot request along."""
    told = FlakyStage()
    stage = told.stage
    job = replace(stage.job("adds"), start_at_ms=stage.clock.ms + 100_000)
    await stage.container.commands.submit(job, {"text": "do it", "data": {}})
    stage.clock.ms += 50_000
    refused = await told.commands.retry(replace(job, status=JobStatus.FAILED), "one", from_start=False)
    assert "has not ended" in refused.refused
    [slot_request] = [item for item in await stage.items() if item.kind == "wish"]
    assert any(
        event.payload.slot_request == slot_request.attempt
        for event in stage.events()
        if isinstance(event, AgentLoopInit)
    )


async def test_a_refused_retry_whose_slot_request_is_not_taken_keeps_its_backup(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else nobody carried the slot request; who asked is told to ask again."""
    told = FlakyStage()
    stage = told.stage
    job = replace(stage.job("adds"), start_at_ms=stage.clock.ms + 100_000)
    await stage.container.commands.submit(job, {"text": "do it", "data": {}})
    stage.clock.ms += 50_000
    publish = stage.queue.publish

    async def once(messages: Sequence[Outgoing]) -> list[str]:
        ids = await publish(messages)
        stage.queue.failing.append(PublishError("full"))  # for what comes after the backup message
        monkeypatch.setattr(stage.queue, "publish", publish)
        return ids

    monkeypatch.setattr(stage.queue, "publish", once)
    with pytest.raises(PublishError, match="full"):
        await told.commands.retry(replace(job, status=JobStatus.FAILED), "one", from_start=False)
    assert stage.queue.cancelled == []
