"""What a turn learns of the limits above it: what is used and reserved below each job, and attempts that died."""

from baton.engine.effects import Changes
from baton.sdk.limits import Spend
from baton.sdk.records import FOREVER_MS
from tests.contract.store.sample import (
    JOB_ID,
    LEASE_MS,
    SPENT,
    a_job,
    claim_of,
    creation,
    fan_out,
    first_item,
)
from tests.contract.store.side import Side
from tests.contract.store.test_signals import wait_item

ONE, TWO = f"{JOB_ID}.aaaaaaaaaa", f"{JOB_ID}.bbbbbbbbbb"


async def two_children(side: Side) -> None:
    """A job with two children that hold slots."""
    for call, name in zip(await fan_out(side, 2), (ONE, TWO), strict=True):
        changes = Changes(items=(wait_item(call.position, until_ms=FOREVER_MS),), child=creation(a_job(name)))
        assert (await side.store.commit(claim_of(call, f"m{name}"), changes, SPENT)).applied


async def test_what_children_use_is_summed_above_them(side: Side) -> None:
    """A later turn of either is told."""
    await two_children(side)
    for name in (ONE, TWO):
        changes = Changes(job=a_job(name), spends=Spend(1, 2, 30, 0.25))
        await side.store.commit(claim_of(first_item(name), "m5"), changes, SPENT)
    await side.store.create(creation(a_job(f"{ONE}.c")), "m6", 1)
    claim_result = await side.store.claim(claim_of(first_item(f"{ONE}.c"), "m6"))
    assert claim_result.state is not None
    names_and_sums = [(scope.job.id, scope.child_usage) for scope in claim_result.state.budget_scopes]
    assert names_and_sums == [(f"{ONE}.c", Spend()), (ONE, Spend()), (JOB_ID, Spend(2, 4, 60, 0.5))]


async def test_what_is_reserved_for_a_live_turn_of_another_child_counts(side: Side) -> None:
    """Until its lease is over."""
    await two_children(side)
    await side.store.claim(claim_of(first_item(ONE), "m5", "o5"))
    reserved: list[int] = []
    for after_ms in (1, LEASE_MS + 1):
        claim_result = await side.store.claim(claim_of(first_item(TWO), "m6", f"o{after_ms}", after_ms=after_ms * 2))
        reserved.append(claim_result.state.budget_scopes[1].in_flight_tokens if claim_result.state else -1)
    assert reserved == [1_000, 0]
