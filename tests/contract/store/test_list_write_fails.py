"""A list that takes no row harms nobody: jobs are submitted, run and end, and no slot is lost."""

import pytest

from baton.engine.all_jobs.job_list import Query, Row, members
from baton.engine.all_jobs.shelves import place_of
from baton.engine.effects import LIST_GAPS
from baton.engine.transitions import JobStatus
from baton.storage.redis import keys
from tests.contract.store.real_stage import RealStage
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.side import real_side


async def test_jobs_run_and_no_slot_leaks_while_the_list_takes_no_row(
    redis_process: RedisProcess, caplog: pytest.LogCaptureFixture
) -> None:
    async with real_side(redis_process) as side:
        stage = RealStage(side, 2, continuation="inline")
        row = Row("job_0", stage.clock.now_ms(), "acme", "session-job_0", "in-a-row")
        broken = {keys.list_key(place_of(member).key) for member in members(row)}
        for key in broken:
            redis_process.request("SET", key, "takes no row")
        for number in range(5):  # more than there are slots
            await stage.play("in-a-row", f"job_{number}")
            assert (await stage.ports.reader.jobs([f"job_{number}"]))[f"job_{number}"].job.status is JobStatus.COMPLETED
        assert (await side.admission_control.state()).active == 0
        assert (await side.counters.sums())[LIST_GAPS] >= 5
        assert "job_4 is missing from a list of jobs" in caplog.text
        redis_process.request("DEL", *broken)
        await stage.play("in-a-row", "job_9")
        assert [one.job_id for one in (await side.listing.scan(Query(), "", 10)).found] == ["job_9"]
