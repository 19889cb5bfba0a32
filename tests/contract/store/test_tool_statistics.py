"""How tools are used: counted by the COMMIT of each attempt, and never in its way."""

from msgspec.structs import replace

from baton.engine.all_jobs.tool_use import ToolCounters, ToolUse
from baton.engine.effects import Changes
from baton.engine.outbox import Continuation
from baton.engine.work_items import ItemKind
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import (
    JOB_ID,
    NOW_MS,
    SPENT,
    a_job,
    call_item,
    claim_of,
    complete_item,
    creation,
    fan_out,
    first_item,
    leases_of,
    record_of,
)
from tests.contract.store.side import Side


def returning(position: int, *, failed: bool = False, duration_ms: int = 100) -> Changes:
    """A call returns."""
    item = call_item(position)
    record = replace(record_of(item), attempts=1)
    used = ToolUse(item.tool, failed, duration_ms)
    return Changes(items=(complete_item(position),), calls=(record,), results={item.call_id: '{"ok":1}'}, used=used)


async def test_nothing_is_known_before_the_first_use(side: Side) -> None:
    """An empty hash is no error."""
    assert await side.tools.counters() == ()


async def test_each_attempt_is_counted(side: Side) -> None:
    """With its outcome and its duration; a COMMIT without one counts nothing."""
    for position, item in enumerate(await fan_out(side, 3)):
        changes = returning(position, failed=position == 0, duration_ms=10 ** (position + 1))
        assert (await side.store.commit(claim_of(item, f"m{position}"), changes, SPENT)).applied
    await side.store.commit(claim_of(complete_item(0), "m0"), Changes(), SPENT)
    assert await side.tools.counters() == (ToolCounters("tool_a", 3, 1, 99, 939),)


async def test_a_repeated_commit_counts_again_and_changes_nothing_else(side: Side) -> None:
    """The counters are for people; nothing rests on them."""
    (item,) = await fan_out(side, 1)
    first = await side.store.commit(claim_of(item, "m5"), returning(0), SPENT)
    second = await side.store.commit(claim_of(item, "m5"), returning(0), SPENT)
    assert (first.applied, second.applied) == (True, False)
    assert first.pending == second.pending
    assert (await side.tools.counters())[0].calls == 2


async def test_an_invocation_that_goes_on_counts_once_it_ends(real: Side) -> None:
    """Two attempts, in one command: that of its last COMMIT, which has counted nothing itself."""
    await real.store.create(creation(a_job()), "m1", NOW_MS)
    await real.store.claim(claim_of(first_item()))
    going_on = Continuation("o1.1", leases_of(frozenset(ItemKind)), 9, frozenset())
    items = tuple(map(call_item, range(2)))
    requested = Changes(items=items, calls=tuple(map(record_of, items)))
    assert len((await real.store.commit(claim_of(first_item()), requested, SPENT, going_on)).claimed) == 2
    for position, item in enumerate(items):
        mine = claim_of(item, owner="o1.1")
        assert (await real.store.commit(mine, returning(position), SPENT, going_on)).claimed
        assert await real.tools.counters() == ()
    await real.store.commit(claim_of(complete_item(0), owner="o1.1"), Changes(), SPENT)
    assert await real.tools.counters() == (ToolCounters("tool_a", 2, 0, 99, 99),)
    await real.store.commit(claim_of(complete_item(1), owner="o1.1"), Changes(), SPENT)
    assert [used.calls for used in await real.tools.counters()] == [2]


async def test_a_count_that_fails_is_not_in_the_way_of_its_commit(real: Side, redis_process: RedisProcess) -> None:
    """Here the key holds something else; the result is recorded, and what follows is dispatched."""
    (item,) = await fan_out(real, 1)
    redis_process.request("SET", "baton:{tools}:use", "not a hash")
    committed = await real.store.commit(claim_of(item, "m5"), returning(0), SPENT)
    assert [pending.key for pending in committed.pending] == [complete_item(0).key]
    snapshot = await real.reader.job(JOB_ID)
    assert snapshot is not None
    assert snapshot.results == {item.call_id: {"ok": 1}}
    assert [found.key for found in snapshot.items] == [complete_item(0).key]
