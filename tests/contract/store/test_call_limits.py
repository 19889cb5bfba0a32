"""Limits of calls: which moments and places calls are given, whatever begins, ends and pauses."""

from collections.abc import Sequence

import pytest

from baton.store.records.call_limits import PLACE_MS, CallAnswer, KeyLimit, NamedCall
from baton.store.redis.call_limits import CallLimits
from baton.store.redis.connection import RedisConnection
from tests.contract.store.sample import NOW_MS

LEASE_MS = 300_000
TEN_A_SECOND, TWO_AT_ONCE = KeyLimit("provider", per_minute=600), KeyLimit("crm", in_flight=2)


class World:
    """A clock, and a store by it."""

    def __init__(self, connection: RedisConnection) -> None:
        self.now_ms = NOW_MS
        self.limits: CallLimits = CallLimits(connection, lambda: self.now_ms)

    async def begin(self, name: str, *limits: KeyLimit, flow: str = "acme") -> CallAnswer:
        """A call asks; what it leaves is its name."""
        return await self.limits.begin_call(limits, NamedCall(name, flow, f"event of {name}"), LEASE_MS)

    async def end(self, name: str, since_ms: int, *limits: KeyLimit) -> Sequence[str]:
        """Who is woken by its end."""
        return await self.limits.end_call(limits, name, since_ms)


@pytest.fixture
def world(redis: RedisConnection) -> World:
    return World(redis)


async def test_calls_get_moments_evenly(world: World) -> None:
    """One at once, the others a tenth of a second apart; who comes again comes for the same moment."""
    waits = [(await world.begin(f"c{n}", TEN_A_SECOND)).wait_ms for n in range(5)]
    assert waits == [0, 100, 200, 300, 400]
    world.now_ms += 250
    assert [(await world.begin(f"c{n}", TEN_A_SECOND)).wait_ms for n in (1, 2, 3, 4)] == [0, 0, 50, 150]
    world.now_ms += 10_000
    assert [(await world.begin(f"d{n}", TEN_A_SECOND)).wait_ms for n in range(2)] == [0, 100]


async def test_calls_that_missed_their_moments_begin_evenly_all_the_same(world: World) -> None:
    """As those do that wait for a place, or for a message that comes late; later calls make room for them."""
    one_at_once = KeyLimit("crm", per_minute=30, in_flight=1)
    first, *others = [await world.begin(f"c{n}", one_at_once) for n in range(4)]
    assert [answer.wait_ms for answer in others] == [2_000, 4_000, 6_000]
    world.now_ms += 60_000
    assert (await world.begin("c2", one_at_once)).wait_ms == PLACE_MS
    assert await world.end("c0", first.since_ms, one_at_once) == ("event of c2",)
    second = await world.begin("c2", one_at_once)
    assert second.wait_ms == 0
    assert await world.end("c2", second.since_ms, one_at_once) == ()
    assert (await world.begin("c1", one_at_once)).wait_ms == 2_000
    world.now_ms += 2_000
    third = await world.begin("c1", one_at_once)
    assert (third.wait_ms, await world.end("c1", third.since_ms, one_at_once)) == (0, ())
    assert (await world.begin("c3", one_at_once)).wait_ms == 2_000
    assert (await world.begin("c4", one_at_once)).wait_ms == 4_000


async def test_a_pause_holds_for_every_call_of_its_tenant(world: World) -> None:
    """Those that come back after it begin evenly again, also if they had moments in the pause."""
    await world.begin("c0", TEN_A_SECOND)
    assert (await world.begin("c1", TEN_A_SECOND)).wait_ms == 100
    await world.limits.pause_calls([TEN_A_SECOND], "acme", 5_000)
    await world.limits.pause_calls([TEN_A_SECOND], "acme", 1_000)
    assert [(await world.begin(name, TEN_A_SECOND)).wait_ms for name in ("c1", "c2")] == [5_000, 5_000]
    world.now_ms += 5_000
    assert [(await world.begin(name, TEN_A_SECOND)).wait_ms for name in ("c2", "c1", "c3")] == [0, 100, 200]


async def test_a_pause_of_one_tenant_stops_no_other(world: World) -> None:
    """Neither do its own calls that wait: they take no moments of the pause's time."""
    for limit in (TEN_A_SECOND, TWO_AT_ONCE):
        await world.limits.pause_calls([limit], "acme", 3_600_000)
        assert [(await world.begin(f"c{n}", limit)).wait_ms for n in range(9)] == [3_600_000] * 9
        assert (await world.begin("b0", limit, flow="other")).wait_ms == 0
    assert (await world.begin("b1", TEN_A_SECOND, flow="other")).wait_ms == 100


async def test_a_place_goes_to_who_waits_longest(world: World) -> None:
    """And is kept for them until they come; a call that asks again has its place still."""
    begun = [await world.begin(f"c{n}", TWO_AT_ONCE) for n in range(4)]
    assert [answer.wait_ms for answer in begun] == [0, 0, PLACE_MS, PLACE_MS]
    assert (await world.begin("c1", TWO_AT_ONCE)).wait_ms == 0
    world.now_ms += 1
    assert await world.end("c0", begun[0].since_ms, TWO_AT_ONCE) == ("event of c2",)
    assert (await world.begin("c4", TWO_AT_ONCE)).wait_ms == PLACE_MS
    assert (await world.begin("c2", TWO_AT_ONCE)).wait_ms == 0
    assert await world.end("c0", begun[0].since_ms, TWO_AT_ONCE) == ()


async def test_a_moment_is_used_up_when_its_call_begins(world: World) -> None:
    """A call that begins again, since its process died, needs another one; one that waits keeps its own."""
    assert [(await world.begin(name, TEN_A_SECOND)).wait_ms for name in ("c0", "c0", "c1", "c1")] == [0, 100, 200, 200]


async def test_a_place_passes_over_calls_that_have_stopped_asking(world: World) -> None:
    begun = [await world.begin(f"c{n}", TWO_AT_ONCE) for n in range(4)]
    world.now_ms += 2 * PLACE_MS + 1
    assert (await world.begin("c3", TWO_AT_ONCE)).wait_ms == PLACE_MS
    since_ms = (await world.begin("c0", TWO_AT_ONCE)).since_ms
    assert begun[0].since_ms < since_ms
    assert await world.end("c0", since_ms, TWO_AT_ONCE) == ("event of c3",)


async def test_tenants_get_places_in_turn(world: World) -> None:
    first = await world.begin("a0", TWO_AT_ONCE)
    for n in (1, 2, 3):
        await world.begin(f"a{n}", TWO_AT_ONCE)
    await world.begin("b0", TWO_AT_ONCE, flow="other")
    assert await world.end("a0", first.since_ms, TWO_AT_ONCE) == ("event of b0",)


async def test_the_place_of_a_call_that_is_gone_is_free_in_the_end(world: World) -> None:
    first = await world.begin("c0", TWO_AT_ONCE)
    await world.begin("c1", TWO_AT_ONCE)
    assert (await world.begin("c2", TWO_AT_ONCE)).wait_ms == PLACE_MS
    assert await world.end("c0", first.since_ms, TWO_AT_ONCE) == ("event of c2",)
    world.now_ms += 2 * PLACE_MS + 1
    assert (await world.begin("c3", TWO_AT_ONCE)).wait_ms == 0
    world.now_ms += LEASE_MS
    assert (await world.begin("c4", TWO_AT_ONCE)).wait_ms == 0


async def test_who_gets_a_place_beside_calls_that_are_gone_begins_at_once(world: World) -> None:
    """Two processes died, and a third call asks no more: the place that was kept for it does not hide one's own."""
    for name in ("c0", "c1", "c2"):
        await world.begin(name, TWO_AT_ONCE)
    world.now_ms += LEASE_MS + 2 * PLACE_MS + 1
    assert (await world.begin("c3", TWO_AT_ONCE)).wait_ms == 0
