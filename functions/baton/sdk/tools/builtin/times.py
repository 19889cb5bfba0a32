"""Date and time: now, the time between two times, and a time some days or hours later.

Invariant: "now" is the start of the attempt, from its context; nothing here reads a clock. Days, weeks and months are
counted on the calendar of the time zone, hours and less in elapsed time, so that "tomorrow, same time" holds over a
change to summer time.
"""

import calendar
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated, Any

from pydantic import Field

from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.tool import tool
from baton.sdk.tools.tool_error import ToolError
from baton_events.timestamps import zone_of

_MONTHS_IN_YEAR = 12
_MAX_TIME_CHARS = 64

ZoneName = Annotated[str, Field(min_length=1, max_length=64)]
TimeText = Annotated[str, Field(min_length=8, max_length=_MAX_TIME_CHARS)]
Amount = Annotated[float, Field(ge=-10_000_000, le=10_000_000)]
WholeAmount = Annotated[int, Field(ge=-100_000, le=100_000)]


@tool(capabilities={"time"}, retries=0, timeout_seconds=10)
async def now(context: ToolContext, time_zone: ZoneName = "UTC") -> dict[str, Any]:
    """Return the present date and time, with weekday.

    Args:
        context: the call, for the time of its attempt.
        time_zone: an IANA name such as "Europe/Vienna" or "America/New_York".
    """
    return _shown(datetime.fromtimestamp(context.started_at_ms / 1000, UTC).astimezone(_zone(time_zone)))


@tool(capabilities={"time"}, retries=0, timeout_seconds=10)
async def time_between(start: TimeText, end: TimeText, time_zone: ZoneName = "UTC") -> dict[str, Any]:
    """Return how much time passes from start to end; negative where end is earlier.

    Args:
        start: a date or time such as "2026-03-29" or "2026-03-29T08:30:00+02:00".
        end: the same.
        time_zone: of those without an offset.
    """
    first, last = _read(start, time_zone), _read(end, time_zone)
    # Through UTC: the difference of two times in one zone is that of their wall clocks.
    seconds = (last.astimezone(UTC) - first.astimezone(UTC)).total_seconds()
    return {
        "seconds": seconds,
        "minutes": seconds / 60,
        "hours": seconds / 3_600,
        "days": seconds / 86_400,
        "calendarDays": (last.date() - first.date()).days,
    }


@tool(capabilities={"time"}, retries=0, timeout_seconds=10)
async def time_after(
    time: TimeText,
    months: WholeAmount = 0,
    days: WholeAmount = 0,
    hours: Amount = 0,
    minutes: Amount = 0,
    seconds: Amount = 0,
    time_zone: ZoneName = "UTC",
) -> dict[str, Any]:
    """Return the date and time that comes so much later; negative amounts go back.

    Args:
        time: a date or time such as "2026-03-29" or "2026-03-29T08:30:00+02:00".
        months: calendar months; the 31st becomes the last day of a shorter month.
        days: calendar days, at the same hour even where the clock is changed in between.
        hours: elapsed hours.
        minutes: elapsed minutes.
        seconds: elapsed seconds.
        time_zone: for the calendar and the answer, and of a time without an offset.
    """
    zone = _zone(time_zone)
    try:
        day = _months_after(_read(time, time_zone).astimezone(zone), months) + timedelta(days=days)
        # Through UTC: a sum of a time with a zone is one of its wall clock.
        elapsed = day.astimezone(UTC) + timedelta(hours=hours, minutes=minutes, seconds=seconds)
        return _shown(elapsed.astimezone(zone))
    except (OverflowError, ValueError) as error:
        raise ToolError(f"no date is that far from {time!r}: years go from 1 to 9999", type="NotComputable") from error


def _zone(name: str) -> tzinfo:
    try:
        return zone_of(name)
    except ValueError as error:
        raise ToolError(str(error), type="UnknownTimeZone") from error


def _read(text: str, time_zone: str) -> datetime:
    zone = _zone(time_zone)
    try:
        read = datetime.fromisoformat(text.strip())
        return read if read.tzinfo else read.replace(tzinfo=zone)
    except ValueError as error:
        message = f"{text!r} is not a date or time; write it as 2026-03-29 or 2026-03-29T08:30:00+02:00"
        raise ToolError(message, type="NotATime") from error


def _months_after(time: datetime, months: int) -> datetime:
    year, month = divmod(time.year * _MONTHS_IN_YEAR + time.month - 1 + months, _MONTHS_IN_YEAR)
    month += 1
    # Checked first: the calendar has no year 0.
    first = time.replace(year=year, month=month, day=1)
    return first.replace(day=min(time.day, calendar.monthrange(year, month)[1]))


def _shown(time: datetime) -> dict[str, Any]:
    return {
        "time": time.isoformat(timespec="seconds"),
        "weekday": f"{time:%A}",
        "timeZone": str(time.tzinfo),
        "unixSeconds": int(time.timestamp()),
    }
