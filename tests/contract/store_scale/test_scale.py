"""Ten thousand finished jobs in the database cost a running one nothing (decisions/0016-cost-of-a-step)."""

import re
from contextlib import closing
from dataclasses import dataclass

from baton.store.redis.keys import (
    ADMISSION_DAYS,
    ADMISSION_ENDS,
    ADMISSION_USED,
    SLOT_ORDER,
    SLOT_SHELVES,
    SLOTS,
    TOOL_USE,
)
from tests.contract.store.monitor import ScriptRun, monitor
from tests.contract.store.redis_process import Counted, RedisProcess
from tests.contract.store_cluster.raw_client import RawClient
from tests.contract.store_cluster.whole_job import WholeJob
from tests.contract.store_scale.conftest import adapters
from tests.contract.store_scale.finished_jobs import ORIGINAL_ID, listed, write_copies

FINISHED = 10_000
KEYS_OF_A_JOB = 4
ROWS_OF_A_JOB = 5
# Of one tenant and session within ten minutes: a shelf of all, one of the tenant, the session, the slots' set with the
# catalogue.
LIST_KEYS = 4
JOB_ID = "job_running"
_TAG = re.compile(r"\{([^}]*)\}")


@dataclass(frozen=True, slots=True)
class Life:
    """What the steps of a job cost: requests, commands with those inside scripts, bytes answered; and its scripts."""

    steps: list[tuple[str, Counted, int]]
    runs: list[ScriptRun]


async def life_of_a_job(server: RedisProcess) -> Life:
    steps: list[tuple[str, Counted, int]] = []
    async with adapters(server) as (side, requested), monitor(server) as watching:
        job = WholeJob(side, JOB_ID)
        before = server.counted()
        for part in (job.to_its_end, job.swept):
            async for name in part():
                steps.append((name, server.counted().since(before), sum(one.answer_bytes for one in requested)))
                before = server.counted()
                requested.clear()
        return Life(steps, await watching.runs())


async def fill(server: RedisProcess) -> None:
    """Finished jobs: one that really ran and has left the admission's slot table, and its copies."""
    async with adapters(server) as (side, _):
        await WholeJob(side, ORIGINAL_ID).run(swept=True)
    with closing(RawClient(server.socket_path)) as client:
        write_copies(client, FINISHED - 1)
        assert client.request("ZLEXCOUNT", SLOT_ORDER, "[n", "(o") == 0
        # one for all jobs, whatever their number
        # And what says when a sweep was armed: here the clocks of both lives begin at one time.
        client.request("DEL", TOOL_USE, ADMISSION_DAYS, ADMISSION_ENDS, ADMISSION_USED, SLOTS)
        client.request("ZREMRANGEBYLEX", SLOT_ORDER, "-", f"({SLOT_SHELVES}")
        assert sum(map(len, listed(client).values())) == FINISHED * ROWS_OF_A_JOB
        assert client.request("DBSIZE") == FINISHED * KEYS_OF_A_JOB + LIST_KEYS


async def test_no_step_of_a_job_costs_more_with_ten_thousand_finished_ones(server: RedisProcess) -> None:
    """Requests, commands, what is answered, and the keys that each script looks at: all as in an empty database."""
    server.request("FLUSHALL")
    alone = await life_of_a_job(server)
    server.request("FLUSHALL")
    await fill(server)
    among_many = await life_of_a_job(server)
    assert among_many.steps == alone.steps
    assert among_many.runs == alone.runs
    touched = {tag for run in alone.runs for key in run.touched for tag in _TAG.findall(key)}
    assert touched == {JOB_ID, "admission"}
