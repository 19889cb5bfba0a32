"""Rows of jobs whose data has expired leave the list; no others."""

from collections.abc import Sequence

import pytest

from baton.engine.all_jobs.job_list import Query
from baton.recovery.maintenance import PAGE_ROWS, RUN_MS, Pruning, read_prune_after
from baton_events.errors import MalformedEventError
from tests.unit.baton.kit.stage import Stage

RETENTION_MS, HOUR_MS = 100_000_000, 3_600_000


def pruning_of(stage: Stage) -> Pruning:
    return Pruning(stage.ports.listing, stage.reader, stage.container.emitter, stage.clock, RETENTION_MS)


async def listed(stage: Stage) -> list[str]:
    return sorted(one.job_id for one in (await stage.ports.listing.scan(Query(), "", 1_000)).found)


async def test_jobs_without_data_leave_the_list_once_they_are_old() -> None:
    """Before, a backup message may create them; one that has data stays, however old it is."""
    stage = Stage()
    for job_id in ("job_1", "job_2", "job_3"):
        await stage.submit("answers", job_id)
    for job_id in ("job_1", "job_3"):
        del stage.store.trees[job_id]
    pruning = pruning_of(stage)
    assert (await pruning.prune(), len(await listed(stage))) == (0, 3)
    stage.clock.ms += RETENTION_MS + HOUR_MS
    assert (await pruning.prune(), len(await listed(stage))) == (0, 3)
    stage.clock.ms += 1
    assert (await pruning.prune(), await listed(stage)) == (2, ["job_2"])
    assert await pruning.prune() == 0


async def test_one_run_looks_at_all_old_rows() -> None:
    """Also those behind hundreds of jobs that stay: rows go as fast as they came."""
    stage = Stage()
    for number in range(600):
        await stage.submit("answers", f"job_{number:03d}")
    del stage.store.trees["job_590"]
    stage.clock.ms += RETENTION_MS + HOUR_MS + 1
    assert await pruning_of(stage).prune() == 1
    assert len(await listed(stage)) == 599


async def test_a_run_that_takes_long_is_continued_by_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """From where it ended; what it publishes ends with the last row."""
    stage = Stage()
    for number in range(600):
        await stage.submit("answers", f"job_{number:03d}")
    for number in range(600):
        del stage.store.trees[f"job_{number:03d}"]
    stage.clock.ms += RETENTION_MS + HOUR_MS + 1
    known = stage.reader.known

    async def slowly(job_ids: Sequence[str]) -> frozenset[str]:
        stage.clock.ms += RUN_MS
        return await known(job_ids)

    monkeypatch.setattr(stage.reader, "known", slowly)
    pruning, forgotten, bodies = pruning_of(stage), list[int](), [b""]
    while bodies:
        published = len(stage.queue.published)
        forgotten.append(await pruning.prune(read_prune_after(bodies.pop())))
        bodies = [message.body.encode() for message in stage.outgoing()[published:]]
    assert (forgotten, await listed(stage)) == ([PAGE_ROWS, PAGE_ROWS, 600 - 2 * PAGE_ROWS], [])


def test_a_message_that_names_no_position_is_malformed() -> None:
    """And one that asks for something else prunes nothing."""
    assert read_prune_after(b'{"dueMs":5}') == ""
    with pytest.raises(MalformedEventError, match="no position to prune from: 'x'"):
        read_prune_after(b'{"pruneAfter":"x"}')
