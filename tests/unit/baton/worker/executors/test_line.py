"""The line before the interpreter: who begins, who waits, and who comes again later."""

import asyncio
import random  # noqa: TID251 - it is seeded
from collections import Counter

import pytest

from baton.sdk.tools.running_calls import NotYetError
from baton.worker.executors.scripting.script_run import Line
from tests.unit.baton.server.api.following import virtual_time


class Scripts:
    """Pieces of work in a line. `begun`, `most`: tenants in order, and how many of each were at work at once."""

    def __init__(self, places: int) -> None:
        self.line, self.begun, self.at_work, self.most = Line(places), list[str](), Counter[str](), Counter[str]()

    async def one(self, tenant: str, seconds: float = 10) -> str:
        async def work() -> str:
            self.begun.append(tenant)
            self.at_work[tenant] += 1
            self.most[tenant] = max(self.most[tenant], self.at_work[tenant])
            self.most["all"] = max(self.most["all"], self.at_work.total())
            try:
                await asyncio.sleep(seconds)
            finally:
                self.at_work[tenant] -= 1
            return tenant

        return await self.line.run(tenant, work)


@virtual_time
async def test_a_script_begins_at_once_beside_any_number_of_another_tenants() -> None:
    scripts = Scripts(3)
    others = [asyncio.create_task(scripts.one("loud")) for _ in range(40)]
    await asyncio.sleep(1)
    assert await asyncio.wait_for(scripts.one("quiet", 0.1), 0.2) == "quiet"
    found = await asyncio.gather(*others, return_exceptions=True)
    assert scripts.most == {"loud": 2, "quiet": 1, "all": 3}
    late = [one for one in found if isinstance(one, NotYetError)]
    assert len(late) == 38, "they waited for 5 s, and the first two take 10 s"
    assert {one.limit for one in late} == {"line of scripts"}
    assert sorted(one.wait_ms for one in late) == [*range(1_000, 39_000, 1_000)], "not all at once"


@virtual_time
async def test_a_place_goes_to_the_tenant_with_the_fewest_at_work_and_then_to_whose_turn_is_longest_ago() -> None:
    scripts = Scripts(3)
    tenants = [*"abbbbb", *"aaaa", "c", "d"]
    await asyncio.gather(*[asyncio.create_task(scripts.one(tenant, 1)) for tenant in tenants])
    assert scripts.begun[:3] == ["a", "b", "c"], "the last place is kept for one that has none"
    assert scripts.begun[3] == "d"
    assert Counter(scripts.begun) == Counter(tenants)
    assert scripts.most["all"] <= 3


@virtual_time
async def test_two_tenants_with_long_lines_do_not_hold_up_a_third() -> None:
    scripts = Scripts(2)
    loud = [asyncio.create_task(scripts.one(tenant, 1)) for tenant in "ab" * 20]
    await asyncio.sleep(0.5)
    began = asyncio.get_running_loop().time()
    await scripts.one("c", 0.1)
    assert asyncio.get_running_loop().time() - began < 1
    await asyncio.gather(*loud, return_exceptions=True)


@virtual_time
async def test_a_script_that_no_longer_has_a_caller_keeps_its_place_until_it_ends() -> None:
    scripts = Scripts(2)
    task = asyncio.create_task(scripts.one("a", 3))
    await asyncio.sleep(1)
    task.cancel()
    assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)
    waiting = asyncio.create_task(scripts.one("a", 1))
    await asyncio.sleep(1)
    assert scripts.begun == ["a"], "its thread still runs"
    assert await waiting == "a"


@virtual_time
async def test_one_that_is_cancelled_in_line_takes_no_place() -> None:
    scripts = Scripts(2)
    first, left = (asyncio.create_task(scripts.one("a", 1)) for _ in range(2))
    await asyncio.sleep(0.5)
    left.cancel()
    await asyncio.gather(first, left, return_exceptions=True)
    assert [await scripts.one("a", 1), await scripts.one("b", 1)] == ["a", "b"]
    assert scripts.begun == ["a", "a", "b"]


@virtual_time
async def test_work_that_fails_frees_its_place() -> None:
    line = Line(1)

    async def fails() -> None:
        raise ValueError("planned")

    for _ in range(3):
        with pytest.raises(ValueError, match="planned"):
            await line.run("a", fails)


async def _until_done(scripts: Scripts, tenant: str, seconds: float) -> float:
    """Come again until it has run; return how long that took, in seconds."""
    now = asyncio.get_running_loop().time
    began = now()
    while True:
        try:
            await scripts.one(tenant, seconds)
        except NotYetError as error:
            await asyncio.sleep(error.wait_ms / 1000)
        else:
            return now() - began


@pytest.mark.parametrize("seed", range(20))
@virtual_time
async def test_whatever_comes_no_place_is_lost_and_nobody_starves(seed: int) -> None:
    """Any tenants at any time, with work that is cancelled: each script ends, within the time of its share."""
    dice = random.Random(seed)
    places = dice.randint(2, 5)
    scripts, now = Scripts(places), asyncio.get_running_loop().time
    loud, quiet = list[asyncio.Task[float]](), list[asyncio.Task[float]]()
    for _ in range(dice.randint(20, 60)):
        work = _until_done(scripts, f"loud {dice.randint(1, places)}", dice.uniform(0.1, 10))
        loud.append(asyncio.create_task(work))
    for number in range(8):
        await asyncio.sleep(dice.uniform(0, 5))
        quiet.append(asyncio.create_task(_until_done(scripts, f"quiet {number}", 0.1)))
        if dice.random() < 0.3:
            loud.pop().cancel()
    assert max(await asyncio.gather(*quiet)) < 25, "some ends of scripts at most"
    await asyncio.gather(*loud)
    assert scripts.most["all"] <= places
    assert all(most < places for tenant, most in scripts.most.items() if tenant != "all")
    await asyncio.sleep(20)  # those that nobody waits for end, too
    began = now()
    await asyncio.gather(*[scripts.one(f"tenant {number}", 1) for number in range(places)])
    assert now() - began == pytest.approx(1), "all places are free again"
