"""A job in place gets no dearer unnoticed: exact commands from its submission to its last word, and a bound for bytes.

Whoever makes one cheaper lowers the number here; whoever makes it dearer has to say so here.
"""

import pytest

from tests.contract.store.real_stage import RealStage
from tests.contract.store.redis_process import Counted, RedisProcess
from tests.contract.store.sample import job_of
from tests.contract.store.side import Side
from tests.contract.store.test_dearer import dearer

pytestmark = pytest.mark.bridge

CALLS = 5
# agent → asks of the store, commands; requests and bytes at most.
JOBS = {"in-a-row": (16, 99, 15, 33_800), "at-once": (8, 57, 7, 21_950)}

__all__ = ["dearer"]


async def spent_on(side: Side, process: RedisProcess, agent: str) -> tuple[Counted, Counted]:
    """What a job cost, as the bridge counts it, and as its usage ledger do.

    One job before it loads scripts and arms a sweep.
    """
    process.request("FLUSHALL")
    await RealStage(side, CALLS, continuation="inline").play(agent, "job_before")
    stage = RealStage(side, CALLS, continuation="inline")
    before = process.counted()
    await stage.play(agent, "job_a")
    spent = process.counted().since(before)
    snapshot = await job_of(side)
    usage_ledger = snapshot.usage
    return spent, Counted(usage_ledger.redis_requests, usage_ledger.redis_commands, usage_ledger.redis_bytes)


def why_dearer(agent: str, spent: Counted, usage_ledger: Counted) -> str:
    """What is wrong with a job's cost; empty: nothing. Asks that were ready at the same time shared a request."""
    requests, commands, most_requests, most_bytes = JOBS[agent]
    if (usage_ledger.requests, spent.commands) != (requests, commands):
        return f"{agent}: {usage_ledger.requests} asks, {spent.commands} commands; it was {requests} and {commands}"
    if spent.requests > most_requests:
        return f"{agent}: {spent.requests} requests for {requests} asks; at most {most_requests}"
    return f"{agent}: {spent.size_bytes} bytes; at most {most_bytes}" if spent.size_bytes > most_bytes else ""


@pytest.mark.parametrize("agent", JOBS)
async def test_a_job_in_place_costs_what_it_did(real: Side, redis_process: RedisProcess, agent: str) -> None:
    spent, usage_ledger = await spent_on(real, redis_process, agent)
    assert not why_dearer(agent, spent, usage_ledger)
    assert (usage_ledger.commands, usage_ledger.size_bytes) == (spent.commands, spent.size_bytes)


@pytest.mark.parametrize("agent", JOBS)
async def test_a_command_more_in_a_script_is_noticed(dearer: Side, redis_process: RedisProcess, agent: str) -> None:
    assert why_dearer(agent, *await spent_on(dearer, redis_process, agent))
