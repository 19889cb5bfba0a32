"""The scripts of the queue in a store, played many times at random; each planted defect is found."""

import pytest

from baton_events.messages import Flow, Outgoing
from tests.unit.baton.queue.redis.explored import URL, World, explore

SEEDS = range(40)
DEFECTS = {
    "a lease is not renewed": ("now + wait), id)\n  return", "now), id)\n  return"),
    "an old lease ends it": ("(what ~= 'cancel' and s.lease ~= ARGV[2])", "false"),
    "what a failover forgot is settled": ("if not s or (", "if not s then return 1 end\nif not s or ("),
    "a dedupe forgets": ("id, 'NX', 'PX', 600000", "id, 'PX', 600000"),
    "a shard is never looked at": ("for shard = 0, #KEYS / 7 - 1 do", "for shard = 1, #KEYS / 7 - 1 do"),
    "a dead pump keeps its messages": ("  expire()\n", ""),
    "a flow key keeps its place": ("redis.call('HINCRBY', key(5), flow, -1) <= 0", "false"),
    "a flow key has no limit": (">= s.most then return true end", "> 1000 then return true end"),
    "a full lane is forgotten": ("redis.call('ZADD', key(6), 0, flow_of(lane) .. '|' .. lane)", ""),
    "a lane is forgotten": ("local following = redis.call(", "local following = ({})[1] and redis.call("),
    "a retry comes at once": ("line_up(id, s, now + wait)", "line_up(id, s, now)"),
    "a delay is dropped": ("now + tonumber(ARGV[i + 3])", "now"),
    "a message is leased twice": ("    redis.call('ZREM', key(2), one)\n", ""),
    "an ended message stays": ("redis.call('HDEL', key(3), id, id .. ':', id .. ':log')", ""),
}


@pytest.mark.parametrize("seed", SEEDS)
async def test_nothing_is_lost_doubled_or_left_behind(seed: int) -> None:
    await explore(seed)


@pytest.mark.parametrize("defect", DEFECTS)
async def test_a_planted_defect_is_found(defect: str) -> None:
    swapped = 0
    for seed in SEEDS:
        try:
            swapped += (await explore(seed, swaps=(DEFECTS[defect],))).server.swapped
        except (AssertionError, KeyError):
            return
    pytest.fail(f"{defect}: nobody has noticed, in {swapped} scripts")


async def claims_until(world: World, wanted: str) -> int:
    for number in range(1, 100):
        await world.claim(16)
        world.pass_time(1)
        if wanted in world.under_way:
            return number
    return 100


@pytest.mark.parametrize(
    ("swaps", "most"), [((), 4), ((("math.max(ms, now)), lane)", "ms), lane)"),), 100)], ids=["fair", "without turns"]
)
async def test_a_tenant_with_much_due_holds_nobody_up(swaps: tuple[tuple[str, str], ...], most: int) -> None:
    """Forty tenants have 20 messages each due; another one's comes as soon as each has had its turn."""
    world, flow = World(1, swaps), Flow("one-shard", 10_000)

    async def publish(tenant: str, count: int) -> list[str]:
        found = await world.queue.publish([Outgoing("{}", url=URL, flow=flow, lane=tenant) for _ in range(count)])
        for each in found:
            world.due[each], world.flows[each] = world.now_ms, flow
        return found

    for number in range(40):
        await publish(f"tenant-{number}", 20)
        world.pass_time(1)
    for _ in range(3):
        await world.claim(16)
        world.pass_time(1)
    (wanted,) = await publish("another", 1)
    assert (await claims_until(world, wanted) <= 4) is (most == 4)
