"""Rows of jobs whose data has expired leave the list, some each hour; no others."""

from events.core.listing import Query
from functions.tidying import Tidying
from tests.unit.functions.stage import Stage

RETENTION_MS, HOUR_MS = 100_000_000, 3_600_000


def tidying_of(stage: Stage) -> Tidying:
    """What the hourly sweep does."""
    return Tidying(stage.ports.listing, stage.reader, stage.clock, RETENTION_MS)


async def listed(stage: Stage) -> list[str]:
    """All jobs of the list."""
    return sorted(one.job_id for one in (await stage.ports.listing.scan(Query(), "", 1_000)).found)


async def test_jobs_without_data_leave_the_list_once_they_are_old() -> None:
    """Before, a witness may create them; one that has data stays, however old it is."""
    stage = Stage()
    for job_id in ("job_1", "job_2", "job_3"):
        await stage.submit("answers", job_id)
    for job_id in ("job_1", "job_3"):
        del stage.store.trees[job_id]
    tidying = tidying_of(stage)
    assert (await tidying.tidy(), len(await listed(stage))) == (0, 3)
    stage.clock.ms += RETENTION_MS + HOUR_MS
    assert (await tidying.tidy(), len(await listed(stage))) == (0, 3)
    stage.clock.ms += 1
    assert (await tidying.tidy(), await listed(stage)) == (2, ["job_2"])
    assert await tidying.tidy() == 0


async def test_hour_by_hour_all_old_rows_are_looked_at() -> None:
    """Also those behind a hundred jobs that stay."""
    stage = Stage()
    for number in range(250):
        await stage.submit("answers", f"job_{number:03d}")
    del stage.store.trees["job_240"]
    stage.clock.ms += RETENTION_MS + HOUR_MS + 1
    tidying = tidying_of(stage)
    gone = 0
    for _ in range(3):
        gone += await tidying.tidy()
        stage.clock.ms += HOUR_MS
    assert gone == 1
    assert len(await listed(stage)) == 249
