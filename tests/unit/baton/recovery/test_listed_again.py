"""A job that lived and ended in the seconds that a failover made the admission forget is listed by its backup."""

from typing import Any

import pytest

from baton.engine.all_jobs.job_list import Query
from baton.engine.commit.answers import Reconciled
from baton.engine.transitions import JobStatus
from baton.storage.in_memory.admission import Kept
from baton_events.errors import StoreError
from baton_events.schema import Submission
from tests.unit.baton.kit.flaky import FlakyStage
from tests.unit.baton.kit.stage import Stage


async def found(stage: Stage, query: Query) -> list[str]:
    return [one.job_id for one in (await stage.ports.listing.scan(query, "", 100)).found]


async def test_a_job_of_which_the_admission_forgot_everything_is_listed_again_with_its_end() -> None:
    """Nobody else speaks of it: it has ended, and its last word was told."""
    stage = Stage()
    await stage.submit("answers", "job_1")
    await stage.run(within_seconds=20)
    assert (await stage.snapshot()).job.ended
    stage.admission.go_back(Kept())
    await stage.run()
    assert await found(stage, Query()) == ["job_1"]
    assert await found(stage, Query(statuses=frozenset({"completed"}))) == ["job_1"]
    assert stage.entry().want == "gone"


@pytest.mark.parametrize("left", [False, True])
async def test_a_retried_job_whose_second_run_the_admission_forgot_is_listed_again_with_its_end(*, left: bool) -> None:
    """Whether it still knows the end of the first run or that has left the slot table."""
    flaky_stage = FlakyStage()
    flaky_stage.flaky.model_fails = 1
    await flaky_stage.ended("flaky")
    stage, job = flaky_stage.stage, (await flaky_stage.stage.snapshot()).job
    if left:
        stage.admission.entries = {}
    before = stage.admission.kept()
    await flaky_stage.commands.retry(job, "one", from_start=False)
    await stage.run(within_seconds=20)
    assert await found(stage, Query(statuses=frozenset({"completed"}))) == [job.id]
    stage.admission.go_back(before)
    await stage.run()
    assert await found(stage, Query(statuses=frozenset({"completed"}))) == [job.id]
    assert stage.entry().want == "gone"


async def test_a_retry_that_only_its_backup_made_is_reported_once_more() -> None:
    """A failover may forget what the backup message did, as it may what a call did."""
    flaky_stage = FlakyStage()
    flaky_stage.flaky.model_fails = 1
    await flaky_stage.ended("flaky")
    job = (await flaky_stage.stage.snapshot()).job
    before = flaky_stage.stage.admission.kept()

    async def dying(*_requested: Any) -> Any:
        raise StoreError("nobody hears it")

    record, flaky_stage.stage.store.record = flaky_stage.stage.store.record, dying  # type: ignore[method-assign, assignment]
    with pytest.raises(StoreError, match="nobody hears it"):
        await flaky_stage.commands.retry(job, "one", from_start=False)
    flaky_stage.stage.store.record = record  # type: ignore[method-assign]
    await flaky_stage.stage.run(within_seconds=80)
    assert (await flaky_stage.stage.snapshot()).job.status is JobStatus.COMPLETED
    flaky_stage.stage.admission.go_back(before)
    await flaky_stage.stage.run()
    assert await found(flaky_stage.stage, Query(statuses=frozenset({"completed"}))) == [job.id]


async def test_the_backup_of_a_job_that_the_admission_knows_sends_it_nothing() -> None:
    stage = Stage()
    await stage.submit("answers", "job_1")
    await stage.run(within_seconds=20)
    requested_ms = stage.entry().since_ms
    await stage.run()
    assert stage.entry().since_ms == requested_ms


async def test_a_backup_that_stood_still_does_not_take_the_slot_of_a_later_run() -> None:
    """It saw an ended job without an entry; until it says so, somebody has retried the job."""
    flaky_stage = FlakyStage()
    await flaky_stage.stage.submit("waits")
    await flaky_stage.commands.cancel((await flaky_stage.stage.snapshot()).job, "one")
    await flaky_stage.stage.run(within_seconds=20)
    ended = (await flaky_stage.stage.snapshot()).job
    flaky_stage.stage.admission.go_back(Kept())
    check = flaky_stage.stage.store.reconcile

    async def slowly(*requested: Any, **named: Any) -> Reconciled:
        reconciled = await check(*requested, **named)
        flaky_stage.stage.clock.ms += 1_000
        await flaky_stage.commands.retry(ended, "one", from_start=False)
        await flaky_stage.stage.deliver(flaky_stage.stage.events()[-1], "wish")
        flaky_stage.stage.clock.ms += 1_000
        return reconciled

    flaky_stage.stage.store.reconcile = slowly  # type: ignore[method-assign]  # a process that stands still
    await flaky_stage.stage.deliver(flaky_stage.backup(Submission), "late")
    assert (flaky_stage.stage.entry().want, flaky_stage.stage.entry().slot) == ("slot", True)
