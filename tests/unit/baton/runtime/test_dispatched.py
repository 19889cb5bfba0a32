"""What one invocation has dispatched is not dispatched twice, and nothing that must go out again stays in."""

from msgspec.structs import replace

from baton.engine.work_items import CLOCK_ERROR_MS, ItemKind, WorkItem
from baton.runtime.invocation import Dispatched

NOW_MS = 1_800_000_000_000
DUE = WorkItem("call:a:1", ItemKind.CALL, "job_1", 1, 1, call_id="a")
LATER = replace(DUE, key="wait:b:1", kind=ItemKind.WAIT, call_id="b", not_before_ms=NOW_MS + CLOCK_ERROR_MS + 1)
SOON = replace(LATER, key="wait:c:1", call_id="c", not_before_ms=NOW_MS + CLOCK_ERROR_MS)


def test_what_is_published_or_left_is_dispatched_no_more() -> None:
    """Until it is done: where a failover brings it back then, it goes out again."""
    dispatched = Dispatched()
    assert not dispatched.has(DUE, NOW_MS)
    dispatched.add(DUE)
    dispatched.leave_open("loop:job_1:1:1")
    assert dispatched.has(DUE, NOW_MS)
    assert dispatched.keys() == {DUE.key, "loop:job_1:1:1"}
    dispatched.discard(DUE.key)
    assert not dispatched.has(DUE, NOW_MS)


def test_after_news_all_goes_out_again_but_for_what_is_to_come_later() -> None:
    """Whatever the admission says: a timer that is under way comes by itself, unless it is for another time by now."""
    dispatched = Dispatched()
    for item in (DUE, LATER, SOON):
        dispatched.add(item)
    dispatched.begin_anew()
    assert dispatched.keys() == frozenset()
    assert [dispatched.has(item, NOW_MS) for item in (DUE, LATER, SOON)] == [False, True, False]
    assert not dispatched.has(replace(LATER, not_before_ms=LATER.not_before_ms + 1), NOW_MS)
    assert not dispatched.has(LATER, NOW_MS + 1)


def test_each_time_it_begins_anew_is_another_round() -> None:
    """Else the queue would take what goes out again for the same message, and swallow it."""
    dispatched, rounds = Dispatched(), set[int]()
    for _ in range(3):
        rounds.add(dispatched.rounds)
        dispatched.begin_anew()
    assert len(rounds) == 3
