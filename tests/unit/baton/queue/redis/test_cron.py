"""When a schedule is due, around clock changes: as the local queue has it, but for a time that the clock skips."""

from datetime import UTC, datetime

import pytest

from baton.queue.redis.schedules import next_ms
from baton_local.qstash.core.schedules import parse_cron

MINUTE_MS, HOURS = 60_000, 40
# Before the clocks of Berlin, New York and Santiago go forward or back; and a plain day.
NIGHTS = [(2026, 10, 24), (2027, 3, 27), (2026, 10, 31), (2027, 3, 13), (2027, 4, 3), (2026, 12, 30)]
ZONES = ("", "CRON_TZ=Europe/Berlin ", "TZ=America/New_York ", "CRON_TZ=America/Santiago\t", "TZ=Asia/Kathmandu ")
EVERY = ("* * * * *", "*/20 * * * *", "15 * * * *", "0 */3 * * *", "*/30 1-4 * * *", "0 9 * * mon-fri", "5 0 1,15 * 7")


def ms(year: int, month: int, day: int, hour: int = 12, minute: int = 0) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("expression", [*EVERY, "30 1 * * *", "30 4 * * *", "10 5 * * *"])
def test_times_are_those_of_the_local_queue(zone: str, expression: str) -> None:
    cron, known = zone + expression, parse_cron(zone + expression)
    for night in NIGHTS:
        for minutes in range(0, 60 * HOURS, 75):
            at_ms = ms(*night) + minutes * MINUTE_MS + 30_500
            assert next_ms(cron, at_ms) == known.next_after_ms(at_ms), datetime.fromtimestamp(at_ms / 1000, UTC)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ((2026, 10, 25, 0, 10), (2026, 10, 25, 0, 30)),  # twice shown: at 00:30 and at 01:30 UTC
        ((2026, 10, 25, 1, 10), (2026, 10, 26, 1, 30)),  # between them
        ((2027, 3, 27), (2027, 3, 28, 1)),  # never shown: when the clock has skipped it
    ],
)
def test_a_time_is_due_once_a_day(now: tuple[int, ...], due: tuple[int, ...]) -> None:
    assert next_ms("CRON_TZ=Europe/Berlin 30 2 * * *", ms(*now)) == ms(*due)
