"""APPEND: parts in mid-work, only from the work item's owner, each sequence once."""

from tests.contract.store.sample import (
    JOB_ID,
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
