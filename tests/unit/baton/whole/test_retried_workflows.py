"""A workflow that failed goes on with what has failed: the code is made again, and its failed steps run anew."""

import asyncio

import pytest

from baton import Registry, tool, workflow
from baton.engine.transitions import JobStatus
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import api_of, with_keys

PRICES: dict[str, int] = {}
ASKED: list[str] = []


@tool(retries=0)
async def price(item: str) -> int:
    """Say what an item costs."""
    ASKED.append(item)
    return PRICES[item]


@workflow
async def in_a_row() -> int:
    return await price("lamp") + await price("sofa")


@workflow
async def at_once() -> int:
    return sum(await asyncio.gather(price("lamp"), price("sofa")))


@workflow
async def below() -> int:
    return await price("lamp") + await in_turn()


@workflow
async def in_turn() -> int:
    return await price("sofa")


@workflow
async def in_other_words() -> int:
    try:
        return int(await in_a_row.function())
    except KeyError as error:
        raise RuntimeError("no price") from error


@workflow
async def answered() -> int:
    """Its first failure is answered, and stays."""
    try:
        return await price("desk")
    except KeyError:
        return await price("lamp") + await price("sofa")


@pytest.fixture(autouse=True)
def _prices() -> None:
    for each in (ASKED, PRICES):
        each.clear()
    PRICES["lamp"] = 1


@pytest.mark.parametrize("name", ["in_a_row", "at_once", "below", "in_other_words", "answered"])
async def test_what_failed_runs_again_and_nothing_else(name: str) -> None:
    registry = Registry(workflows=[in_a_row, at_once, below, in_turn, in_other_words, answered])
    async with api_of(Stage(settings=with_keys(), registry=registry)) as api:
        job_id = (await api.submitted(jobType=name))["id"]
        await api.stage.run()
        assert (await api.read(job_id))["status"] == JobStatus.FAILED
        PRICES.update(sofa=2, desk=9)
        await api.request("PATCH", f"/api/agent-jobs/{job_id}", json={"action": "retry"})
        await api.stage.run()
        job = await api.read(job_id)
    assert (job["status"], job["result"]["output"]) == (JobStatus.COMPLETED, 3), job["error"]
    assert sorted(ASKED) == sorted([*(["desk"] if name == "answered" else []), "lamp", "sofa", "sofa"])
