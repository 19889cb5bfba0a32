"""The state is the outbox: each open leg has its event, and each event leads back to its leg."""

import pytest
from msgspec.structs import replace

from baton.core.expected import event_of, expected_events
from baton.core.legs import EVENT_OF_KIND, Leg, LegKind, leg_key_of, loop_leg, wish_leg
from baton_events.schema import encode_event, event_type, parse_event
from tests.unit.events.core.sample_state import JOB, NOW_MS, call_state

TOOL_KINDS = [LegKind.CALL, LegKind.COMPLETE, LegKind.FAILED]
LEGS: list[Leg] = [
    loop_leg("job_1", 2, 3, NOW_MS),
    wish_leg("job_1", "slot", NOW_MS, NOW_MS),
    *(call_state(kind, attempt=2).leg for kind in TOOL_KINDS),
]


@pytest.mark.parametrize("leg", LEGS, ids=lambda leg: str(leg.kind))
def test_an_event_leads_back_to_its_leg_over_the_wire(leg: Leg) -> None:
    """Whatever kind it is; its type is the one of its kind."""
    event = parse_event(encode_event(event_of("session 1", leg)).encode())
    assert leg_key_of(event) == leg.key
    assert event_type(event) is EVENT_OF_KIND[leg.kind]
    assert (event.session_id, event.job_id) == ("session 1", "job_1")


def test_the_same_legs_always_give_the_same_events() -> None:
    """In the same order: publishing twice publishes the same ids."""
    assert expected_events(JOB, LEGS) == expected_events(JOB, tuple(LEGS))
    assert [leg_key_of(event) for event in expected_events(JOB, LEGS)] == [leg.key for leg in LEGS]


def test_a_state_without_legs_expects_nothing() -> None:
    """An ended job's outbox is empty."""
    assert expected_events(JOB, ()) == ()


def test_who_works_on_a_leg_does_not_change_its_event() -> None:
    """The id follows from what is to be done."""
    for leg in LEGS:
        other = replace(leg, owner="o9", carrier="m9", lease_until_ms=9, undelivered=4, not_before_ms=7)
        assert event_of("s", other) == event_of("s", leg)


def test_steps_that_differ_have_different_events() -> None:
    """Turn, attempt, call, kind and lap count."""
    others = [loop_leg("job_1", 2, 4, NOW_MS), loop_leg("job_1", 3, 3, NOW_MS), wish_leg("job_1", "slot", 1, NOW_MS)]
    ids = [event_of("s", leg).id for leg in (*LEGS, *others)]
    assert len(set(ids)) == len(ids)


def test_a_tool_calls_event_tells_what_people_want_to_see() -> None:
    """Tool, turn and position, beside the call's id."""
    event = event_of("s", call_state(LegKind.CALL).leg)
    assert event.payload.model_dump(exclude_none=True) == {
        "turn": 2,
        "position": 0,
        "call_id": "job_1-2-0-aaaaaaaaaa",
        "tool": "read_file",
        "attempt": 1,
    }
