"""Budgets: which limit counts, who is woken, and what is listed and kept, in this process and on the server."""

import pytest
from msgspec.structs import replace

from baton.sdk.records.budget import Per
from baton.store.redis import keys
from baton.store.redis.connection import RedisConnection
from tests.contract.store.budget_world import DAY_MS, LEASE_MS, STATE, TODAY, TOMORROW, World


@pytest.fixture
def world(redis: RedisConnection) -> World:
    return World(redis)


async def test_limits_of_one_budget_are_each_calls_own(world: World) -> None:
    await world.spent("c0", 50)
    assert (await world.reserve("c1", world.want(1, limit=50))).outcome == "used_up"
    assert (await world.reserve("c2", world.want(1, limit=60))).outcome == "granted"


async def test_a_limit_that_people_set_counts_for_the_period_or_for_every_one(world: World) -> None:
    """Until it is taken away; sums stay."""
    await world.spent("c0", 50)
    await world.budgets.set_limit("acme", "day", "usd", 50)
    assert (await world.reserve("c1")).outcome == "used_up"
    world.now_ms += DAY_MS
    assert (await world.reserve("c1")).outcome == "granted"
    await world.settle("c1", 0, period=TOMORROW)
    await world.budgets.set_limit("acme", "day", "usd", 0, every=True)
    assert [(await world.reserve("c2", world.want(amount))).outcome for amount in (0, 10)] == ["used_up"] * 2
    world.now_ms += DAY_MS
    assert (await world.reserve("c2")).outcome == "used_up"
    row = await world.row()
    assert (row.declared, row.limit, row.left) == (100, 0, 0)
    await world.budgets.set_limit("acme", "day", "usd", 70)
    assert (await world.row()).limit == 70
    await world.budgets.set_limit("acme", "day", "usd", None)
    assert (await world.reserve("c2")).outcome == "granted"
    assert (await world.row()).limit == 100


async def test_a_limit_set_before_the_first_call_counts(world: World) -> None:
    """Whatever the zone of its days; a limit of every period stays, also where calls begin new ones."""
    await world.budgets.set_limit("acme", "day", "usd", 5, every=True)
    row = await world.row()
    assert (row.declared, row.limit, row.spent) == (None, 5, 0)
    assert await world.budgets.rows() == ((row,), "")
    tokyo = world.want(10, zone="Asia/Tokyo")
    assert (await world.reserve("c0", tokyo)).outcome == "used_up"
    assert (await world.reserve("c0", replace(tokyo, amount=5))).outcome == "granted"
    assert await world.redis.execute("PTTL", STATE) == -1


async def test_a_limit_below_what_is_spent_cuts_nothing_that_runs(world: World) -> None:
    await world.spent("c0", 50)
    await world.reserve("c1")
    await world.budgets.set_limit("acme", "day", "usd", 20)
    row = await world.row()
    assert (row.spent, row.reserved, row.left) == (50, 10, 0)
    await world.settle("c1", 10)
    assert (await world.reserve("c2")).outcome == "used_up"


async def test_a_raise_that_is_repeated_undoes_no_limit_that_was_set_meanwhile(world: World) -> None:
    """Another raise counts, to the same limit, too."""
    for limit, once in ((200, "1"), (120, "1"), (200, "2"), (120, "2"), (200, ""), (200, "")):
        if limit < 200:
            await world.budgets.set_limit("acme", "day", "usd", limit)
        await world.budgets.raise_limit("acme", "day", "usd", TODAY, 200, once=once)
        assert (await world.row()).limit == limit


async def test_a_raise_is_known_for_as_long_as_its_call_repeats_it(world: World) -> None:
    """For days, while others hold all that there is."""
    [period] = world.want(per="total").periods
    await world.reserve("c0", world.want(per="total"))
    await world.budgets.raise_limit("acme", "total", "usd", period.name, 200, once="1")
    await world.budgets.set_limit("acme", "total", "usd", 120)
    for half_day in range(4):
        world.now_ms += DAY_MS // 2 + LEASE_MS
        await world.budgets.raise_limit("acme", "total", "usd", period.name, 200, once="1")
        await world.reserve(f"c{half_day + 1}", world.want(per="total"))  # forgets what is long over
        assert (await world.row()).limit == 120


async def test_a_raise_never_lowers(world: World) -> None:
    """Two people who are asked about the same limit raise it to the higher value, for this period."""
    for value in (200, 150):
        await world.budgets.raise_limit("acme", "day", "usd", TODAY, value)
    assert (await world.reserve("c0", world.want(180))).outcome == "granted"
    assert (await world.row()).limit == 200
    await world.budgets.raise_limit("acme", "day", "usd", TODAY, 300)
    assert (await world.reserve("c1", world.want(200, limit=500))).outcome == "granted"
    await world.budgets.set_limit("acme", "day", "usd", 120)
    assert (await world.row()).limit == 120
    world.now_ms += DAY_MS
    await world.reserve("c1")
    assert (await world.row()).limit == 100


async def test_who_waits_longest_is_woken_as_far_as_there_is_room(world: World) -> None:
    """By a call that is over, one that costs nothing, and a raise, which wakes those again that have not asked."""
    for n in range(4):
        await world.reserve(f"c{n}", world.want(50))
        world.now_ms += 1
    assert (await world.row()).waiting == 2
    assert (await world.settle("c0", 10)).woken == ()
    assert (await world.settle("c1", 10)).woken == ("event of c2",)
    assert (await world.reserve("c2", world.want(50))).outcome == "granted"
    assert (await world.settle("c2", 0)).woken == ("event of c3",)
    assert (await world.settle("c2", 0)).woken == ()
    await world.reserve("d0", world.want(80))
    await world.reserve("d1", world.want(80))
    assert (await world.budgets.set_limit("acme", "day", "usd", 150)) == ()
    assert (await world.budgets.set_limit("acme", "day", "usd", 180)) == ("event of d1", "event of c3")
    assert (await world.row()).waiting == 2


async def test_a_raise_wakes_those_it_has_room_for_and_a_few_more(world: World) -> None:
    """Those who have waited longest first; one alone where no price is known, and none beside it."""
    for n in range(5):
        await world.reserve(f"c{n}", world.want(50))
        world.now_ms += 1
    assert await world.budgets.set_limit("acme", "day", "usd", 200) == ("event of c2", "event of c3", "event of c4")
    world.now_ms += DAY_MS
    for n in range(3):
        await world.reserve(f"d{n}", world.want(None))
        world.now_ms += 1
    assert await world.budgets.set_limit("acme", "day", "usd", 300) == ()
    assert (await world.settle("d0", 0, period=TOMORROW)).woken == ("event of d1",)


async def test_who_has_room_waits_no_more(world: World) -> None:
    """It asks by itself as well, and then nobody is woken for a place that is taken."""
    await world.reserve("lost", world.want(None))
    await world.reserve("c1")
    world.now_ms += LEASE_MS
    assert (await world.reserve("c1")).outcome == "granted"
    assert (await world.row()).waiting == 0
    assert (await world.settle("c1", 0)).woken == ()


async def test_who_does_not_ask_is_woken_again(world: World) -> None:
    """Since the process that should wake it may have died; three times, since its job may be gone."""
    for name in ("c0", "c1"):
        await world.reserve(name, world.want(100))
    woken = list[tuple[str, ...]]()
    for name in ("c0", "d0", "d1", "d2", "d3"):
        await world.reserve(name, world.want(100))
        woken += [(await world.settle(name, 0)).woken for _ in range(2)]
        world.now_ms += 10_000
    assert woken == [("event of c1",), ()] * 3 + [()] * 4
    assert await world.redis.execute("EXISTS", keys.budget_keys("acme", "day", "usd")[1]) == 0


async def test_how_long_a_call_waits_is_answered_until_it_is_woken(world: World) -> None:
    await world.reserve("c0", world.want(100))
    waited = list[int]()
    for _ in range(3):
        waited.append((await world.reserve("c1")).waited_ms)
        world.now_ms += 1_000
    await world.settle("c0", 0)
    await world.reserve("c2", world.want(100))
    waited.append((await world.reserve("c1")).waited_ms)
    assert waited == [0, 1_000, 2_000, 0]


async def test_who_is_refused_waits_for_a_raise_unless_it_fails(world: World) -> None:
    await world.spent("c0", 100)
    await world.reserve("fails", replace(world.want(), waits=False))
    await world.reserve("waits")
    assert await world.budgets.waiting("acme", "day", "usd", 9) == ("event of waits",)
    assert await world.budgets.raise_limit("acme", "day", "usd", TODAY, 210) == ("event of waits",)


async def test_shares_of_the_limit_are_told_once(world: World) -> None:
    """The highest that a call has reached; one whose lease is over tells it by the next call."""
    shares = list[tuple[int, int]]()
    for n, cost in enumerate((49, 1, 29, 1, 19)):
        await world.reserve(f"c{n}", world.want(1))
        shares += [(n, one.percent) for one in (await world.settle(f"c{n}", cost)).reached]
    assert shares == [(1, 50), (3, 80)]
    await world.reserve("lost", world.want(1))
    world.now_ms += LEASE_MS
    [told] = (await world.reserve("next")).reached
    assert (told.percent, told.period, told.spent, told.limit) == (100, TODAY, 100, 100)
    wants = [replace(world.want(30, limit=limit), key=f"limit of {limit}") for limit in (100, 40)]
    await world.reserve("both", *wants)
    [told] = (await world.settle("both", 20, *wants)).reached
    assert (told.want, told.percent) == (1, 50)


async def test_budgets_are_listed_by_their_last_use(world: World) -> None:
    """Page by page, also where several were used at the same moment."""
    for n in range(7):
        await world.reserve(f"c{n}", replace(world.want(), key=f"user:{n}"))
        world.now_ms += 1_000 * (n % 2)
    found, cursor = list[str](), ""
    while True:
        rows, cursor = await world.budgets.rows(limit=2, cursor=cursor)
        found += [row.key for row in rows]
        if not cursor:
            break
    assert found[0] == "user:6"
    assert sorted(found) == [f"user:{n}" for n in range(7)]
    assert await world.budgets.rows("nobody") == ((), "")


async def test_a_budget_that_has_expired_is_forgotten(world: World) -> None:
    await world.reserve("c0")
    await world.redis.execute("DEL", STATE)
    assert (await world.budgets.rows())[0] == ()
    assert await world.redis.execute("ZCARD", keys.BUDGETS) == 0


@pytest.mark.parametrize(("per", "days"), [("day", 40), ("month", 400), ("total", 0)])
async def test_sums_are_kept_for_weeks_after_their_period(world: World, per: Per, days: int) -> None:
    """What never ends is kept, and so is a limit for every period, until it is taken away."""
    await world.reserve("c0", world.want(per=per))
    state = keys.budget_keys("acme", per, "usd")[0]
    kept_ms = days * DAY_MS or -1
    least_ms = kept_ms - 60_000 if days else -1
    assert least_ms <= await world.redis.execute("PTTL", state) <= kept_ms
    await world.budgets.set_limit("acme", per, "usd", 5, every=True)
    assert await world.redis.execute("PTTL", state) == -1
    await world.budgets.set_limit("acme", per, "usd", None)
    assert least_ms <= await world.redis.execute("PTTL", state) <= kept_ms


async def test_a_hash_keeps_what_two_periods_need(world: World) -> None:
    """Sums of earlier ones, settled calls and lapsed ones go, those of calls in flight stay."""
    await world.budgets.reserve([world.want()], "long", "", 30 * DAY_MS)
    await world.spent("c0", 1)
    for n in range(1, 9):
        world.now_ms += DAY_MS
        await world.reserve(f"c{n}")
    world.now_ms += DAY_MS
    await world.reserve("last")
    names = await world.redis.execute("HKEYS", STATE)
    kept = {name.partition(":")[2].partition("@")[0] for name in names if name.startswith("spent:")}
    calls = sorted(name.split()[-1] for name in names if name.startswith("call:"))
    assert (kept, calls) == ({TODAY, "2026-12-05"}, ["c8", "last", "long"])
    world.now_ms -= 9 * DAY_MS
    assert await world.sums() == (1, 10)
