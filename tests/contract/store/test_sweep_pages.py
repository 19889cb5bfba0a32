"""A sweep in pages: each job is looked at once, with its tree, whatever the size of a page."""

from baton.engine.all_jobs.slots import TOMBSTONE_MS, QueuedJob, SlotState
from baton.storage.ports.all_jobs import ReconcileTurn
from tests.contract.store.sample import NOW_MS
from tests.contract.store.side import RECONCILE_INTERVAL_MS, SLOTS, Side

LATE_MS = NOW_MS + TOMBSTONE_MS + 10
HOLDING = tuple(f"job_{letter}" for letter in "abc"[:SLOTS])
WAITING = tuple(f"job_w{number}" for number in range(7))
GONE = tuple(f"job_g{number}" for number in range(5))
BELOW = ("job_a.1-0", "job_a.1-1")


async def many(side: Side) -> None:
    """Some hold slots, some wait, some are gone, each at a time of its own; two are below one that holds a slot."""
    for number, name in enumerate((*HOLDING, *WAITING, *BELOW)):
        place = QueuedJob("t", f"s-{name}", 5, NOW_MS + number)
        await side.admission.slot_request(name, SlotState("slot", 1), place, NOW_MS + number)
    for number, name in enumerate(GONE):
        await side.admission.slot_request(
            name, SlotState("gone", 1), QueuedJob("t", f"s-{name}", 5, NOW_MS), NOW_MS + number
        )


async def pages(side: Side, due_ms: int, size: int, *, again: bool = False) -> list[ReconcileTurn]:
    turns = [await side.admission.reconcile(due_ms, LATE_MS, again=again, page=size)]
    while turns[-1].after:
        turns.append(await side.admission.reconcile(due_ms, LATE_MS, after=turns[-1].after, page=size))
        assert len(turns) < 30
    return turns


async def test_an_armed_sweep_looks_at_holders_and_those_gone_in_pages_of_any_size(side: Side) -> None:
    """Each once, but for trees that reach over a page's end; who waits is left to the hourly one."""
    await many(side)
    for size in (1, 2, 3, 4, 5, 7, 8, 500):
        turns = await pages(side, LATE_MS, size)
        seen = [name for turn in turns for name in turn.slot_table]
        assert sorted(seen) == sorted((*HOLDING, *BELOW, *GONE)), size
        assert len(turns) == 8 // size + 1


async def test_the_backstop_looks_at_everybody_in_pages_of_any_size(side: Side) -> None:
    """And so does a sweep that comes again."""
    await many(side)
    for size in (1, 2, 3, 5, 16, 17, 500):
        for due_ms, again in ((0, False), (LATE_MS, True)):
            seen = {name for turn in await pages(side, due_ms, size, again=again) for name in turn.slot_table}
            assert seen == {*HOLDING, *BELOW, *WAITING, *GONE}


async def test_only_the_first_page_gives_slots_and_arms(side: Side) -> None:
    await many(side)
    await side.admission.prune([("job_a", NOW_MS)])
    first = await side.admission.reconcile(0, LATE_MS + 10 * RECONCILE_INTERVAL_MS, page=2)
    assert first.next_ms
    assert [found.job_id for found in first.granted] == ["job_w0"]
    second = await side.admission.reconcile(0, LATE_MS + 20 * RECONCILE_INTERVAL_MS, after=first.after, page=2)
    assert (second.next_ms, second.granted) == (0, ())


async def test_those_gone_leave_as_fast_as_pages_come(side: Side) -> None:
    """A page of those that have left is followed by the next ones, whatever came meanwhile."""
    await many(side)
    turn, left = await side.admission.reconcile(LATE_MS, LATE_MS, page=2), set[str]()
    while True:
        over = [(name, entry.since_ms) for name, entry in turn.slot_table.items() if entry.want == "gone"]
        await side.admission.prune(over)
        left |= {name for name, _ in over}
        if not turn.after:
            break
        turn = await side.admission.reconcile(LATE_MS, LATE_MS, after=turn.after, page=2)
    assert left == set(GONE)
    assert not left & set(await side.admission.slot_table())


async def test_a_page_that_comes_again_looks_at_everybody_after_its_mark(side: Side) -> None:
    """One whose holder has lost its slot since may be carried by it."""
    await many(side)
    first = await side.admission.reconcile(LATE_MS, LATE_MS, page=1)
    assert sorted(first.slot_table) == ["job_a", *BELOW]
    await side.admission.slot_request("job_b", SlotState("none", 2), QueuedJob("t", "s-job_b", 5, NOW_MS), NOW_MS)
    seen, after = set[str](), first.after
    while after:
        turn = await side.admission.reconcile(LATE_MS, LATE_MS, after=after, page=3, again=True)
        seen, after = seen | set(turn.slot_table), turn.after
    assert seen >= {"job_b", "job_c", *WAITING}
