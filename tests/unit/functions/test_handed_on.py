"""What one invocation has handed on is not handed on twice, and nothing that must go out again stays in."""

from msgspec.structs import replace

from baton.core.legs import CLOCK_ERROR_MS, Leg, LegKind
from baton.runtime.handed_on import HandedOn

NOW_MS = 1_800_000_000_000
DUE = Leg("call:a:1", LegKind.CALL, "job_1", 1, 1, call_id="a")
LATER = replace(DUE, key="wait:b:1", kind=LegKind.WAIT, call_id="b", not_before_ms=NOW_MS + CLOCK_ERROR_MS + 1)
SOON = replace(LATER, key="wait:c:1", call_id="c", not_before_ms=NOW_MS + CLOCK_ERROR_MS)


def test_what_is_published_or_left_is_handed_on_no_more() -> None:
    """Until it is done: where a failover brings it back then, it goes out again."""
    handed_on = HandedOn()
    assert not handed_on.has(DUE, NOW_MS)
    handed_on.add(DUE)
    handed_on.leave("loop:job_1:1:1")
    assert handed_on.has(DUE, NOW_MS)
    assert handed_on.keys() == {DUE.key, "loop:job_1:1:1"}
    handed_on.discard(DUE.key)
    assert not handed_on.has(DUE, NOW_MS)


def test_after_news_all_goes_out_again_but_for_what_is_to_come_later() -> None:
    """Whatever the admission says: a timer that is under way comes by itself, unless it is for another time by now."""
    handed_on = HandedOn()
    for leg in (DUE, LATER, SOON):
        handed_on.add(leg)
    handed_on.begin_anew()
    assert handed_on.keys() == frozenset()
    assert [handed_on.has(leg, NOW_MS) for leg in (DUE, LATER, SOON)] == [False, True, False]
    assert not handed_on.has(replace(LATER, not_before_ms=LATER.not_before_ms + 1), NOW_MS)
    assert not handed_on.has(LATER, NOW_MS + 1)


def test_each_time_it_begins_anew_is_another_round() -> None:
    """Else the queue would take what goes out again for the same message, and swallow it."""
    handed_on, rounds = HandedOn(), set[int]()
    for _ in range(3):
        rounds.add(handed_on.rounds)
        handed_on.begin_anew()
    assert len(rounds) == 3
