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
    """The jobs of a list."""
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
    told = FlakyStage()
    told.flaky.model_fails = 1
    await told.ended("flaky")
    stage, job = told.stage, (await told.stage.snapshot()).job
    if left:
        stage.admission.entries = {}
    before = stage.admission.kept()
    await told.commands.retry(job, "one", from_start=False)
    await stage.run(within_seconds=20)
    assert await found(stage, Query(statuses=frozenset({"completed"}))) == [job.id]
    stage.admission.go_back(before)
    await stage.run()
    assert await found(stage, Query(statuses=frozenset({"completed"}))) == [job.id]
    assert stage.entry().want == "gone"


async def test_a_retry_that_only_its_backup_made_is_told_once_more() -> None:
    """A failover may forget what the backup message did, as it may what a call did."""
    told = FlakyStage()
    told.flaky.model_fails = 1
    await told.ended("flaky")
    job = (await told.stage.snapshot()).job
    before = told.stage.admission.kept()

    async def dying(*_asked: Any) -> Any:
        raise StoreError("nobody hears it")

    record, told.stage.store.record = told.stage.store.record, dying  # type: ignore[method-assign, assignment]
    with pytest.raises(StoreError, match="nobody hears it"):
        await told.commands.retry(job, "one", from_start=False)
    told.stage.store.record = record  # type: ignore[method-assign]
    await told.stage.run(within_seconds=80)
    assert (await told.stage.snapshot()).job.status is JobStatus.COMPLETED
    told.stage.admission.go_back(before)
    await told.stage.run()
    assert await found(told.stage, Query(statuses=frozenset({"completed"}))) == [job.id]


async def test_the_backup_of_a_job_that_the_admission_knows_says_nothing_to_it() -> None:
    """An ended one costs no word more."""
    stage = Stage()
    await stage.submit("answers", "job_1")
    await stage.run(within_seconds=20)
    said_ms = stage.entry().since_ms
    await stage.run()
    assert stage.entry().since_ms == said_ms


async def test_a_backup_that_stood_still_does_not_take_the_slot_of_a_later_run() -> None:
    """It saw an ended job without an entry; until it says so, somebody has retried the job."""
    told = FlakyStage()
    await told.stage.submit("waits")
    await told.commands.cancel((await told.stage.snapshot()).job, "one")
    await told.stage.run(within_seconds=20)
    ended = (await told.stage.snapshot()).job
    told.stage.admission.go_back(Kept())
    look = told.stage.store.reconcile

    async def slowly(*asked: Any, **named: Any) -> Reconciled:
        looked = await look(*asked, **named)
        told.stage.clock.ms += 1_000
        await told.commands.retry(ended, "one", from_start=False)
        await told.stage.deliver(told.stage.events()[-1], "wish")
        told.stage.clock.ms += 1_000
        return looked

    told.stage.store.reconcile = slowly  # type: ignore[method-assign]  # a process that stands still
    await told.stage.deliver(told.backup(Submission), "late")
    assert (told.stage.entry().want, told.stage.entry().slot) == ("slot", True)
