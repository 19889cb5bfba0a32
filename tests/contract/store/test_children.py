"""Children: started in their parent's commit, reporting to it in their last one, and ended with it.

A turn learns of the limits above it: what is used and reserved below each job, and attempts that died.
"""

from msgspec.structs import replace

from baton.engine.effects import Changes, Report
from baton.engine.transitions import JobStatus
from baton.engine.work_items import ItemKind
from baton.sdk.limits import Spend
from baton.sdk.records import FOREVER_MS
from tests.contract.store.sample import (
    JOB_ID,
    LEASE_MS,
    NOW_MS,
    SPENT,
    a_job,
    by_key,
    call_item,
    claim_of,
    creation,
    fan_out,
    first_item,
    job_of,
    loaded_of,
    slot_request_of,
    state_of,
)
from tests.contract.store.side import Side
from tests.contract.store.test_signals import wait_item

CHILD, OTHER = f"{JOB_ID}.aaaaaaaaaa", f"{JOB_ID}.bbbbbbbbbb"
GRANDCHILD = f"{CHILD}.bbbbbbbbbb"
ANSWER = '{"ok":"the answer"}'


async def started(side: Side) -> None:
    (call,) = await fan_out(side, 1)
    changes = Changes(items=(wait_item(0, until_ms=FOREVER_MS),), child=creation(a_job(CHILD), slot=False))
    assert (await side.store.commit(claim_of(call, "m2"), changes, SPENT)).applied


async def ended(side: Side, job_id: str, message: str, report: Report | None = None) -> None:
    loaded = await loaded_of(side, job_id)
    done = replace(loaded.job, status=JobStatus.COMPLETED, result={"answer": "the answer"})
    changes = Changes(job=done, ends=True, report=report, closing=('{"type":"abort"}',))
    assert (await side.store.record(loaded, message, changes, NOW_MS + 5))[0] == "committed"


async def test_a_child_is_created_with_its_stream_and_its_slot_request(side: Side) -> None:
    await started(side)
    pending = (await side.store.claim(claim_of(call_item(0), "m2"))).pending
    assert [(item.job_id, item.kind) for item in by_key(pending)] == [
        (CHILD, ItemKind.SLOT_REQUEST),
        (JOB_ID, ItemKind.SLOT_REQUEST),
    ]
    snapshot = await job_of(side, CHILD)
    assert (snapshot.job, snapshot.task["text"]) == (creation(a_job(CHILD)).job, "do it")
    assert [item.kind for item in snapshot.items] == [ItemKind.LOOP, ItemKind.SLOT_REQUEST]
    assert len((await side.reader.parts(CHILD, 0)).parts) == 1


async def test_the_end_of_a_child_wakes_the_call_that_started_it(side: Side) -> None:
    await started(side)
    await ended(side, CHILD, "m3", Report(call_item(0).call_id, ANSWER))
    claim_result = await side.store.claim(claim_of(wait_item(0), "m3", after_ms=6))
    assert claim_result.state is not None
    assert (claim_result.state.job.id, claim_result.state.outcome) == (JOB_ID, ANSWER)
    assert claim_result.pending == (slot_request_of("gone", "m3", NOW_MS + 5, CHILD),)


async def test_the_end_of_a_parent_is_the_end_of_all_below_it(side: Side) -> None:
    """Their items go, their streams get last parts, their slots are given back; what they say later is dropped."""
    await started(side)
    below = Changes(items=(wait_item(0, until_ms=FOREVER_MS),), child=creation(a_job(GRANDCHILD), slot=False))
    await side.store.record(await loaded_of(side, CHILD), "m4", replace(below, items=()), NOW_MS + 1)
    await ended(side, JOB_ID, "m5")
    for name in (CHILD, GRANDCHILD):
        snapshot = await job_of(side, name)
        assert (snapshot.job.status, snapshot.job.finished_at_ms) == (JobStatus.CANCELLED, NOW_MS + 5)
        assert snapshot.job.error is not None
        assert snapshot.job.error.message == "the job that started it has ended"
        assert [(item.kind, item.want) for item in snapshot.items] == [(ItemKind.SLOT_REQUEST, "gone")]
        assert (await side.reader.parts(name, 0)).parts[-1] == '{"type":"abort"}'
        assert not (await side.store.commit(claim_of(first_item(name), "m6"), Changes(), SPENT)).applied


async def two_children(side: Side) -> None:
    for call, name in zip(await fan_out(side, 2), (CHILD, OTHER), strict=True):
        changes = Changes(items=(wait_item(call.position, until_ms=FOREVER_MS),), child=creation(a_job(name)))
        assert (await side.store.commit(claim_of(call, f"m{name}"), changes, SPENT)).applied


async def test_what_children_use_is_summed_above_them(side: Side) -> None:
    await two_children(side)
    for name in (CHILD, OTHER):
        changes = Changes(job=a_job(name), spends=Spend(1, 2, 30, 0.25))
        await side.store.commit(claim_of(first_item(name), "m5"), changes, SPENT)
    await side.store.create(creation(a_job(f"{CHILD}.c")), "m6", 1)
    scopes = (await state_of(side.store, claim_of(first_item(f"{CHILD}.c"), "m6"))).budget_scopes
    names_and_sums = [(scope.job.id, scope.child_usage) for scope in scopes]
    assert names_and_sums == [(f"{CHILD}.c", Spend()), (CHILD, Spend()), (JOB_ID, Spend(2, 4, 60, 0.5))]


async def test_what_is_reserved_for_a_live_turn_of_another_child_counts_until_its_lease_is_over(side: Side) -> None:
    await two_children(side)
    await side.store.claim(claim_of(first_item(CHILD), "m5", "o5"))
    reserved: list[int] = []
    for after_ms in (1, LEASE_MS + 1):
        state = await state_of(side.store, claim_of(first_item(OTHER), "m6", f"o{after_ms}", after_ms=after_ms * 2))
        reserved.append(state.budget_scopes[1].in_flight_tokens)
    assert reserved == [1_000, 0]
