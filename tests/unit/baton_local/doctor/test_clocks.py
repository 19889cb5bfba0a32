import pytest

from baton_local.doctor.delivery import judge_clock
from baton_local.doctor.finding import Level

NOW_MS = 1_800_000_000_000


@pytest.mark.parametrize(
    ("queue_ms", "level", "text"),
    [
        (NOW_MS + 10, Level.OK, "agrees"),
        (NOW_MS - 5_000, Level.OK, "agrees"),
        (NOW_MS + 1_000, Level.OK, "agrees"),
        (NOW_MS + 12_020, Level.FAILED, "12.0 s behind the queue's"),
        (NOW_MS - 90_000, Level.WARNING, "90 s ahead"),
        (NOW_MS - 300_000, Level.FAILED, "300 s ahead of the queue's: signatures seem too old"),
    ],
)
def test_a_clock_may_be_a_little_ahead_and_never_behind(queue_ms: int, level: Level, text: str) -> None:
    """A signature is good for five minutes, and not a second before it was made."""
    found = judge_clock(queue_ms, NOW_MS, NOW_MS + 20)
    assert (found.level, text in found.text) == (level, True), found
    assert ("NTP" in found.way_out) is (level is not Level.OK)
