"""Work items: their keys, and from when on somebody may work on them."""

import pytest
from msgspec.structs import replace

from baton.engine.work_items import EVENT_OF_KIND, WORK_KINDS, ItemKind, following, loop_item, slot_request_item
from tests.unit.baton.engine.sample_state import NOW_MS, call_state


def test_keys_follow_from_what_is_to_be_done() -> None:
    """So that the same step never stands in a state twice."""
    call = call_state(ItemKind.CALL).item
    assert loop_item("job_1", 2, 3, NOW_MS).key == "loop:job_1:2:3"
    assert slot_request_item("job_1", "slot", 7, NOW_MS).key == "wish:job_1:7"
    assert call.key == "call:job_1-2-0-aaaaaaaaaa:1"
    assert following(call, ItemKind.COMPLETE, NOW_MS).key == "complete:job_1-2-0-aaaaaaaaaa:1"
    assert following(call, ItemKind.CALL, NOW_MS, attempt=2).key == "call:job_1-2-0-aaaaaaaaaa:2"


@pytest.mark.parametrize(
    ("lease_until_ms", "not_before_ms", "free_at_ms"), [(0, 0, 0), (50, 0, 50), (0, 70, 70), (50, 70, 70), (90, 70, 90)]
)
def test_an_item_is_free_after_its_lease_and_its_time(lease_until_ms: int, not_before_ms: int, free_at_ms: int) -> None:
    item = replace(loop_item("j", 1, 1, 0), owner="o1", lease_until_ms=lease_until_ms, not_before_ms=not_before_ms)
    assert item.free_at_ms() == free_at_ms
    assert item.free_at_ms("o2") == free_at_ms


def test_a_lease_does_not_keep_its_own_owner_away() -> None:
    item = replace(loop_item("j", 1, 1, 0), owner="o1", lease_until_ms=90, not_before_ms=70)
    assert item.free_at_ms("o1") == 70


def test_every_kind_is_guaranteed_by_one_event_type() -> None:
    assert set(EVENT_OF_KIND) == set(ItemKind)
    assert EVENT_OF_KIND[ItemKind.SLOT_REQUEST] is EVENT_OF_KIND[ItemKind.LOOP]
    assert len(set(EVENT_OF_KIND.values())) == 4


def test_only_turns_and_tool_runs_need_a_slot() -> None:
    assert {ItemKind.LOOP, ItemKind.CALL} == WORK_KINDS
