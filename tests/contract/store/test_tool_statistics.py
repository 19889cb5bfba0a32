"""How tools are used: counted by the COMMIT of each attempt, and never in its way."""

from msgspec.structs import replace

from baton.engine.all_jobs.tool_use import ToolCounters, ToolUse
from baton.engine.effects import Changes
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import JOB_ID, SPENT, call_item, claim_of, complete_item, fan_out, record_of
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


async def test_a_count_that_fails_is_not_in_the_way_of_its_commit(real: Side, redis_process: RedisProcess) -> None:
    """Here the key holds something else; the result is recorded, and what follows is dispatched."""
    (item,) = await fan_out(real, 1)
    redis_process.ask("SET", "baton:{tools}:use", "not a hash")
    committed = await real.store.commit(claim_of(item, "m5"), returning(0), SPENT)
    assert [pending.key for pending in committed.pending] == [complete_item(0).key]
    snapshot = await real.reader.job(JOB_ID)
    assert snapshot is not None
    assert snapshot.results == {item.call_id: {"ok": 1}}
    assert [found.key for found in snapshot.items] == [complete_item(0).key]
