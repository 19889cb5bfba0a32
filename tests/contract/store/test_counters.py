"""The deployment's counters: sums that COMMIT and others add to."""

from msgspec.structs import replace

from baton.engine.effects import Changes
from baton.engine.work_items import ItemKind
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import JOB_ID, NOW_MS, SPENT, a_job, claim_of, creation, fan_out, first_item
from tests.contract.store.side import Side

CHECKPOINT = '{"type":"data-checkpoint","data":{"type":"info","status":"recorded","title":"half"}}'


async def test_nothing_is_known_before_the_first_count(side: Side) -> None:
    """An empty hash is no error."""
    assert await side.counters.sums() == {}


async def test_what_a_commit_and_others_count_adds_up(side: Side) -> None:
    """By name."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    await side.store.commit(claim_of(first_item()), Changes(counts={"a": 2, "b:x": 1}), SPENT)
    await side.counters.add({"a": 3})
    await side.counters.add({})
    assert await side.counters.sums() == {"a": 5, "b:x": 1}


async def test_a_checkpoint_in_mid_work_is_counted(side: Side) -> None:
    """What a tool says goes past COMMIT; other parts are not counted."""
    (item,) = await fan_out(side, 1)
    claim = claim_of(item, "m2", "o2")
    await side.store.claim(claim)
    await side.store.append(claim, 1, [CHECKPOINT, '{"type":"data-progress","data":{"text":"data-checkpoint"}}'])
    assert await side.counters.sums() == {"checkpoints:info:recorded": 1}


async def test_counters_that_fail_are_not_in_the_way_of_a_commit(real: Side, redis_process: RedisProcess) -> None:
    """Here the key holds something else; what follows is recorded."""
    await real.store.create(creation(a_job()), "witness", NOW_MS)
    redis_process.request("SET", "baton:{figures}:sums", "not a hash")
    changes = Changes(job=replace(a_job(), turn=7), counts={"a": 1})
    pending = (await real.store.commit(claim_of(first_item(), "m5"), changes, SPENT)).pending
    assert [item.kind for item in pending] == [ItemKind.SLOT_REQUEST]
    snapshot = await real.reader.job(JOB_ID)
    assert snapshot is not None
    assert snapshot.job.turn == 7
