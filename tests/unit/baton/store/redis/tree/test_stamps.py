"""A stamp tells what was written: another's write is never overlooked, and a request that came twice knows itself."""

from copy import copy
from typing import Any

import pytest

from baton.engine.commit.answers import Verdict
from baton.engine.commit.patch import STAMP
from baton.engine.effects import Changes
from baton.store.redis import keys
from baton.store.transport.meter import Meter, charge, metered, take
from tests.contract.store.sample import JOB_ID, LEASE_MS, NOW_MS, a_job, claim_of, complete_item, creation, first_item
from tests.fakes.clock import FakeClock
from tests.fakes.stored import FakeStore
from tests.unit.baton.store.redis.tree.test_billing import ITEMS, begun, usage


@pytest.mark.parametrize("between", [0, 1, 5, 7])
async def test_a_request_that_comes_twice_is_billed_once_though_its_items_change_in_between(
    monkeypatch: pytest.MonkeyPatch, between: int
) -> None:
    """Its second copy is refused, and neither its work items nor its bill are as it wrote them."""
    store = await begun()
    before, connection = usage(store), store._transactions._redis
    apply, sent = connection.apply, list[int]()

    async def twice(*request: Any) -> Any:
        sent.append(1)
        answer = await apply(*request)
        if len(sent) > 1:
            return answer
        theirs = claim_of(complete_item(0), "m4", "o4")
        other = FakeStore(store.redis)
        assert (await other.claim(theirs)).verdict is Verdict.GRANTED
        assert (await other.commit(theirs, Changes())).applied
        for number in range(between):
            claim = claim_of(ITEMS[1], f"m{number + 5}", f"o{number + 5}", after_ms=(number + 1) * LEASE_MS)
            assert (await FakeStore(store.redis).claim(claim)).verdict is Verdict.GRANTED
        return await apply(*request)

    monkeypatch.setattr(connection, "apply", twice)
    with metered(Meter(FakeClock(), memory_mb=1)):
        charge(messages=7)
        await store.commit(claim_of(ITEMS[0]), Changes(items=(complete_item(0),)))
        assert take().messages == 0
    assert usage(store).messages - before.messages == 7


@pytest.mark.parametrize("renewals", [1, 24, 25, 26, 60])
async def test_another_s_write_is_not_overlooked_however_often_a_claim_is_prolonged_after_it(renewals: int) -> None:
    """Each renewal appends its name without a comparison; where the other's is cut off, all is read again."""
    store = await begun()
    claim = claim_of(ITEMS[0])
    await store.claim(claim)
    await store.renew([claim], NOW_MS + LEASE_MS + 1)
    other, theirs = FakeStore(store.redis), claim_of(ITEMS[1], "m5", "o5")
    await other.claim(theirs)
    assert await other.append(theirs, 1, ['{"type":"data-progress"}'])
    for number in range(renewals):
        assert not await store.renew([claim], NOW_MS + LEASE_MS + 2 + number)
    assert (await store.commit(claim, Changes(parts=('{"type":"data-mine"}',)))).applied
    parts = store.tree(ITEMS[0].job_id).parts[ITEMS[0].job_id]
    assert [part for part in parts if "progress" in part or "mine" in part] == [
        '{"type":"data-progress"}',
        '{"type":"data-mine"}',
    ]


def test_processes_that_are_copies_of_one_have_names_of_their_own() -> None:
    """As a server makes them that loads the app before it forks, and a host that starts from a snapshot."""
    stamps = FakeStore()._transactions._stamps
    copies = [copy(stamps) for _ in range(3)]
    assert len({each.next() for each in copies}) == len(copies)


async def test_a_tree_without_a_stamp_is_compared_by_that() -> None:
    """As one that was restored from elsewhere: the write gives it one."""
    store = FakeStore()
    await store.create(creation(a_job()), "m0", NOW_MS)
    key = keys.state_key(JOB_ID)
    store.redis.run("HDEL", key, STAMP)
    assert (await FakeStore(store.redis).claim(claim_of(first_item()))).verdict is Verdict.GRANTED
    assert store.redis.hash(key)[STAMP].startswith(";")
