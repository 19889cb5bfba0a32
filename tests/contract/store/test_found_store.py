"""Promises of the store that are not kept yet."""

import pytest
from msgspec.structs import replace

from baton.engine.effects import Changes
from baton.engine.step_results import ModelAnswered
from baton.sdk.records import Failure, Wanted
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import JOB_ID, LEASE_MS, NOW_MS, SPENT, a_job, claim_of, creation, fan_out, first_item
from tests.contract.store.side import Side
from tests.contract.store.test_cost import EVENTS, measured


async def test_a_new_owners_parts_count_from_one_again(side: Side) -> None:
    """The sequence counts the appends under one claim: what a crashed attempt said swallows nothing of the next."""
    items = await fan_out(side, 1)
    old, new = claim_of(items[0], "m2", "o2"), claim_of(items[0], "m3", "o3", after_ms=LEASE_MS)
    await side.store.claim(old)
    for sequence in (1, 2):
        await side.store.append(old, sequence, [f'{{"old":{sequence}}}'])
    await side.store.claim(new)
    assert await side.store.append(new, 1, ['{"new":1}'])
    assert (await side.reader.parts(JOB_ID, 1)).parts == ('{"old":1}', '{"old":2}', '{"new":1}')


async def test_a_commit_that_adds_its_own_item_again_leaves_a_free_one(side: Side) -> None:
    """The claim is gone; the message carries it, once."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    await side.store.claim(claim_of(first_item()))
    committed = await side.store.commit(claim_of(first_item()), Changes(items=(first_item(),)), SPENT)
    assert committed.pending == (replace(first_item(), relay_id="m1"),)


async def test_a_callback_whose_id_ends_like_anothers_counts(side: Side) -> None:
    """`b1` is not `cb1`."""
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    counts = []
    for callback in ("cb1", "b1", "1"):
        found = await side.store.undelivered(claim_of(first_item(), callback), "m1")
        assert found.state is not None
        counts.append(found.state.item.undelivered)
    assert counts == [1, 2, 3]


@pytest.mark.parametrize("after", [2**63, 10**30])
async def test_a_position_larger_than_any_has_no_parts(side: Side, after: int) -> None:
    """LRANGE refuses it; a reader that sends it as Last-Event-ID gets 503."""
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    assert (await side.reader.parts(JOB_ID, after)).parts == ()


@pytest.mark.bridge
async def test_the_ledger_of_the_last_event_agrees_with_the_server(real: Side, redis_process: RedisProcess) -> None:
    """The expiries of the end are commands, too."""
    spent, usage_ledger = await measured(real, redis_process, "loop answers", turns=0, reads_history=True)
    assert usage_ledger == spent


@pytest.mark.bridge
async def test_a_turn_that_requests_an_unknown_tool_costs_at_most_twelve_commands(
    real: Side, redis_process: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """13 now, with history: the refused call's result is a write more."""
    item, record, _ = EVENTS["loop asks"]
    requests = ModelAnswered("", (Wanted("tool_a", {}), Wanted("none", {}, Failure("unknown_tool", "no such tool"))))
    monkeypatch.setitem(EVENTS, "loop asks", (item, record, requests))
    spent, _ = await measured(real, redis_process, "loop asks", turns=0, reads_history=True)
    assert spent.commands <= 12
