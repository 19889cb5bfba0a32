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
    flaky_stage = FlakyStage()
    flaky_stage.flaky.model_fails = 2
    await flaky_stage.ended("flaky")
    await flaky_stage.retry()
    failed_again = (await flaky_stage.stage.snapshot()).job
    assert failed_again.status is JobStatus.FAILED
    await flaky_stage.stage.deliver(flaky_stage.backup(Retrial), "late")
    await flaky_stage.stage.run()
    assert (await flaky_stage.stage.snapshot()).job == failed_again


async def test_a_backup_retries_what_a_failover_forgot() -> None:
    """The commit is gone, and the job as it ended is there again."""
    flaky_stage = FlakyStage()
    flaky_stage.flaky.model_fails = 1
    await flaky_stage.ended("flaky")
    forgotten = dict(flaky_stage.stage.store.trees)
    job = (await flaky_stage.stage.snapshot()).job
    await flaky_stage.commands.retry(job, "client of acme", from_start=False)
    flaky_stage.stage.store.trees = forgotten
    await flaky_stage.stage.run()
    assert (await flaky_stage.status(), (await flaky_stage.stage.snapshot()).job.run) == (JobStatus.COMPLETED, 2)


async def test_a_backup_waits_for_an_end_that_a_failover_forgot() -> None:
    """The job runs its last item again: when that has failed, too, the retry counts; it is told again each minute."""
    flaky_stage = FlakyStage()
    flaky_stage.flaky.model_fails = 2
    await flaky_stage.stage.submit("flaky")
    live: dict[str, Tree] = {}

    async def remember_the_last_live_state() -> None:
        if not (await flaky_stage.stage.snapshot()).job.ended:
            live.update(flaky_stage.stage.store.trees)

    await flaky_stage.stage.run(remember_the_last_live_state)
    job = (await flaky_stage.stage.snapshot()).job
    await flaky_stage.commands.retry(job, "client of acme", from_start=False)
    flaky_stage.stage.store.trees = live
    backup = flaky_stage.backup(Retrial)
    assert (await flaky_stage.stage.deliver(backup, "w1")).label == "signalled"
    again = flaky_stage.stage.outgoing()[-1]
    assert again.not_before_ms == flaky_stage.stage.clock.now_ms() + 60_000
    item = next(item for item in await flaky_stage.stage.items() if item.kind == "loop")
    await flaky_stage.stage.deliver(event_of(job.session_id, item), "swept")
    assert (await flaky_stage.stage.snapshot()).job.run == 1
    assert await flaky_stage.status() is JobStatus.FAILED
    await flaky_stage.stage.run()
    assert (await flaky_stage.status(), (await flaky_stage.stage.snapshot()).job.run) == (JobStatus.COMPLETED, 2)


async def test_a_second_retry_of_the_same_run_changes_nothing() -> None:
    """Two people press the button: the job runs again once."""
    flaky_stage = FlakyStage()
    flaky_stage.flaky.model_fails = 1
    await flaky_stage.ended("flaky")
    job = (await flaky_stage.stage.snapshot()).job
    first = await flaky_stage.commands.retry(job, "one", from_start=False)
    second = await flaky_stage.commands.retry(job, "two", from_start=True)
    assert (first.changed, second.changed, second.refused) == (True, False, "")
    await flaky_stage.stage.run()
    assert (await flaky_stage.stage.snapshot()).job.run == 2


async def test_a_cancellation_of_an_earlier_run_does_not_cancel_the_later_one() -> None:
    """Its backup message comes a minute after the button was pressed, when the job runs again."""
    flaky_stage = FlakyStage()
    await flaky_stage.stage.submit("waits")
    job = (await flaky_stage.stage.snapshot()).job
    await flaky_stage.commands.cancel(job, "one")
    cancelled = (await flaky_stage.stage.snapshot()).job
    await flaky_stage.commands.retry(cancelled, "one", from_start=False)
    await flaky_stage.stage.deliver(flaky_stage.backup(Cancellation), "late")
    assert not (await flaky_stage.stage.snapshot()).job.ended


async def test_a_call_that_waited_is_made_again_and_an_outcome_of_the_earlier_run_is_not_its_own() -> None:
    """Under the same operation; who completes it in the new run is heard."""
    flaky_stage = FlakyStage()
    event = await flaky_stage.stage.submit("waits")
    await flaky_stage.stage.deliver(event)
    await flaky_stage.stage.deliver(flaky_stage.stage.events()[-1], "m2")
    call = (await flaky_stage.stage.calls())[0]
    job = (await flaky_stage.stage.snapshot()).job
    assert call.status is CallStatus.WAITING
    await flaky_stage.commands.cancel(job, "one")
    await flaky_stage.commands.retry((await flaky_stage.stage.snapshot()).job, "one", from_start=False)
    late = Completion(call_id=call.id, outcome={"ok": "late"})
    assert (await flaky_stage.commands.signal(job, late)).value == "ended"
    slot_request = next(item for item in await flaky_stage.stage.items() if item.kind == "wish")
    assert slot_request.want == "slot"
    again = (await flaky_stage.stage.snapshot()).job
    assert (await flaky_stage.commands.signal(again, Completion(call_id=call.id, outcome={"ok": 1}))).value == "first"
    await flaky_stage.stage.run()
    assert (await flaky_stage.stage.snapshot()).job.result == {"answer": "came"}
    assert (await flaky_stage.stage.calls())[0].attempts == 2


async def test_a_job_below_is_started_anew_and_is_not_retried_by_itself() -> None:
    flaky_stage = FlakyStage()
    event = await flaky_stage.stage.submit("asks")
    await flaky_stage.stage.deliver(event)
    await flaky_stage.stage.deliver(flaky_stage.stage.events()[-1], "m2")
    call = (await flaky_stage.stage.calls())[0]
    child = (await flaky_stage.stage.snapshot(child_of(call.id))).job
    refused = await flaky_stage.commands.retry(child, "one", from_start=True)
    assert "retry job 'job_1'" in refused.refused
    await flaky_stage.commands.cancel((await flaky_stage.stage.snapshot()).job, "one")
    await flaky_stage.commands.retry((await flaky_stage.stage.snapshot()).job, "one", from_start=False)
    for number in range(4):
        await flaky_stage.stage.deliver(flaky_stage.stage.events()[-1], f"again{number}")
    assert (await flaky_stage.stage.calls())[0].child == child_of(call.id, 2)
    assert (await flaky_stage.stage.snapshot(child_of(call.id))).job.status is JobStatus.CANCELLED
    assert not (await flaky_stage.stage.snapshot(child_of(call.id, 2))).job.ended


async def test_nothing_of_a_retried_job_expires() -> None:
    """Its data would go while it runs."""
    flaky_stage = FlakyStage()
    flaky_stage.flaky.model_fails = 1
    await flaky_stage.ended("flaky")
    assert flaky_stage.stage.store.trees["job_1"].expires_ms
    job = (await flaky_stage.stage.snapshot()).job
    await flaky_stage.commands.retry(job, "one", from_start=False)
    assert not flaky_stage.stage.store.trees["job_1"].expires_ms
    assert flaky_stage.stage.store.trees["job_1"].tombstone is None


async def test_a_live_job_is_not_retried_and_the_backup_is_taken_back() -> None:
    """It would retry the job's end, whenever that comes."""
    flaky_stage = FlakyStage()
    await flaky_stage.stage.submit("flaky")
    job = (await flaky_stage.stage.snapshot()).job
    refused = (await flaky_stage.commands.retry(job, "one", from_start=False)).refused
    assert refused == "job 'job_1' has not ended: cancel it first, or let it end"
    assert flaky_stage.stage.queue.cancelled == [flaky_stage.stage.queue.published[-1][0]]


async def test_a_late_commit_of_the_earlier_run_is_dropped() -> None:
    """The work item of the later run has the same key, and a process of the earlier one wakes up."""
    flaky_stage = FlakyStage()
    await flaky_stage.stage.submit("flaky")
    job = (await flaky_stage.stage.snapshot()).job
    original = flaky_stage.flaky.answer

    async def slow(request: ModelRequest) -> ModelAnswer:
        await flaky_stage.commands.cancel(job, "one")
        await flaky_stage.commands.retry((await flaky_stage.stage.snapshot()).job, "one", from_start=False)
        return await original(request)

    flaky_stage.flaky.answer = slow  # type: ignore[method-assign]  # the model is slow, once
    outcome = await flaky_stage.stage.deliver(flaky_stage.stage.events()[-1])
    flaky_stage.flaky.answer = original  # type: ignore[method-assign]  # and is as it was
    assert outcome.label == "overtaken"
    assert (await flaky_stage.stage.snapshot()).job.used.turns == 0
    await flaky_stage.stage.run()
    assert await flaky_stage.status() is JobStatus.COMPLETED


async def test_a_refusal_that_comes_late_says_that_it_may_still_be_done() -> None:
    """Its backup message is under way."""
    flaky_stage = FlakyStage()
    await flaky_stage.stage.submit("flaky")
    job = (await flaky_stage.stage.snapshot()).job
    recall = flaky_stage.stage.ports.archive.recall

    async def slowly(job_id: str) -> object:
        flaky_stage.stage.clock.ms += 40_000
        return await recall(job_id)

    flaky_stage.stage.ports.archive.recall = slowly  # type: ignore[method-assign, assignment]  # a store that is slow
    with pytest.raises(StoreError, match="may still be changed"):
        await flaky_stage.commands.retry(job, "one", from_start=False)


async def test_a_deletion_that_stood_still_does_not_take_the_slot_of_a_later_run() -> None:
    """It read the job as it had ended, which has run again since: the admission knows a later word, which stays."""
    flaky_stage = FlakyStage()
    await flaky_stage.stage.submit("waits")
    await flaky_stage.commands.cancel((await flaky_stage.stage.snapshot()).job, "one")
    ended = (await flaky_stage.stage.snapshot()).job
    recalled = await flaky_stage.stage.ports.archive.recall(ended.id)
    await flaky_stage.commands.retry(ended, "one", from_start=False)
    await flaky_stage.stage.deliver(flaky_stage.stage.events()[-1], "wish")
    assert flaky_stage.stage.entry().slot

    async def as_it_was(job_id: str) -> Recalled | None:
        return recalled

    flaky_stage.stage.ports.archive.recall = as_it_was  # type: ignore[method-assign]  # a process that stood still
    with pytest.raises(StoreError, match="send the request again"):
        await flaky_stage.commands.delete(ended)
    assert flaky_stage.stage.entry().slot


async def test_a_retry_is_in_the_slot_table_before_it_is_recorded() -> None:
    """It left the slot table with its end: whatever becomes of the call, and of its backup, a sweep finds the job."""
    flaky_stage = FlakyStage()
    flaky_stage.flaky.model_fails = 1
    await flaky_stage.ended("flaky")
    job = (await flaky_stage.stage.snapshot()).job
    flaky_stage.stage.admission.entries = {}
    record = flaky_stage.stage.store.record

    async def dying(*requested: Any) -> Any:
        await record(*requested)
        raise StoreError("nobody hears the answer")

    flaky_stage.stage.store.record = dying  # type: ignore[method-assign, assignment]  # the process dies here
    with pytest.raises(StoreError, match="nobody hears"):
        await flaky_stage.commands.retry(job, "one", from_start=False)
    assert (await flaky_stage.stage.snapshot()).job.run == 2
    assert flaky_stage.stage.entry().want == "gone"


async def test_a_refused_retry_dispatches_what_it_guarantees() -> None:
    """A job that has not begun requests its slot shortly before; who looks at it then takes that slot request along."""
    flaky_stage = FlakyStage()
    stage = flaky_stage.stage
    job = replace(stage.job("adds"), start_at_ms=stage.clock.ms + 100_000)
    await stage.container.commands.submit(job, {"text": "do it", "data": {}})
    stage.clock.ms += 50_000
    refused = await flaky_stage.commands.retry(replace(job, status=JobStatus.FAILED), "one", from_start=False)
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
    flaky_stage = FlakyStage()
    stage = flaky_stage.stage
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
        await flaky_stage.commands.retry(replace(job, status=JobStatus.FAILED), "one", from_start=False)
    assert stage.queue.cancelled == []
