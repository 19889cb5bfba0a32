"""Rows of jobs: those whose data has expired leave the list, and those that a failover forgot come back to it."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from baton.engine.all_jobs.job_list import Query
from baton.engine.all_jobs.slots import STALLED_AFTER_MS
from baton.engine.transitions import JobStatus
from baton.worker.recovery.maintenance import PAGE_ROWS, RUN_MS, Pruning, read_prune_after
from baton_events.errors import MalformedEventError, StoreError
from baton_events.schema import AgentLoopInit, Event, Submission
from tests.fakes.stored import ADMISSION
from tests.unit.baton.kit.faults import Method, around, fail
from tests.unit.baton.kit.flaky import FlakyStage
from tests.unit.baton.kit.stage import SETTINGS, Stage

COMPLETED = Query(statuses=frozenset({"completed"}))


async def found(stage: Stage, query: Query) -> list[str]:
    return [one.job_id for one in (await stage.ports.listing.scan(query, "", 100)).found]


def backups(stage: Stage) -> list[Event]:
    """All messages that tell of the second job's submission."""
    told = [event for event in stage.events() if isinstance(event, AgentLoopInit) and event.job_id == "job_2"]
    return [event for event in told if isinstance(event.payload.command, Submission)]


async def in_line() -> Stage:
    """One job has the only slot; another one, submitted a minute ago, waits for it."""
    stage = Stage(settings=replace(SETTINGS, max_concurrent_jobs=1))
    await stage.submit("answers", "job_1")
    await stage.submit("answers", "job_2")
    stage.clock.ms += STALLED_AFTER_MS + 1
    return stage


async def test_a_job_in_line_is_admitted_and_has_another_backup() -> None:
    """What the admission is told now may be forgotten, too: nobody else would speak of the job."""
    stage = await in_line()
    stage.redis.forget(*ADMISSION)
    [backup] = backups(stage)
    await stage.deliver(backup, "late")
    assert (await stage.now("job_2")).ended
    again = [message for message in stage.outgoing() if message.headers.get("x-event-id") == backup.id]
    assert [message.not_before_ms for message in again][1:] == [stage.clock.now_ms() + STALLED_AFTER_MS]


async def test_a_job_that_is_in_line_has_no_more_backups() -> None:
    stage = await in_line()
    [backup] = backups(stage)
    await stage.deliver(backup, "late")
    assert backups(stage) == [backup]


@pytest.mark.parametrize("forgotten", [True, False])
async def test_an_ended_job_that_the_admission_forgot_is_listed_again_with_its_end(*, forgotten: bool) -> None:
    """Nobody else speaks of it: it has ended, and its last word was told. One that is known costs no word more."""
    stage = Stage()
    await stage.played("answers", "job_0")
    failover = stage.redis.failover(*ADMISSION)
    await stage.submit("answers", "job_1")
    await stage.run(within_seconds=20)
    assert (await stage.now()).ended
    requested_ms = stage.entry().since_ms
    if forgotten:
        failover()
    await stage.run()
    assert await found(stage, Query()) == await found(stage, COMPLETED) == ["job_1", "job_0"]
    assert (stage.entry().want, stage.entry().since_ms == requested_ms) == ("gone", not forgotten)


@pytest.mark.parametrize("left", [False, True])
async def test_a_retried_job_whose_second_run_the_admission_forgot_is_listed_again_with_its_end(*, left: bool) -> None:
    """Whether it still knows the end of the first run or that has left the slot table."""
    stage = await FlakyStage.failed()
    if left:
        stage.admission.entries.clear()
    failover = stage.redis.failover(*ADMISSION)
    await stage.retry()
    await stage.run(within_seconds=20)
    assert await found(stage, COMPLETED) == ["job_1"]
    failover()
    await stage.run()
    assert await found(stage, COMPLETED) == ["job_1"]
    assert stage.entry().want == "gone"


async def test_a_retry_that_only_its_backup_made_is_reported_once_more() -> None:
    """A failover may forget what the backup message did, as it may what a call did."""
    stage = await FlakyStage.failed()
    failover = stage.redis.failover(*ADMISSION)
    fail(stage.store, "record", StoreError("nobody hears it"))
    with pytest.raises(StoreError, match="nobody hears it"):
        await stage.retry()
    await stage.run(within_seconds=80)
    assert (await stage.now()).status is JobStatus.COMPLETED
    failover()
    await stage.run()
    assert await found(stage, COMPLETED) == ["job_1"]


async def test_a_backup_that_stood_still_does_not_take_the_slot_of_a_later_run() -> None:
    """It saw an ended job without an entry; until it says so, somebody has retried the job."""
    stage = await FlakyStage.cancelled()
    await stage.run(within_seconds=20)
    stage.redis.forget(*ADMISSION)
    stands_still = [True]

    async def slowly(reconcile: Method, *requested: Any, **named: Any) -> Any:
        reconciled = await reconcile(*requested, **named)
        if stands_still:
            stands_still.clear()
            stage.clock.ms += 1_000
            await stage.retry()
            await stage.deliver(stage.events()[-1], "slot_request")
            stage.clock.ms += 1_000
        return reconciled

    around(stage.store, "reconcile", slowly)
    await stage.deliver(stage.backup(Submission), "late")
    assert (stage.entry().want, stage.entry().slot) == ("slot", True)


RETENTION_MS, HOUR_MS = 100_000_000, 3_600_000


def pruning_of(stage: Stage) -> Pruning:
    return Pruning(stage.ports.listing, stage.reader, stage.container.emitter, stage.clock, RETENTION_MS)


async def expired(count: int, gone: Iterable[int]) -> Stage:
    """Jobs of some time ago, the data of some of which are gone."""
    stage = Stage()
    for number in range(count):
        await stage.submit("answers", f"job_{number:03d}")
    for number in gone:
        del stage.store.trees[f"job_{number:03d}"]
    stage.clock.ms += RETENTION_MS + HOUR_MS + 1
    return stage


async def test_jobs_without_data_leave_the_list_once_they_are_old() -> None:
    """Before, a backup message may create them; one that has data stays, however old it is."""
    stage = await expired(3, [0, 2])
    stage.clock.ms -= 1
    assert (await pruning_of(stage).prune(), len(await found(stage, Query()))) == (0, 3)
    stage.clock.ms += 1
    assert (await pruning_of(stage).prune(), await found(stage, Query())) == (2, ["job_001"])
    assert await pruning_of(stage).prune() == 0


async def test_one_run_looks_at_all_old_rows() -> None:
    """Also those behind hundreds of jobs that stay: rows go as fast as they came."""
    assert await pruning_of(await expired(PAGE_ROWS + 5, [PAGE_ROWS + 1])).prune() == 1


async def test_a_run_that_takes_long_is_continued_by_a_message() -> None:
    """From where it ended; what it publishes ends with the last row."""
    many = 2 * PAGE_ROWS + 5
    stage = await expired(many, range(many))

    async def slowly(known: Method, job_ids: Any) -> Any:
        stage.clock.ms += RUN_MS
        return await known(job_ids)

    around(stage.reader, "known", slowly)
    pruning, forgotten, bodies = pruning_of(stage), list[int](), [b""]
    while bodies:
        published = len(stage.queue.published)
        forgotten.append(await pruning.prune(read_prune_after(bodies.pop())))
        bodies = [message.body.encode() for message in stage.outgoing()[published:]]
    assert (forgotten, await found(stage, Query())) == ([PAGE_ROWS, PAGE_ROWS, many - 2 * PAGE_ROWS], [])


def test_a_message_that_names_no_position_is_malformed() -> None:
    """And one that asks for something else prunes nothing."""
    assert read_prune_after(b'{"dueMs":5}') == ""
    with pytest.raises(MalformedEventError, match="no position to prune from: 'x'"):
        read_prune_after(b'{"pruneAfter":"x"}')
