"""APPEND: parts in mid-work, only from the work item's owner, each sequence once."""

from baton.engine.effects import Changes
from tests.contract.store.sample import (
    JOB_ID,
    LEASE_MS,
    SPENT,
    claim_of,
    fan_out,
)
from tests.contract.store.side import Side


async def parts_of(side: Side) -> list[str]:
    """What the job's stream has gained since the job was created."""
    return list((await side.reader.parts(JOB_ID, 1)).parts)


async def test_the_owner_appends_in_order(side: Side) -> None:
    """Several at once, and several times."""
    items = await fan_out(side, 1)
    claim = claim_of(items[0], "m2", "o2")
    await side.store.claim(claim)
    assert await side.store.append(claim, 1, ['{"n":1}', '{"n":2}'])
    assert await side.store.append(claim, 2, ['{"n":3}'])
    assert await parts_of(side) == ['{"n":1}', '{"n":2}', '{"n":3}']


async def test_the_same_sequence_again_appends_nothing(side: Side) -> None:
    """A repeated command is answered as the first one was."""
    items = await fan_out(side, 1)
    claim = claim_of(items[0], "m2", "o2")
    await side.store.claim(claim)
    for _ in range(2):
        assert await side.store.append(claim, 1, ['{"n":1}'])
    assert await side.store.append(claim, 2, ['{"n":2}'])
    assert await side.store.append(claim, 1, ['{"n":1}'])
    assert await parts_of(side) == ['{"n":1}', '{"n":2}']


async def test_nobody_but_the_owner_appends(side: Side) -> None:
    """Neither a stranger, nor anybody while the work item is free."""
    items = await fan_out(side, 1)
    assert not await side.store.append(claim_of(items[0], "m2", "o2"), 1, ["{}"])
    await side.store.claim(claim_of(items[0], "m2", "o2"))
    assert not await side.store.append(claim_of(items[0], "m3", "o3"), 1, ["{}"])
    assert await parts_of(side) == []


async def test_whoever_lost_the_item_appends_no_more(side: Side) -> None:
    """Until somebody takes over, the owner still may, even after the lease."""
    items = await fan_out(side, 1)
    old = claim_of(items[0], "m2", "o2")
    await side.store.claim(old)
    assert await side.store.append(claim_of(items[0], "m2", "o2", after_ms=LEASE_MS + 1), 1, ['{"n":1}'])
    await side.store.claim(claim_of(items[0], "m3", "o3", after_ms=LEASE_MS + 2))
    assert not await side.store.append(old, 2, ['{"n":2}'])
    assert await parts_of(side) == ['{"n":1}']


async def test_an_item_that_is_done_takes_no_more_parts(side: Side) -> None:
    """The commit has said the last word."""
    items = await fan_out(side, 1)
    claim = claim_of(items[0], "m2", "o2")
    await side.store.claim(claim)
    await side.store.commit(claim, Changes(), SPENT)
    assert not await side.store.append(claim, 1, ["{}"])
    assert await parts_of(side) == []


async def test_asking_without_parts_tells_whether_the_item_is_held(side: Side) -> None:
    """It appends nothing and uses up no sequence."""
    items = await fan_out(side, 1)
    claim = claim_of(items[0], "m2", "o2")
    await side.store.claim(claim)
    assert await side.store.append(claim, 0, ())
    assert await side.store.append(claim, 1, ())
    assert await side.store.append(claim, 1, ['{"n":1}'])
    assert not await side.store.append(claim_of(items[0], "m3", "o3"), 0, ())
    assert await parts_of(side) == ['{"n":1}']


async def test_an_unknown_job_takes_no_parts(side: Side) -> None:
    """Nothing is written for it."""
    items = await fan_out(side, 1)
    stranger = claim_of(items[0], "m2", "o2")
    for job_id in ("job_b", f"{JOB_ID}.1"):
        claim = type(stranger)(job_id, "none", "m2", "o2", 0, 0)
        assert not await side.store.append(claim, 1, ["{}"])
        assert (await side.reader.parts(job_id, 0)).parts == ()
