"""What a job requests of the admission, pure."""

import pytest
from msgspec.structs import replace

from baton.engine.all_jobs.slots import KEEP_SLOT_MS, SlotState, Want, next_epoch, wanted
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
