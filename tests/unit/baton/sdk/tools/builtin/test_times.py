"""Date and time tools, at a fixed time."""

from typing import Any

import pytest

from baton.sdk.tools.builtin.times import now, time_after, time_between
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.tool import Tool
from baton.sdk.tools.tool_error import ToolError

NEW_YEAR_MS = 1_767_225_600_000


async def run(tool: Tool, **arguments: Any) -> Any:
    return await tool.run(arguments, ToolContext.for_test(started_at_ms=NEW_YEAR_MS))


async def test_now_is_when_the_attempt_began() -> None:
    assert await run(now) == {
        "time": "2026-01-01T00:00:00+00:00",
        "weekday": "Thursday",
        "timeZone": "UTC",
        "unixSeconds": NEW_YEAR_MS // 1000,
    }
    assert (await run(now, time_zone="America/New_York"))["time"] == "2025-12-31T19:00:00-05:00"


async def test_a_day_later_is_the_same_hour_though_the_clock_was_changed() -> None:
    before = "2026-03-28T08:30:00"
    by_day = await run(time_after, time=before, days=1, time_zone="Europe/Vienna")
    by_hour = await run(time_after, time=before, hours=24, time_zone="Europe/Vienna")
    assert by_day["time"] == "2026-03-29T08:30:00+02:00"
    assert by_hour["time"] == "2026-03-29T09:30:00+02:00"


@pytest.mark.parametrize(
    ("time", "months", "expected"),
    [
        ("2026-01-31", 1, "2026-02-28T00:00:00+00:00"),
        ("2024-02-29", 12, "2025-02-28T00:00:00+00:00"),
        ("2026-01-15", -1, "2025-12-15T00:00:00+00:00"),
        ("2026-12-01", 1, "2027-01-01T00:00:00+00:00"),
    ],
)
async def test_months_end_on_the_last_day_that_there_is(time: str, months: int, expected: str) -> None:
    assert (await run(time_after, time=time, months=months))["time"] == expected


async def test_the_time_between_two_times_counts_what_passed() -> None:
    spring = await run(time_between, start="2026-03-28", end="2026-03-30", time_zone="Europe/Vienna")
    assert (spring["hours"], spring["calendarDays"], spring["minutes"]) == (47, 2, 47 * 60)
    zones = await run(time_between, start="2026-01-01T12:00:00+01:00", end="2026-01-01T11:00:00Z")
    assert zones["seconds"] == 0
    assert (await run(time_between, start="2026-01-02", end="2026-01-01"))["days"] == -1


@pytest.mark.parametrize("name", ["Mars/Base", "../../etc/passwd", "/etc/localtime", "a\0b", "localtime", "right/UTC"])
async def test_an_unknown_zone_is_named(name: str) -> None:
    with pytest.raises(ToolError, match="Europe/Berlin") as caught:
        await run(now, time_zone=name)
    assert (caught.value.type, caught.value.retryable) == ("UnknownTimeZone", False)


@pytest.mark.parametrize(
    ("time", "amount"), [("0001-01-01", {"months": -100_000}), ("9999-12-01", {"hours": 10_000_000})]
)
async def test_a_date_beyond_the_calendar_is_refused(time: str, amount: dict[str, Any]) -> None:
    """Not a crash of the tool; nor is what is no time."""
    with pytest.raises(ToolError, match="years go from 1 to 9999"):
        await run(time_after, time=time, **amount)
    with pytest.raises(ToolError, match="2026-03-29"):
        await run(time_between, start="tomorrow", end="2026-01-01")
