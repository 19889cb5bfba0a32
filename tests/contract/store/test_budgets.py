"""Budgets: which calls have a place, what reservations become, which limit counts, who is woken, and what is kept."""

import asyncio

import pytest
from msgspec.structs import replace

from baton.sdk.clock import SystemClock
from baton.sdk.records.budget import Per, Period, periods_around
from baton.store.records.budgets import Reservation, Want
from baton.store.redis import keys
from baton.store.redis.budgets import Budgets
from baton.store.redis.connection import RedisConnection
from baton.store.transport.meter import Meter, metered, take
from tests.contract.store.budget_world import DAY_MS, LEASE_MS, NOON_MS, STATE, TODAY, TOMORROW, World


@pytest.fixture
def world(redis: RedisConnection) -> World:
    return World(redis)


async def test_calls_begin_until_the_limit_is_reserved_and_then_wait(world: World) -> None:
    """Only the reservations of others are in the way, so the next one is not refused."""
    answers = [await world.reserve(f"c{n}", world.want(30)) for n in range(4)]
    assert [one.outcome for one in answers] == ["granted", "granted", "granted", "busy"]
    assert answers[0] == Reservation("granted", (TODAY,))
    ends_ms = NOON_MS + DAY_MS // 2
    assert answers[3] == Reservation("busy", (), 0, TODAY, limit=100, spent=0, reserved=90, asked=30, resets_ms=ends_ms)
    assert await world.sums() == (0, 90)
    assert (await world.row()).declared == 100


async def test_what_is_spent_in_the_end_refuses(world: World) -> None:
    """The limit is reached exactly by the last call that fits, and not by the next."""
    await world.spent("c0", 95)
    refused = await world.reserve("c1", world.want(6))
    assert (refused.outcome, refused.spent, refused.reserved, refused.asked) == ("used_up", 95, 0, 6)
    assert (await world.reserve("c2", world.want(5))).outcome == "granted"
    assert (await world.reserve("c3", world.want(0))).outcome == "granted"
    await world.settle("c2", 5)
    assert (await world.reserve("c4", world.want(0))).outcome == "used_up"


async def test_a_call_that_can_never_fit_is_refused_at_once(world: World) -> None:
    await world.reserve("c0", world.want(50))
    assert (await world.reserve("c1", world.want(101))).outcome == "used_up"


async def test_racing_calls_get_the_room_that_there_is(world: World) -> None:
    """Of 300 at the same time 100 have room, and none of the others has."""
    rooms = await asyncio.gather(*(world.reserve(f"c{n}", world.want(1)) for n in range(300)))
    assert [one.outcome for one in rooms].count("granted") == 100
    assert {one.outcome for one in rooms} == {"granted", "busy"}
    granted = [f"c{n}" for n, one in enumerate(rooms) if one.outcome == "granted"]
    await asyncio.gather(*(world.settle(name, 1) for name in granted))
    assert await world.sums() == (100, 0)
    again = await asyncio.gather(*(world.reserve(f"d{n}", world.want(1)) for n in range(20)))
    assert {one.outcome for one in again} == {"used_up"}


async def test_a_call_that_asks_again_is_the_same_reservation(world: World) -> None:
    """Also where nothing is left by then; its lease begins anew."""
    first = await world.reserve("c0", world.want(100))
    world.now_ms += LEASE_MS - 1
    assert await world.reserve("c0", world.want(100)) == first
    world.now_ms += LEASE_MS - 1
    assert (await world.reserve("c1", world.want(1))).outcome == "busy"
    assert await world.sums() == (0, 100)


async def test_another_attempt_is_another_reservation(world: World) -> None:
    await world.reserve("call/1")
    await world.reserve("call/2")
    assert await world.sums() == (0, 20)


async def test_the_cost_takes_the_place_of_the_reservation(world: World) -> None:
    """Once, however often it is told; it may be less or more than what was reserved, or nothing."""
    for name, cost in (("c0", 3), ("c1", 12), ("c2", 0)):
        await world.reserve(name)
        await world.settle(name, cost)
        await world.settle(name, cost)
    assert await world.sums() == (15, 0)
    assert (await world.row()).largest == 12


async def test_a_call_without_an_answer_counts_in_full(world: World) -> None:
    """With what it has reserved; where that is forgotten, with what it would ask for."""
    await world.reserve("c0")
    await world.settle("c0", None)
    await world.settle("c1", None, world.want(7))
    assert await world.sums() == (17, 0)


async def test_a_reservation_whose_lease_is_over_counts_in_full(world: World) -> None:
    """It is never free again; what its call has cost counts instead, once that is known."""
    await world.reserve("lost", world.want(60))
    world.now_ms += LEASE_MS
    refused = await world.reserve("c1", world.want(60))
    assert (refused.outcome, refused.spent, refused.reserved) == ("used_up", 60, 0)
    world.now_ms += 10 * LEASE_MS
    assert (await world.reserve("c2", world.want(60))).outcome == "used_up"
    assert await world.sums() == (60, 0)
    for name in ("other", "c3"):
        await world.reserve(name, world.want(1))
        world.now_ms += LEASE_MS
    assert await world.redis.execute("HGET", STATE, "lease") == str(world.now_ms)
    await world.settle("lost", 7)
    await world.settle("lost", 7)
    assert await world.sums() == (8, 1)


async def test_each_lease_ends_by_itself(world: World) -> None:
    """One that is over does not end the others, and the next one is seen as well."""
    for n in range(3):
        await world.reserve(f"c{n}")
        world.now_ms += 1_000
    world.now_ms += LEASE_MS - 2_500
    await world.reserve("late", world.want(1))
    assert await world.sums() == (10, 21)
    world.now_ms += 1_000
    await world.settle("late", 0)
    await world.reserve("later", world.want(1))
    assert await world.sums() == (20, 11)


async def test_a_call_that_a_failover_has_forgotten_counts_all_the_same(world: World) -> None:
    await world.reserve("c0")
    await world.redis.execute("DEL", STATE)
    await world.settle("c0", 7)
    await world.settle("c0", 7)
    assert await world.redis.execute("PTTL", STATE) > 39 * DAY_MS
    await world.reserve("c1")
    assert await world.sums() == (7, 10)


async def test_a_call_of_unknown_price_is_alone(world: World) -> None:
    """Nobody begins beside it, and it begins beside nobody; what it has cost is the amount of the next ones."""
    unknown = world.want(None)
    assert (await world.reserve("c0", unknown)).outcome == "granted"
    assert (await world.reserve("c1", unknown)).outcome == "busy"
    assert (await world.reserve("c2", world.want(1))).outcome == "busy"
    assert await world.sums() == (0, 0)
    await world.settle("c0", 0)
    assert (await world.reserve("c2", world.want(1))).outcome == "granted"
    assert (await world.reserve("c1", unknown)).outcome == "busy"
    await world.settle("c2", 30)
    outcomes = [(await world.reserve(f"d{n}", unknown)).outcome for n in range(3)]
    assert (outcomes, await world.sums()) == (["granted", "granted", "busy"], (30, 60))


async def test_a_call_of_unknown_price_stands_in_the_way_until_its_lease_is_over(world: World) -> None:
    await world.reserve("lost", world.want(None))
    world.now_ms += LEASE_MS
    assert (await world.reserve("c1", world.want(1))).outcome == "granted"


async def test_an_amount_is_at_least_that_of_the_largest_call_unless_it_was_declared(world: World) -> None:
    """Of this period and of the last one, not of an earlier one."""
    estimated = replace(world.want(1), fixed=False)
    await world.spent("c0", 40)
    await world.reserve("c1", estimated)
    await world.reserve("c2", world.want(2))
    assert await world.sums() == (40, 42)
    world.now_ms += DAY_MS
    await world.reserve("c3", replace(estimated, periods=world.want().periods))
    assert await world.sums() == (0, 40)
    world.now_ms += 2 * DAY_MS
    await world.reserve("c4", replace(estimated, periods=world.want().periods))
    assert await world.sums() == (0, 1)


async def test_a_call_that_was_dearer_than_the_limit_closes_no_later_period(world: World) -> None:
    """What is only estimated reserves the whole limit at most."""
    await world.reserve("c0")
    await world.settle("c0", 120)
    world.now_ms += DAY_MS
    assert (await world.reserve("c1", replace(world.want(1), fixed=False))).outcome == "granted"
    assert await world.sums() == (0, 100)


async def test_the_stores_clock_chooses_the_period(world: World) -> None:
    """A function whose clock is a minute late counts with the others."""
    world.now_ms = NOON_MS + DAY_MS // 2
    late, right = (replace(world.want(), periods=periods_around("day", "UTC", world.now_ms - by)) for by in (60_000, 0))
    assert [(await world.reserve("c0", late)).periods, (await world.reserve("c1", right)).periods] == [(TOMORROW,)] * 2
    world.now_ms -= 1
    assert [(await world.reserve("d0", late)).periods, (await world.reserve("d1", right)).periods] == [(TODAY,)] * 2


async def test_a_call_settles_in_the_period_in_which_it_has_reserved(world: World) -> None:
    """Whatever period it was asked for again in."""
    world.now_ms += DAY_MS // 2 - 1_000
    await world.reserve("c0")
    world.now_ms += 1_000
    assert (await world.reserve("c0")).periods == (TODAY,)
    await world.reserve("c1")
    await world.settle("c0", 9, period=TOMORROW)
    assert await world.sums() == (0, 10)
    world.now_ms -= 1_000
    assert await world.sums() == (9, 0)


async def test_a_period_has_room_of_its_own(world: World) -> None:
    """A day, a month, and what never ends; the days of two zones are two."""
    months = world.want(100, per="month")
    total, berlin = world.want(100, per="total"), world.want(100, zone="Europe/Berlin")
    room = await world.reserve("c0", world.want(100), months, total, berlin)
    assert room.periods == (TODAY, "2026-11", "total", TODAY)
    world.now_ms += DAY_MS
    assert (await world.reserve("c1", world.want(100))).outcome == "granted"
    assert (await world.reserve("c2", months)).outcome == "used_up"
    world.now_ms += 35 * DAY_MS
    assert (await world.reserve("c3", world.want(100, per="month"))).outcome == "granted"
    assert (await world.reserve("c4", total)).outcome == "used_up"
    rows, _ = await world.budgets.rows("acme")
    shown = [(row.per, row.time_zone, row.period, row.spent, row.reserved) for row in rows]
    assert shown == [
        ("day", "UTC", "2027-01-02", 0, 0),
        ("day", "Europe/Berlin", "2027-01-02", 0, 0),
        ("month", "UTC", "2027-01", 0, 100),
        ("total", "UTC", "total", 100, 0),
    ]


async def test_a_call_with_several_budgets_reserves_in_all_or_in_none(world: World) -> None:
    """What is used up counts before what is busy."""
    users, tenants = replace(world.want(50), key="user"), world.want(60)
    assert (await world.reserve("c0", users, tenants)).outcome == "granted"
    refused = await world.reserve("c1", users, tenants)
    assert (refused.outcome, refused.want, refused.reserved) == ("busy", 1, 60)
    assert (await world.row("user")).reserved == 50
    turned = await world.reserve("c1", tenants, users)
    assert (turned.outcome, turned.want) == ("busy", 0)
    used_up = await world.reserve("c2", replace(world.want(7), key="small", limit=6), tenants)
    assert (used_up.outcome, used_up.want) == ("used_up", 0)
    used_up = await world.reserve("c2", users, tenants, replace(world.want(7), key="small", limit=6))
    assert (used_up.outcome, used_up.want, used_up.limit) == ("used_up", 2, 6)


async def test_without_another_clock_the_servers_own_time_counts(redis: RedisConnection) -> None:
    seconds, _ = await redis.execute("TIME")
    now_ms = 1000 * int(seconds)
    periods = tuple(Period(f"{by}", now_ms + by * 60_000, now_ms + (by + 1) * 60_000) for by in (-1, 0, 1))
    want = Want("acme", "day", "usd", "UTC", 100, 1, periods)
    assert (await Budgets(redis).reserve([want], "c0", "", LEASE_MS)).periods == ("0",)


async def test_a_budget_costs_a_call_two_requests_and_ten_commands(redis: RedisConnection) -> None:
    """The first call, and the next; a second budget costs no request, and six commands more.

    Who wakes another call that waits says so by two more, in one of the budgets.
    """
    budgets, clock = Budgets(redis), SystemClock()
    one = Want("acme", "day", "usd", "UTC", 100, 60, periods_around("day", "UTC", clock.now_ms()))
    for count, most in ((1, (12, 11)), (2, (18, 17))):
        wants = [replace(one, key=f"{count} {n}") for n in range(count)]
        for name in ("first", "next"):
            with metered(Meter(clock, 128)):
                room = await budgets.reserve(wants, name, "event", LEASE_MS)
                reserved = take()
                await budgets.reserve(wants, "other", "event of other", LEASE_MS)
                take()
                await budgets.settle(wants, room.periods, name, [1] * count)
                settled = take()
            assert reserved.requests + settled.requests == 2
            assert reserved.commands + settled.commands <= most[name == "next"]


async def test_a_refused_call_costs_what_reading_costs(redis: RedisConnection) -> None:
    """The script, the time and the sums; one that waits is found by one command, and noted by two more at first."""
    budgets, clock = Budgets(redis), SystemClock()
    waits = Want("acme", "day", "usd", "UTC", 100, 101, periods_around("day", "UTC", clock.now_ms()))
    with metered(Meter(clock, 128)):
        for want, commands in ((replace(waits, waits=False), 3), (waits, 6), (waits, 4)):
            assert (await budgets.reserve([want], "c0", "event", LEASE_MS)).outcome == "used_up"
            assert take().commands == commands


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


async def test_a_question_is_answered_by_a_raise_alone(world: World) -> None:
    """However often people raise; calls that are over leave it to a person. It has an event of its own."""
    await world.spent("c0", 95)
    await world.reserve("asks", replace(world.want(), asks="its answer"))
    await world.reserve("c1", world.want(1))
    assert (await world.settle("c1", 0)).woken == ()
    for limit in (120, 120, 130):
        assert await world.budgets.set_limit("acme", "day", "usd", limit) == ("its answer",)
        world.now_ms += 10_000
        assert (await world.settle("c2", 0, world.want(1))).woken == ()
    await world.budgets.forget("acme", "day", "usd", ["its answer"])
    assert (await world.row()).waiting == 0


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
