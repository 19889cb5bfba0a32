"""Schedules: a publish that repeats by a cron expression, with minutes as resolution (qstash.md 17).

Pure: the next run is computed from a given time. Local times that a clock change skips are skipped. Where it repeats an
hour, an interval goes on (`*/30`, a range, every hour), and a fixed time runs once, as with Debian's cron. Both day
fields restricted means that either may match, as in classic cron. Invariant: a schedule keeps the headers and body of
its creation and produces each message through the ordinary publish; ticks missed while the server was down are not made
up for.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from baton_local.qstash.core.answer import bad_request
from baton_local.qstash.core.headers import HeaderMap
from baton_local.qstash.core.options import Options

_ZONE = re.compile(r"(?:CRON_TZ|TZ)=(\S+)\s+(.*)")
_PART = re.compile(r"(\*|\?|[0-9a-z]+)(?:-([0-9a-z]+))?(?:/([0-9]{1,4}))?")
_INTERVAL = re.compile(r"[*?/-]")
_HOURS = 24
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
_DAYS = {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 7, _DAYS),
)
_LOOK_AHEAD_DAYS = 366 * 9  # eight years may pass between two 29ths of February
_MAX_LENGTH = 500
_LARGEST_CLOCK_CHANGE = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Cron:
    zone: tzinfo
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday
    either_day: bool
    is_interval: bool  # it runs each time that the clock shows its times, also where a clock change repeats them

    def next_after_ms(self, after_ms: int) -> int | None:
        """Return the first run after this time in Unix milliseconds; None if there is none within nine years."""
        local_now = datetime.fromtimestamp(after_ms / 1_000, self.zone).replace(tzinfo=None)
        start = local_now - _LARGEST_CLOCK_CHANGE
        for offset in range(_LOOK_AHEAD_DAYS):
            day = start.date() + timedelta(days=offset)
            if self._runs_on(day) and (at_ms := self._first_of(day, start, after_ms)) is not None:
                return at_ms
        return None

    def _first_of(self, day: date, start: datetime, after_ms: int) -> int | None:
        """Return a day's first run after a time; a later local time is an earlier moment behind a clock change only."""
        found: int | None = None
        latest: datetime | None = None
        for local in self._times(day):
            if latest is not None and local > latest:
                break
            later = [at_ms for at_ms in self._unix_ms(local) if at_ms > after_ms] if local >= start else []
            if later:
                found = min(later if found is None else (found, *later))
                latest = latest or local + _LARGEST_CLOCK_CHANGE
        return found

    def _runs_on(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        by_day, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return (by_day or by_weekday) if self.either_day else (by_day and by_weekday)

    def _times(self, day: date) -> Iterator[datetime]:
        for hour in self.hours:
            for minute in self.minutes:
                yield datetime.combine(day, time(hour, minute))

    def _unix_ms(self, local: datetime) -> Iterator[int]:
        """Return the moments of a local time: none if the clock skips it, the first alone for a fixed time."""
        for fold in (0, 1) if self.is_interval else (0,):
            moment = local.replace(tzinfo=self.zone, fold=fold).astimezone(UTC)
            if moment.astimezone(self.zone).replace(tzinfo=None) == local:
                yield int(moment.timestamp()) * 1_000


@lru_cache(maxsize=1_024)
def parse_cron(text: str) -> Cron:
    """Return the expression as a record; 400 naming what is wrong."""
    try:
        return _parse(text)
    except ValueError as error:
        raise bad_request(
            f"Upstash-Cron: {text[:80]!r} is not a cron expression ({error}); write five fields like '*/5 * * * *', "
            "with 'CRON_TZ=Europe/Paris ' before them for another time zone than UTC"
        ) from error


def _parse(text: str) -> Cron:
    if len(text) > _MAX_LENGTH:
        raise ValueError(f"longer than {_MAX_LENGTH} characters")
    zoned = _ZONE.fullmatch(text.strip())
    zone, expression = (_zone(zoned[1]), zoned[2]) if zoned else (UTC, text.strip())
    parts = expression.lower().split()
    if len(parts) != len(_FIELDS):
        raise ValueError(f"{len(parts)} fields instead of 5")
    minutes, hours, days, months, weekdays = (_values(part, *field) for part, field in zip(parts, _FIELDS, strict=True))
    cron = Cron(
        zone,
        tuple(sorted(minutes)),
        tuple(sorted(hours)),
        days,
        months,
        frozenset(day % 7 for day in weekdays),
        either_day=not parts[2].startswith(("*", "?")) and not parts[4].startswith(("*", "?")),
        is_interval=_INTERVAL.search(" ".join(parts[:2])) is not None or len(hours) == _HOURS,
    )
    if cron.next_after_ms(0) is None:
        raise ValueError("no such day exists")
    return cron


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:
        raise ValueError(f"unknown time zone {name[:60]!r}") from error


def _values(text: str, field: str, low: int, high: int, names: dict[str, int]) -> frozenset[int]:
    values: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"{field} {part[:20]!r}")
        first, last, step = match.groups()
        if first in {"*", "?"}:
            if last:
                raise ValueError(f"{field} {part[:20]!r}")
            start, end = low, high
        else:
            start = _value(first, field, low, high, names)
            single = start if step is None else high  # `5/10` means from 5 on
            end = single if last is None else _value(last, field, low, high, names)
        if start > end or step == "0" * len(step or "x"):
            raise ValueError(f"{field} {part[:20]!r}")
        values.update(range(start, end + 1, int(step or 1)))
    return frozenset(values)


def _value(text: str, field: str, low: int, high: int, names: dict[str, int]) -> int:
    value = names.get(text, int(text) if text.isascii() and text.isdigit() and len(text) <= 2 else -1)  # noqa: PLR2004 - no field has three digits
    if not low <= value <= high:
        raise ValueError(f"{field} {text[:20]!r} is not between {low} and {high}")
    return value


SCHEDULE_DUE = "schedule"


@dataclass(frozen=True, slots=True)
class Schedule:
    """One schedule; `headers` are the caller's own (lower-case names), `options` what they say."""

    id: str
    cron: str
    destination: str
    headers: HeaderMap
    options: Options
    created_at_ms: int
    body: bytes | None = None
    caller_ip: str | None = None
    queue: str | None = None
    paused: bool = False
    next_at_ms: int | None = None
    last_at_ms: int | None = None
    last_states: dict[str, str] = field(default_factory=dict)
    error: str | None = None


def next_run_ms(schedule: Schedule, now_ms: int, time_scale: float) -> int | None:
    """Return when the schedule runs next.

    With a time scale the schedule lives on a clock of its own that starts at its creation and runs faster; counting
    from there, and not from the last run, keeps ticks from being computed twice.
    """
    own_ms = schedule.created_at_ms + int((now_ms - schedule.created_at_ms) * time_scale)
    next_own_ms = parse_cron(schedule.cron).next_after_ms(own_ms)
    if next_own_ms is None:
        return None
    return now_ms + max(1, math.ceil((next_own_ms - own_ms) / time_scale))
