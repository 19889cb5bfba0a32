"""LOOK: the sweep finds work items without progress and carries them; it touches no live lease and no future timer."""

from msgspec.structs import replace

from baton.engine.commit.answers import Reconciled, Verdict
from baton.engine.work_items import WorkItem
from tests.contract.store.sample import (
    JOB_ID,
    LEASE_MS,
    NOW_MS,
    a_job,
    call_item,
    claim_of,
    creation,
    fan_out,
    first_item,
    table_of,
)
from tests.contract.store.side import Side

STALLED_AFTER_MS = 60_000
SLOT_TABLE = table_of(JOB_ID)


def keys(items: tuple[WorkItem, ...]) -> list[str]:
    return [item.key for item in items]


async def test_an_item_without_progress_is_guaranteed_by_the_sweep(side: Side) -> None:
    """It counts as redriven from now on; whoever carried it before carries it no longer."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    at_ms = NOW_MS + STALLED_AFTER_MS + 1
    reconciled = await side.store.reconcile(JOB_ID, "sweep", at_ms, STALLED_AFTER_MS, SLOT_TABLE)
    redriven = replace(first_item(), relay_id="sweep", since_ms=at_ms)
    assert reconciled == Reconciled(known=True, stalled=(redriven,), session_id="session_a")
    assert (await side.store.claim(replace(claim_of(first_item(), "witness"), item_key="none"))).pending == ()
    assert (await side.store.claim(replace(claim_of(first_item(), "sweep"), item_key="none"))).pending == (
        replace(redriven, redelivered=True),
    )


async def test_a_live_lease_is_never_touched(side: Side) -> None:
    """Nor for ten seconds after it; quiet is counted beside it, so what was claimed long ago is lost then."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    await side.store.claim(claim_of(first_item()))
    over_ms = LEASE_MS + STALLED_AFTER_MS // 6
    assert over_ms < LEASE_MS + STALLED_AFTER_MS
    for after_ms in (STALLED_AFTER_MS + 1, LEASE_MS, over_ms):
        assert (
            await side.store.reconcile(JOB_ID, "sweep", NOW_MS + after_ms, STALLED_AFTER_MS, SLOT_TABLE)
        ).stalled == ()
    reconciled = await side.store.reconcile(JOB_ID, "sweep", NOW_MS + over_ms + 1, STALLED_AFTER_MS, SLOT_TABLE)
    assert keys(reconciled.stalled) == [first_item().key]


async def test_an_unknown_job_is_not_known(side: Side) -> None:
    assert await side.store.reconcile(JOB_ID, "sweep", NOW_MS, STALLED_AFTER_MS, SLOT_TABLE) == Reconciled(known=False)
    assert (await side.store.claim(claim_of(call_item(0)))).verdict is Verdict.UNKNOWN


async def test_an_entry_without_a_job_below_a_known_root_is_named(side: Side) -> None:
    """A failover forgot that it was started; an entry of the root itself is another matter."""
    await side.store.create(creation(a_job()), "w1", NOW_MS)
    slot_table = table_of(JOB_ID, f"{JOB_ID}.2", f"{JOB_ID}.1", "job_z.1")
    reconciled = await side.store.reconcile(JOB_ID, "sweep", NOW_MS, STALLED_AFTER_MS, slot_table)
    assert reconciled.forgotten == (f"{JOB_ID}.1", f"{JOB_ID}.2")


async def test_a_look_at_one_job_that_nobody_knows_finds_nothing(side: Side) -> None:
    """As where a failover forgot that a job below was started; the others are left alone."""
    await fan_out(side, 1)
    reconciled = await side.store.reconcile(JOB_ID, "w1", NOW_MS + 500_000, 60_000, {}, only=f"{JOB_ID}.7")
    assert (reconciled.known, reconciled.stalled) == (True, ())
