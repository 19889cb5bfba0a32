"""UNDELIVERED: the queue gave up on a message; counted once for each callback."""

from tests.contract.store.sample import (
    NOW_MS,
    a_job,
    claim_of,
    creation,
    first_item,
)
from tests.contract.store.side import Side


async def test_a_callback_counts_once_however_often_it_comes(side: Side) -> None:
    """And whatever came in between; the callback of another failure counts again."""
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    counts = []
    for callback in ("cb1", "cb1", "cb2", "cb1", "cb2", "cb3"):
        found = await side.store.undelivered(claim_of(first_item(), callback), "m1")
        assert found.state is not None
        counts.append(found.state.item.undelivered)
    assert counts == [1, 1, 2, 2, 2, 3]
