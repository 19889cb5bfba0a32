"""A job in place gets no dearer unnoticed: exact commands from its submission to its last word, and a bound for bytes.

Whoever makes one cheaper lowers the number here; whoever makes it dearer has to say so here.
"""

import pytest

from tests.contract.store.real_stage import RealStage
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import job_of
from tests.contract.store.side import Side
from tests.contract.store.test_dearer import counted

CALLS = 5
# agent → asks of the store, commands; requests and bytes at most: asks that were ready at the same time share one.
JOBS = {"in-a-row": (16, 83, 15, 24_600), "at-once": (8, 45, 7, 16_400)}


@pytest.mark.bridge
@pytest.mark.parametrize("agent", JOBS)
async def test_a_job_in_place_costs_what_it_did(real: Side, redis_process: RedisProcess, agent: str) -> None:
    """As the bridge counts it, and as its usage ledger does; one job before it loads scripts and arms a sweep."""
    await RealStage(real, CALLS, continuation="inline").play(agent, "job_before")
    stage, before = RealStage(real, CALLS, continuation="inline"), redis_process.counted()
    await stage.play(agent)
    spent, ledger = redis_process.counted().since(before), counted((await job_of(real)).usage)
    asks, commands, most_requests, most_bytes = JOBS[agent]
    assert (ledger.requests, spent.commands) == (asks, commands)
    assert (ledger.commands, ledger.size_bytes) == (spent.commands, spent.size_bytes)
    assert spent.requests <= most_requests
    assert spent.size_bytes <= most_bytes
