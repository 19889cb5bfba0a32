"""Two who want the same work item at the same time: one gets it, one commits it."""

import asyncio

from baton.engine.commit.answers import Verdict
from baton.engine.effects import Changes
from baton.storage.ports.jobs import Store
from baton.storage.redis.store import TreeStore
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import LEASE_MS, SPENT, claim_of, fan_out
from tests.contract.store.side import RETENTION_MS, Side, connection_to

ROUNDS = 200


async def race(side: Side, rivals: tuple[Store, Store]) -> None:
    """Both rivals begin and commit each of many work items, side by side."""
    items = await fan_out(side, ROUNDS)
    for item in items:
        claims = [claim_of(item, f"m{n}", f"o{n}") for n in (1, 2)]
        claim_result = await asyncio.gather(*(store.claim(claim) for store, claim in zip(rivals, claims, strict=True)))
        assert sorted(found.verdict for found in claim_result) == [Verdict.BUSY, Verdict.GRANTED]
        changes = Changes(parts=(item.key,))
        committed = await asyncio.gather(
            *(store.commit(claim, changes, SPENT) for store, claim in zip(rivals, claims, strict=True))
        )
        assert sorted(done.applied for done in committed) == [False, True]
    answers = (await side.reader.parts("job_a", 1)).parts
    assert answers == tuple(item.key for item in items)


async def test_of_two_rivals_one_gets_each_item_and_one_commits_it(side: Side) -> None:
    """Two hundred times over one connection."""
    await race(side, (side.store, side.store))


async def test_of_two_processes_one_gets_each_item_and_one_commits_it(real: Side, redis_process: RedisProcess) -> None:
    """Two hundred times over two connections."""
    one, two = connection_to(redis_process), connection_to(redis_process)
    try:
        await race(real, (TreeStore(one, RETENTION_MS), TreeStore(two, RETENTION_MS)))
    finally:
        await one.close()
        await two.close()


async def test_the_one_that_commits_first_among_many_wins(side: Side) -> None:
    """Ten takers of one work item whose leases have all run out."""
    [item] = await fan_out(side, 1)
    claims = [claim_of(item, f"m{n}", f"o{n}", after_ms=n * LEASE_MS) for n in range(10)]
    for claim in claims:
        assert (await side.store.claim(claim)).verdict is Verdict.GRANTED
    done = await asyncio.gather(*(side.store.commit(claim, Changes(parts=(claim.owner,)), SPENT) for claim in claims))
    winners = [claim.owner for claim, committed in zip(claims, done, strict=True) if committed.applied]
    assert (await side.reader.parts("job_a", 1)).parts == tuple(winners)
    assert len(winners) == 1
