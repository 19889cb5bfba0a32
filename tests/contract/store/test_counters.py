"""What a deployment counts for people: sums and uses of tools, by COMMITs and beside them, and events that are kept."""

import pytest
from msgspec.structs import replace

from baton.engine.all_jobs.tool_use import ToolCounters, ToolUse
from baton.engine.commit.answers import Signal
from baton.engine.effects import Changes
from baton.engine.outbox import Continuation
from baton.store.redis import keys
from baton.store.redis.connection import RedisConnection
from baton.store.redis.totals import JOBS_READ, KeptEvents
from tests.contract.store.real_stage import RealStage
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import (
    JOB_ID,
    NOW_MS,
    a_job,
    call_item,
    claim_of,
    complete_item,
    creation,
    fan_out,
    first_item,
    job_of,
    leases_of,
    record_of,
    slot_request,
)
from tests.contract.store.side import RETENTION_MS, Side, side_over
from tests.contract.store.test_admission import END
from tests.contract.store.test_signals import wait_item

CHECKPOINT = '{"type":"data-checkpoint","data":{"type":"info","status":"recorded","title":"half"}}'


def returning(position: int, *, failed: bool = False, duration_ms: int = 100) -> Changes:
    item = call_item(position)
    record, used = replace(record_of(item), attempts=1), ToolUse(item.tool, failed, duration_ms)
    return Changes(items=(complete_item(position),), calls=(record,), results={item.call_id: '{"ok":1}'}, used=used)


async def test_what_a_commit_and_others_count_adds_up_by_name(side: Side) -> None:
    assert await side.counters.sums() == {}
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    await side.store.commit(claim_of(first_item()), Changes(counts={"a": 2, "b:x": 1}))
    await side.counters.add({"a": 3})
    await side.counters.add({})
    assert await side.counters.sums() == {"a": 5, "b:x": 1}


@pytest.mark.bridge
async def test_many_counts_add_up_as_few_do_in_three_commands(real: Side, redis_process: RedisProcess) -> None:
    many = {f"name:{number}": 10**number for number in range(16)}
    for times in (1, 2, 3):
        before = redis_process.counted()
        await real.counters.add(many)
        spent = redis_process.counted().since(before)
        assert (spent.requests, spent.commands) == (1, 3)
        assert await real.counters.sums() == {name: times * much for name, much in many.items()}


async def test_a_checkpoint_in_mid_work_is_counted(side: Side) -> None:
    """What a tool says goes past COMMIT; other parts are not counted."""
    (item,) = await fan_out(side, 1)
    claim = claim_of(item, "m2", "o2")
    await side.store.claim(claim)
    await side.store.append(claim, 1, [CHECKPOINT, '{"type":"data-progress","data":{"text":"data-checkpoint"}}'])
    assert await side.counters.sums() == {"checkpoints:info:recorded": 1}


async def test_each_attempt_of_a_tool_is_counted(side: Side) -> None:
    """With its outcome and its duration; a COMMIT without one counts nothing."""
    assert await side.tools.counters() == ()
    for position, item in enumerate(await fan_out(side, 3)):
        changes = returning(position, failed=position == 0, duration_ms=10 ** (position + 1))
        assert (await side.store.commit(claim_of(item, f"m{position}"), changes)).applied
    await side.store.commit(claim_of(complete_item(0), "m0"), Changes())
    assert await side.tools.counters() == (ToolCounters("tool_a", 3, 1, 99, 939),)


async def test_a_repeated_commit_counts_again_and_changes_nothing_else(side: Side) -> None:
    """The counters are for people; nothing rests on them."""
    (item,) = await fan_out(side, 1)
    first, second = [await side.store.commit(claim_of(item, "m5"), returning(0)) for _ in range(2)]
    assert (first.applied, second.applied, second.pending) == (True, False, first.pending)
    assert (await side.tools.counters())[0].calls == 2


async def test_an_invocation_that_goes_on_counts_once_it_ends(real: Side) -> None:
    """Two attempts, in one command: that of its last COMMIT, which has counted nothing itself."""
    await real.store.create(creation(a_job()), "m1", NOW_MS)
    await real.store.claim(claim_of(first_item()))
    going_on = Continuation("o1.1", leases_of(), 9)
    items = tuple(map(call_item, range(2)))
    requested = Changes(items=items, calls=tuple(map(record_of, items)))
    assert len((await real.store.commit(claim_of(first_item()), requested, going_on)).claimed) == 2
    for position, item in enumerate(items):
        mine = claim_of(item, owner="o1.1")
        assert (await real.store.commit(mine, returning(position), going_on)).claimed
        assert await real.tools.counters() == ()
    for position in range(2):
        await real.store.commit(claim_of(complete_item(position), owner="o1.1"), Changes())
        assert await real.tools.counters() == (ToolCounters("tool_a", 2, 0, 99, 99),)


async def test_uses_that_are_held_when_a_job_ends_go_with_its_end(real: Side, redis_process: RedisProcess) -> None:
    """In no command of their own; who reads them adds them up, and only once."""
    await RealStage(real, 2, continuation="inline").play("in-a-row")
    assert redis_process.request("EXISTS", keys.TOOL_USE) == 0
    for _ in range(2):
        assert await real.tools.counters() == (ToolCounters("count", 2, 0, 0, 0),)
    assert redis_process.request("ZLEXCOUNT", keys.SLOT_ORDER, "[e", "(f") == 0


async def test_an_end_that_is_not_counted_takes_no_uses_along(real: Side) -> None:
    """It came before; another invocation of the process holds the uses, and ends later."""
    await slot_request(real, "before")
    await slot_request(real, "before", "gone", 1, end=END)
    (item,) = await fan_out(real, 1)
    claim = claim_of(item, owner="o2")
    await real.store.claim(claim)
    assert (await real.store.commit(claim, returning(0), Continuation("o2", leases_of(), 9))).claimed
    await slot_request(real, "before", "gone", 1, end=END)
    await slot_request(real, "new", end=END)
    await real.store.commit(claim_of(complete_item(0), owner="o2"), Changes())
    assert await real.tools.counters() == (ToolCounters("tool_a", 1, 0, 99, 99),)


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        pytest.param("baton:{figures}:sums", replace(returning(0), used=None, counts={"a": 1}), id="sums"),
        pytest.param(keys.TOOL_USE, returning(0), id="tools"),
    ],
)
async def test_counters_that_fail_are_not_in_the_way_of_a_commit(
    real: Side, redis_process: RedisProcess, key: str, changes: Changes
) -> None:
    """Here the key holds something else; the result is recorded, and what follows is dispatched."""
    (item,) = await fan_out(real, 1)
    redis_process.request("SET", key, "not a hash")
    committed = await real.store.commit(claim_of(item, "m5"), changes)
    assert [pending.key for pending in committed.pending] == [complete_item(0).key]
    snapshot = await job_of(real)
    assert snapshot.results == {item.call_id: {"ok": 1}}
    assert [found.key for found in snapshot.items] == [complete_item(0).key]


class World:
    """`kept`: how many events are kept for jobs that do not wait for them."""

    def __init__(self, side: Side, kept: KeptEvents) -> None:
        self.side, self.kept = side, kept

    async def events(self, name: str, events: int) -> None:
        for n in range(events):
            await self.side.store.signal(name, "w", Signal(f"evt_{n}", '{"ok":1}', event="paid"), NOW_MS + n)
            await self.kept.add("acme", name)


@pytest.fixture
def world(redis: RedisConnection) -> World:
    return World(side_over(redis), KeptEvents(redis, RETENTION_MS))


async def test_kept_events_are_counted_for_their_tenant(world: World) -> None:
    """And stay so while they are kept, however often it is looked at."""
    assert [await world.kept.count("acme"), await world.kept.recount("acme")] == [0, 0]
    for name, events in (("job_a", 2), ("job_b", 1)):
        await world.side.store.create(creation(a_job(name)), "m", NOW_MS)
        await world.events(name, events)
    assert [await world.kept.count("acme"), await world.kept.recount("acme"), await world.kept.count("acme")] == [3] * 3
    assert await world.kept.count("other") == 0


async def test_what_a_job_has_taken_or_lost_is_given_back(world: World) -> None:
    """One event ends one wait; a job whose data is gone keeps none."""
    (call,) = await fan_out(world.side, 1)
    await world.events(JOB_ID, 3)
    waits = Changes(items=(wait_item(0, "paid"),))
    assert (await world.side.store.commit(claim_of(call, "call0"), waits)).applied
    await world.kept.add("acme", "job_nobody_knows")
    assert await world.kept.count("acme") == 4
    assert [await world.kept.recount("acme"), await world.kept.recount("acme")] == [2, 2]


async def test_jobs_that_keep_events_are_looked_at_some_at_a_time(
    connection: RedisConnection, redis_process: RedisProcess
) -> None:
    """The rest by the next ones that meet the quota; the key expires with the data of jobs."""
    kept = KeptEvents(connection, RETENTION_MS)
    for n in range(JOBS_READ + 50):
        await kept.add("acme", f"job_{n}")
    assert 50 <= await kept.recount("acme") <= 51  # the total is a field, too
    assert await kept.recount("acme") == 0
    assert redis_process.request("HLEN", keys.kept_events_key("acme")) == 1
    assert 0 < redis_process.request("PTTL", keys.kept_events_key("acme")) <= RETENTION_MS
