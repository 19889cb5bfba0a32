"""The admission's rules, pure: who gets a slot, and what a job requests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from baton.engine.all_jobs.slots import (
    BY_RECONCILER,
    KEEP_SLOT_MS,
    QueuedJob,
    QueueEntry,
    SlotState,
    Want,
    fill,
    next_epoch,
    take,
    unacknowledged,
    wanted,
)
from baton.engine.work_items import ItemKind, WorkItem, loop_item, slot_request_item
from tests.unit.baton.engine.sample_state import HELD, NOW_MS, call_state

NO_SLOT = SlotState("none", 5)


@pytest.mark.parametrize(
    ("slot_state", "items", "want"),
    [
        (NO_SLOT, [loop_item("j", 1, 1, NOW_MS)], "slot"),
        (NO_SLOT, [call_state(ItemKind.CALL).item], "slot"),
        (NO_SLOT, [call_state(ItemKind.COMPLETE).item], "none"),
        (HELD, [call_state(ItemKind.COMPLETE).item], "slot"),
        (HELD, [call_state(ItemKind.FAILED).item], "slot"),
        (HELD, [loop_item("j", 1, 1, NOW_MS, NOW_MS + KEEP_SLOT_MS)], "slot"),
        (HELD, [loop_item("j", 1, 1, NOW_MS, NOW_MS + KEEP_SLOT_MS + 1)], "none"),
        (HELD, [loop_item("j", 1, 1, NOW_MS + 300_000, NOW_MS + 309_000)], "slot"),
        (HELD, [replace(loop_item("j", 1, 1, NOW_MS, NOW_MS + 300_000), owner="me")], "slot"),
        (HELD, [replace(slot_request_item("j", "slot", 1, NOW_MS), owner="me")], "none"),
        (HELD, [], "none"),
    ],
)
def test_a_job_wants_a_slot_for_work_and_keeps_it_while_results_are_taken_in(
    slot_state: SlotState, items: list[WorkItem], want: Want
) -> None:
    """Waiting longer than a minute wants none; who asks late does not take a slot from work that was added since."""
    assert wanted(slot_state, items, ended=False, now_ms=NOW_MS) == want
    assert wanted(slot_state, items, ended=True, now_ms=NOW_MS) == "gone"


def test_a_epoch_is_a_time_and_always_larger() -> None:
    """Also when the clock stood still or went back."""
    assert next_epoch(SlotState("slot", 0), NOW_MS) == NOW_MS
    assert next_epoch(SlotState("slot", NOW_MS), NOW_MS) == NOW_MS + 1
    assert next_epoch(SlotState("slot", NOW_MS + 9), NOW_MS) == NOW_MS + 10


SLOT_REQUESTS = st.lists(
    st.tuples(
        st.sampled_from("abcdefgh"),
        st.sampled_from(["slot", "slot", "none", "gone"]),
        st.integers(0, 2),
        st.integers(0, 2),
        st.integers(0, 9),
    ),
    max_size=40,
)


@given(SLOT_REQUESTS, st.integers(1, 4))
def test_slots_are_never_exceeded_nor_left_free_while_somebody_may_have_one(
    slot_requests: list[tuple[str, str, int, int, int]], slots: int
) -> None:
    """After every word: at most so many; one of a session; and if one is free, nobody able is left waiting."""
    slot_table: dict[str, QueueEntry] = {}
    epochs: dict[str, int] = {}
    for name, want, tenant, session, priority in slot_requests:
        epochs[name] = epochs.get(name, -1) + 1
        place = QueuedJob(f"t{tenant}", f"s{session}", priority, ord(name))
        chosen: Want = "slot" if want == "slot" else "none" if want == "none" else "gone"
        taken = take(slot_table, name, SlotState(chosen, epochs[name]), place, NOW_MS, slots)
        slot_table = taken.slot_table
        holders = [entry for entry in slot_table.values() if entry.slot]
        assert len(holders) <= slots
        sessions = [(entry.tenant, entry.session_id) for entry in holders]
        assert len(set(sessions)) == len(sessions)
        assert taken.slot is slot_table[name].slot
        assert all(slot_table[other].slot and slot_table[other].granted_by == name for other in taken.granted)
        if len(holders) < slots:
            kept = {(e.tenant, e.session_id) for e in slot_table.values() if e.slot or (e.want == "none" and e.started)}
            able = [e for e in slot_table.values() if e.want == "slot" and not e.slot]
            assert all((e.tenant, e.session_id) in kept for e in able)


def test_priority_decides_between_jobs_of_tenants_with_as_many_slots() -> None:
    """Higher first, then older."""
    slot_table: dict[str, QueueEntry] = {}
    for name, priority in (("a", 5), ("b", 5), ("c", 9)):
        place = QueuedJob("t", f"s{name}", priority, ord(name))
        slot_table = take(slot_table, name, SlotState("slot", 0), place, NOW_MS, 1).slot_table
    place = QueuedJob("t", "sa", 5, ord("a"))
    given_back = take(slot_table, "a", SlotState("gone", 1), place, NOW_MS, 1)
    assert given_back.granted == ("c",)
    assert replace(given_back.slot_table["c"], granted_by="") == QueueEntry(
        "t", "sc", 9, ord("c"), 0, "slot", True, True, "", NOW_MS
    )


def test_the_same_update_again_changes_nothing_but_its_time_and_an_older_one_nothing() -> None:
    """Clients repeat, and who repeats lives; a clock that goes back makes no entry older."""
    place = QueuedJob("t", "s", 5, 1)
    first = take({}, "a", SlotState("slot", 1), place, NOW_MS, 1)
    slot_table = first.slot_table
    for after_ms in (5, 3):
        again = take(slot_table, "a", SlotState("slot", 1), place, NOW_MS + after_ms, 1)
        slot_table = again.slot_table
        assert (again.slot, again.granted) == (True, ())
        assert slot_table == {"a": replace(first.slot_table["a"], since_ms=NOW_MS + 5)}
    slot_table = take({}, "a", SlotState("gone", 2), place, NOW_MS, 1).slot_table
    older = take(slot_table, "a", SlotState("slot", 1), place, NOW_MS + 5, 1)
    assert (older.slot_table, older.slot, older.granted) == (slot_table, False, ())


def test_a_slot_that_somebody_else_gave_is_unacknowledged_until_it_is_taken() -> None:
    """By a sweep: no later word of a job would tell. By an update: a sweep tells where the job that was to has died."""
    place = QueuedJob("t", "sb", 5, 2)
    waiting = take({}, "b", SlotState("slot", 1), place, NOW_MS, 0).slot_table
    assert unacknowledged(waiting) == ()
    entries = dict(waiting)
    fill(entries, BY_RECONCILER, 1)
    assert (entries["b"].slot, entries["b"].granted_by, unacknowledged(entries)) == (True, BY_RECONCILER, ("b",))
    fill(entries, BY_RECONCILER, 1)
    assert unacknowledged(entries) == ("b",)
    assert unacknowledged(take(entries, "b", SlotState("slot", 1), place, NOW_MS, 1).slot_table) == ()
    first = QueuedJob("t", "sa", 5, 1)
    slot_table = take(waiting, "a", SlotState("slot", 0), first, NOW_MS, 1).slot_table
    assert unacknowledged(slot_table) == ()
    assert unacknowledged(take(slot_table, "a", SlotState("gone", 1), first, NOW_MS, 1).slot_table) == ("b",)
