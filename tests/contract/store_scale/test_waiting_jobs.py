"""A hundred thousand waiting jobs cost a word of the admission nothing, and an idle deployment little."""

from contextlib import closing

import pytest

from baton.engine.all_jobs.slots import SWEEP_PAGE, Want
from baton.store.redis import keys
from baton.store.redis.semaphore import member_field
from tests.contract.store.redis_process import Counted, RedisProcess
from tests.contract.store.sample import NOW_MS, slot_request
from tests.contract.store.side import SLOTS
from tests.contract.store_cluster.raw_client import RawClient
from tests.contract.store_scale.conftest import adapters

FIRST = "job_000000"
SIZES = (10, 1_000, 100_000)
BATCH = 1_000
REQUESTS_AN_HOUR = 1_000


async def full(server: RedisProcess, waiting: int) -> None:
    """All slots are held, and so many jobs wait: the first by its word, the others as copies of what that wrote."""
    server.request("FLUSHALL")
    async with adapters(server) as (side, _):
        for number in range(SLOTS):
            await slot_request(side, f"job_h{number}", "slot", 1)
        assert not (await slot_request(side, FIRST, "slot", 1)).slot
    with closing(RawClient(server.socket_path)) as client:
        entry = client.request("HGET", keys.SLOTS, member_field(FIRST))
        seat = next(each for each in client.request("ZRANGE", keys.SLOT_ORDER, "[q", "(r", "BYLEX") if FIRST in each)
        line = client.request("ZRANGE", keys.SLOT_ORDER, "[l", "(m", "BYLEX")[0]
        for start in range(1, waiting, BATCH):
            names = [f"job_{number:06}" for number in range(start, min(start + BATCH, waiting))]
            for text in (f"n{FIRST}", seat, line):
                members = (word for name in names for word in (0, text.replace(FIRST, name)))
                client.write([("ZADD", keys.SLOT_ORDER, *members)])
            records = ((member_field(name), entry.replace(FIRST, name)) for name in names)
            client.write([("HSET", keys.SLOTS, *(word for pair in records for word in pair))])
            client.write([("HSET", keys.state_key(name), "#", "made") for name in names])  # a waiting job has a tree
        client.request("HSET", keys.SLOTS, "asking", waiting, "lines", waiting)


async def spent_by_updates(server: RedisProcess) -> list[Counted]:
    """What each kind of word costs: into line, a slot kept, given back and given on, taken, an end in line."""
    async with adapters(server) as (side, _):
        await slot_request(side, "job_h0", "slot", 1)
        costs: list[Counted] = []
        shown: list[tuple[str, Want, int]] = [
            *(("job_n", "slot", 1), ("job_h0", "slot", 2), ("job_h0", "none", 3)),
            *((FIRST, "slot", 1), ("job_h0", "slot", 4), ("job_n", "gone", 2)),
        ]
        for name, want, epoch in shown:
            before = server.counted()
            slot_answer = await slot_request(side, name, want, epoch)
            costs.append(server.counted().since(before))
            assert slot_answer.slot is (name == FIRST or (epoch == 2 and want == "slot"))
        return costs


def reads_of_whole_keys(server: RedisProcess) -> list[str]:
    whole = tuple(f"cmdstat_{name}:" for name in ("hgetall", "hvals", "hkeys", "smembers", "keys", "lrange"))
    return [
        line.partition(",")[0] for line in server.request("INFO", "commandstats").splitlines() if line.startswith(whole)
    ]


async def test_an_update_costs_the_same_with_ten_and_with_a_hundred_thousand_waiting_jobs(server: RedisProcess) -> None:
    costs: list[list[Counted]] = []
    for size in SIZES:
        await full(server, size)
        before = reads_of_whole_keys(server)
        costs.append(await spent_by_updates(server))
        assert reads_of_whole_keys(server) == before
    for few, more, many in zip(*costs, strict=True):
        assert few.requests == more.requests == many.requests == 1
        assert few.commands == more.commands == many.commands
        assert many.size_bytes <= 1.3 * few.size_bytes


@pytest.mark.long
async def test_a_hundred_thousand_waiting_jobs_cost_an_idle_deployment_at_most_a_thousand_requests_an_hour(
    server: RedisProcess,
) -> None:
    """The hourly sweep of them all: its pages, their looks, and a publish for each; nothing else is armed."""
    await full(server, SIZES[-1])
    async with adapters(server) as (side, _):
        for number in range(SLOTS):
            await slot_request(side, f"job_h{number}", "none", 2)
            await side.admission_control.stop(NOW_MS)
        before, pages, after, seen = server.counted(), 0, "", 0
        while not pages or after:
            turn = await side.admission.sweep(0, NOW_MS + 3_600_000, after=after)
            trees = {name: {name: entry} for name, entry in turn.slot_table.items()}
            await side.store.reconcile_all(trees, "sweep", NOW_MS + 3_600_000, 60_000)
            pages, after, seen = pages + 1, turn.after, seen + len(turn.slot_table)
        requests = server.counted().since(before).requests
    assert seen == SIZES[-1] + SLOTS
    assert pages == seen // SWEEP_PAGE + 1
    published = delivered = pages
    assert requests + published + delivered <= REQUESTS_AN_HOUR
