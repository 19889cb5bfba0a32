"""The state is the outbox: each open work item has a key and its event, and each event leads back to its work item."""

import pytest
from msgspec import to_builtins
from msgspec.structs import replace

from baton.engine.outbox import event_of
from baton.engine.work_items import (
    EVENT_OF_KIND,
    WORK_KINDS,
    ItemKind,
    WorkItem,
    following,
    item_key_of,
    loop_item,
    remember_item,
    slot_request_item,
)
from baton_events.schema import encode_event, event_type, parse_event
from tests.unit.baton.engine.sample_state import JOB, NOW_MS, call_state

TOOL_KINDS = [ItemKind.CALL, ItemKind.COMPLETE, ItemKind.FAILED]


ITEMS: list[WorkItem] = [
    loop_item("job_1", 2, 3, NOW_MS),
    slot_request_item("job_1", "slot", NOW_MS, NOW_MS),
    remember_item("job_1", 2, 3, NOW_MS),
    *(call_state(kind, attempt=2).item for kind in TOOL_KINDS),
]


def test_each_step_has_an_event_of_its_own_whoever_works_on_it() -> None:
    """Publishing twice publishes the same ids."""
    events = [event_of(JOB.session_id, item) for item in ITEMS]
    assert [item_key_of(event) for event in events] == [item.key for item in ITEMS]
    for item, event in zip(ITEMS, events, strict=True):
        other = replace(item, owner="o9", relay_id="m9", lease_until_ms=9, undelivered=4, not_before_ms=7)
        assert event_of(JOB.session_id, other) == event
    others = loop_item("job_1", 2, 4, NOW_MS), loop_item("job_1", 3, 3, NOW_MS)
    ids = [event_of("s", item).id for item in (*ITEMS, *others, slot_request_item("job_1", "slot", 1, NOW_MS))]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: str(item.kind))
def test_an_event_leads_back_to_its_item_over_the_wire(item: WorkItem) -> None:
    """Whatever kind it is; its type is the one of its kind."""
    event = parse_event(encode_event(event_of("session 1", item)).encode())
    assert item_key_of(event) == item.key
    assert event_type(event) is EVENT_OF_KIND[item.kind]
    assert (event.session_id, event.job_id) == ("session 1", "job_1")


def test_a_tool_calls_event_reports_what_people_want_to_see() -> None:
    event = event_of("s", call_state(ItemKind.CALL).item)
    assert to_builtins(event.payload) == {
        "turn": 2,
        "position": 0,
        "callId": "job_1-2-0-aaaaaaaaaa",
        "tool": "read_file",
        "attempt": 1,
    }


def test_keys_follow_from_what_is_to_be_done() -> None:
    """So that the same step never stands in a state twice."""
    call = call_state(ItemKind.CALL).item
    assert loop_item("job_1", 2, 3, NOW_MS).key == "loop:job_1:2:3"
    assert slot_request_item("job_1", "slot", 7, NOW_MS).key == "slot_request:job_1:7"
    assert call.key == "call:job_1-2-0-aaaaaaaaaa:1"
    assert following(call, ItemKind.COMPLETE, NOW_MS).key == "complete:job_1-2-0-aaaaaaaaaa:1"
    assert following(call, ItemKind.CALL, NOW_MS, attempt=2).key == "call:job_1-2-0-aaaaaaaaaa:2"


@pytest.mark.parametrize(
    ("lease_until_ms", "not_before_ms", "free_at_ms"), [(0, 0, 0), (50, 0, 50), (0, 70, 70), (50, 70, 70), (90, 70, 90)]
)
def test_an_item_is_free_after_its_lease_and_its_time(lease_until_ms: int, not_before_ms: int, free_at_ms: int) -> None:
    item = replace(loop_item("j", 1, 1, 0), owner="o1", lease_until_ms=lease_until_ms, not_before_ms=not_before_ms)
    assert item.free_at_ms() == item.free_at_ms("o2") == free_at_ms
    assert item.free_at_ms("o1") == not_before_ms


def test_every_kind_is_guaranteed_by_one_event_type() -> None:
    """Only turns and tool runs need a slot."""
    assert set(EVENT_OF_KIND) == set(ItemKind)
    assert EVENT_OF_KIND[ItemKind.SLOT_REQUEST] is EVENT_OF_KIND[ItemKind.LOOP]
    assert len(set(EVENT_OF_KIND.values())) == 4
    assert {ItemKind.LOOP, ItemKind.CALL} == WORK_KINDS
