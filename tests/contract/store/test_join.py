"""The join: the work item that follows a turn is added by whichever call of the turn ends last, and once."""

import itertools

import pytest
from msgspec.structs import replace

from baton.engine.commit.answers import Committed
from baton.engine.effects import Changes
from baton.engine.work_items import ItemKind, following
from tests.contract.store.sample import (
    JOB_ID,
    NOW_MS,
    SPENT,
    call_item,
    claim_of,
    complete_item,
    fan_out,
    next_turn,
    take_in,
)
from tests.contract.store.side import Side

JOINED = Changes(join=next_turn())


async def committed_in_order(side: Side, order: list[int]) -> None:
    """Take the results in, in this order: only the last one starts the next turn."""
    for position in order[:-1]:
        committed = await side.store.commit(claim_of(complete_item(position), f"m{position}"), JOINED, SPENT)
        assert committed == Committed(applied=True), f"after {position} of {order}"
    last = order[-1]
    committed = await side.store.commit(claim_of(complete_item(last), f"m{last}"), JOINED, SPENT)
    assert committed == Committed(True, (replace(next_turn().item, relay_id=f"m{last}"),))
    snapshot = await side.reader.job(JOB_ID)
    assert snapshot is not None
    assert snapshot.items == committed.pending


@pytest.mark.parametrize("order", [list(order) for n in (1, 2, 3) for order in itertools.permutations(range(n))])
async def test_the_last_of_few_joins_in_every_order(side: Side, order: list[int]) -> None:
    """All orders of one, two and three."""
    await take_in(side, await fan_out(side, len(order)))
    await committed_in_order(side, order)


async def test_two_that_both_began_before_either_committed_join_once(side: Side) -> None:
    """How many are open is read when the commit is applied, not when the work item was begun."""
    await take_in(side, await fan_out(side, 2))
    for position in (0, 1):
        await side.store.claim(claim_of(complete_item(position), f"m{position}", f"o{position}"))
    first = await side.store.commit(claim_of(complete_item(0), "m0", "o0"), JOINED, SPENT)
    second = await side.store.commit(claim_of(complete_item(1), "m1", "o1"), JOINED, SPENT)
    assert first == Committed(applied=True)
    assert second == Committed(True, (replace(next_turn().item, relay_id="m1"),))


@pytest.mark.parametrize("kind", [ItemKind.CALL, ItemKind.FAILED])
async def test_a_sibling_in_any_stage_holds_the_join_back(side: Side, kind: ItemKind) -> None:
    """One that still runs, and one whose failure is to be taken in; also one that waits for its next attempt."""
    items = await fan_out(side, 2)
    await take_in(side, items[:1])
    waiting = following(call_item(1), kind, NOW_MS, attempt=2, not_before_ms=NOW_MS + 60_000)
    await side.store.commit(claim_of(items[1], "m2"), Changes(items=(waiting,)), SPENT)
    assert await side.store.commit(claim_of(complete_item(0), "m3"), JOINED, SPENT) == Committed(applied=True)
    last = await side.store.commit(claim_of(waiting, "m4"), JOINED, SPENT)
    assert [item.key for item in last.pending] == [next_turn().item.key]
