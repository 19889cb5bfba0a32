from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton_local.qstash.core.schedules import parse_cron
from baton_local.stand_in.api_error import ApiError


def ms(text: str) -> int:
    """A UTC time such as `2024-02-29 12:00` in Unix milliseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000


def runs(expression: str, after: str, count: int) -> list[str]:
    cron, at_ms, found = parse_cron(expression), ms(after), []
    for _ in range(count):
        next_ms = cron.next_after_ms(at_ms)
        assert next_ms is not None
        at_ms = next_ms
        found.append(datetime.fromtimestamp(at_ms / 1_000, UTC).strftime("%Y-%m-%d %H:%M"))
    return found


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("* * * * *", "2024-01-01 00:00", ["2024-01-01 00:01", "2024-01-01 00:02"]),
        ("*/5 * * * *", "2024-01-01 00:58", ["2024-01-01 01:00", "2024-01-01 01:05"]),
        ("1 1 1 1 1", "2024-01-30 00:00", ["2025-01-01 01:01", "2025-01-06 01:01", "2025-01-13 01:01"]),
        ("0 9-17/4 * * mon-fri", "2024-01-05 17:00", ["2024-01-08 09:00", "2024-01-08 13:00", "2024-01-08 17:00"]),
        ("0 0 29 2 *", "2024-03-01 00:00", ["2028-02-29 00:00"]),
        ("0 0 29 2 *", "1896-03-01 00:00", ["1904-02-29 00:00"]),
        ("30 4 1,15 * 5", "2024-03-01 05:00", ["2024-03-08 04:30", "2024-03-15 04:30", "2024-03-22 04:30"]),
        ("0 0 * * 7", "2024-01-01 00:00", ["2024-01-07 00:00"]),
        ("0 0 * JAN,dec *", "2024-01-31 00:00", ["2024-12-01 00:00"]),
        ("50/4 * * * *", "2024-01-01 00:00", ["2024-01-01 00:50", "2024-01-01 00:54", "2024-01-01 00:58"]),
        ("0 0 1 * ?", "2024-01-15 00:00", ["2024-02-01 00:00"]),
        ("  0   12  *  *  * ", "2024-01-01 00:00", ["2024-01-01 12:00"]),
        pytest.param(
            "CRON_TZ=Asia/Tokyo 0 10 * * *", "2024-01-01 00:00", ["2024-01-01 01:00", "2024-01-02 01:00"], id="zone"
        ),
        pytest.param(
            "CRON_TZ=Europe/Paris 30 2 * * *",
            "2024-03-29 12:00",
            ["2024-03-30 01:30", "2024-04-01 00:30", "2024-04-02 00:30"],
            id="a local time that a clock change skips is skipped",
        ),
        pytest.param(
            "CRON_TZ=Europe/Paris 30 2 * * *",
            "2024-10-26 12:00",
            ["2024-10-27 00:30", "2024-10-28 01:30"],
            id="a repeated local time runs once, the first time",
        ),
    ],
)
def test_next_runs(expression: str, after: str, expected: list[str]) -> None:
    """Lists, ranges, steps, names; both day fields restricted means either."""
    assert runs(expression, after, len(expected)) == expected


_CHANGES = [
    pytest.param("Europe/Berlin", "2026-10-24 20:00", id="an hour back at 3:00"),
    pytest.param("Europe/Berlin", "2026-03-28 20:00", id="an hour ahead at 2:00"),
    pytest.param("America/New_York", "2026-11-01 00:00", id="behind UTC"),
    pytest.param("Australia/Lord_Howe", "2026-04-04 10:00", id="half an hour back"),
    pytest.param("Australia/Lord_Howe", "2026-10-03 10:00", id="half an hour ahead"),
    pytest.param("America/Santiago", "2026-04-04 22:00", id="back to the day before"),
    pytest.param("Africa/Cairo", "2026-10-29 15:00", id="back to the day before, ahead of UTC"),
    pytest.param("America/Havana", "2026-10-31 22:00", id="back to midnight"),
    pytest.param("Antarctica/Troll", "2026-10-24 20:00", id="two hours back"),
    pytest.param("Asia/Tokyo", "2026-10-24 20:00", id="no change"),
]


@pytest.mark.parametrize(("zone", "begin"), _CHANGES)
@pytest.mark.parametrize(
    ("expression", "minutes", "hours", "is_interval"),
    [
        ("*/30 * * * *", range(0, 60, 30), range(24), True),
        ("7-59/15 * * * *", range(7, 60, 15), range(24), True),
        ("0,20 * * * *", (0, 20), range(24), True),
        ("0 */2 * * *", (0,), range(0, 24, 2), True),
        ("15 1-4 * * *", (15,), range(1, 5), True),
        ("*/10 2 * * *", range(0, 60, 10), (2,), True),
        (f"5 {','.join(map(str, range(24)))} * * *", (5,), range(24), True),
        ("30 2 * * *", (30,), (2,), False),
        ("30 0,1,23 * * *", (30,), (0, 1, 23), False),
        ("45 23 * * *", (45,), (23,), False),
    ],
)
def test_an_interval_runs_whenever_the_clock_shows_its_times_and_a_fixed_time_once(
    zone: str, begin: str, expression: str, minutes: Sequence[int], hours: Sequence[int], is_interval: bool
) -> None:
    """For ten hours around a clock change, minute by minute."""
    shown, expected = set[datetime](), list[int]()
    for at_ms in range(ms(begin), ms(begin) + 10 * 3_600_000, 60_000):
        local = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone)).replace(tzinfo=None)
        if local.minute in minutes and local.hour in hours and (is_interval or local not in shown):
            expected.append(at_ms)
        shown.add(local)
    cron, at_ms, found = parse_cron(f"CRON_TZ={zone} {expression}"), ms(begin) - 1, list[int]()
    while (at_ms := cron.next_after_ms(at_ms) or 0) < ms(begin) + 10 * 3_600_000:
        found.append(at_ms)
    assert found == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "* * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "*/0 * * * *",
        "5-1 * * * *",
        "1,,2 * * * *",
        "*-5 * * * *",
        "0 0 31 2 *",
        "@daily",
        "CRON_TZ=../../etc/passwd * * * * *",
        "CRON_TZ=America * * * * *",
        "CRON_TZ=\x00 * * * * *",
        "٣ * * * *",
        "*," * 400 + "* * * * *",
    ],
)
def test_bad_expressions_are_refused(text: str) -> None:
    with pytest.raises(ApiError, match="Upstash-Cron") as refusal:
        parse_cron(text)
    assert refusal.value.status == 400


@given(
    st.sampled_from(["*/7 3-5 * * *", "0 0 1 */2 *", "CRON_TZ=America/New_York 15 1,2,3 * * *", "59 23 * * 0"]),
    st.integers(0, 4_000_000_000_000),
)
def test_next_run_is_later_and_on_a_whole_minute(expression: str, after_ms: int) -> None:
    """From any time on, also around clock changes; and asking again from just before gives the same."""
    next_ms = parse_cron(expression).next_after_ms(after_ms)
    assert next_ms is not None
    assert next_ms > after_ms
    assert next_ms % 60_000 == 0
    assert parse_cron(expression).next_after_ms(next_ms - 1) == next_ms
