"""The state is the outbox: each open work item has its event, and each event leads back to its work item."""

import pytest
from msgspec.structs import replace

from baton.engine.outbox import event_of, expected_events
from baton.engine.work_items import EVENT_OF_KIND, ItemKind, WorkItem, item_key_of, loop_item, slot_request_item
from baton_events.schema import encode_event, event_type, parse_event
from tests.unit.baton.engine.sample_state import JOB, NOW_MS, call_state

TOOL_KINDS = [ItemKind.CALL, ItemKind.COMPLETE, ItemKind.FAILED]
ITEMS: list[WorkItem] = [
    loop_item("job_1", 2, 3, NOW_MS),
    slot_request_item("job_1", "slot", NOW_MS, NOW_MS),
    *(call_state(kind, attempt=2).item for kind in TOOL_KINDS),
]


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: str(item.kind))
def test_an_event_leads_back_to_its_item_over_the_wire(item: WorkItem) -> None:
    """Whatever kind it is; its type is the one of its kind."""
    event = parse_event(encode_event(event_of("session 1", item)).encode())
    assert item_key_of(event) == item.key
    assert event_type(event) is EVENT_OF_KIND[item.kind]
    assert (event.session_id, event.job_id) == ("session 1", "job_1")


def test_the_same_items_always_give_the_same_events() -> None:
    """In the same order: publishing twice publishes the same ids."""
    assert expected_events(JOB, ITEMS) == expected_events(JOB, tuple(ITEMS))
    assert [item_key_of(event) for event in expected_events(JOB, ITEMS)] == [item.key for item in ITEMS]


def test_a_state_without_items_expects_nothing() -> None:
    assert expected_events(JOB, ()) == ()


def test_who_works_on_an_item_does_not_change_its_event() -> None:
    for item in ITEMS:
        other = replace(item, owner="o9", relay_id="m9", lease_until_ms=9, undelivered=4, not_before_ms=7)
        assert event_of("s", other) == event_of("s", item)


def test_steps_that_differ_have_different_events() -> None:
    others = [
        loop_item("job_1", 2, 4, NOW_MS),
        loop_item("job_1", 3, 3, NOW_MS),
        slot_request_item("job_1", "slot", 1, NOW_MS),
    ]
    ids = [event_of("s", item).id for item in (*ITEMS, *others)]
    assert len(set(ids)) == len(ids)


def test_a_tool_calls_event_reports_what_people_want_to_see() -> None:
    event = event_of("s", call_state(ItemKind.CALL).item)
    assert event.payload.model_dump(exclude_none=True) == {
        "turn": 2,
        "position": 0,
        "call_id": "job_1-2-0-aaaaaaaaaa",
        "tool": "read_file",
        "attempt": 1,
    }
