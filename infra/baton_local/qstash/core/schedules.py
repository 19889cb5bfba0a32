"""Schedules: a publish that repeats by cron (qstash.md 17).

Invariant: a schedule keeps the headers and body of its creation and produces each message through the ordinary
publish; ticks missed while the server was down are not made up for.
"""

import math
from dataclasses import dataclass, field

from baton_local.qstash.core.cron import parse_cron
from baton_local.qstash.core.headers import HeaderMap
from baton_local.qstash.core.options import Options

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
    """When the schedule runs next.

    With a time scale the schedule lives on a clock of its own that starts at its creation and runs faster; counting
    from there, and not from the last run, keeps ticks from being computed twice.
    """
    own_ms = schedule.created_at_ms + int((now_ms - schedule.created_at_ms) * time_scale)
    next_own_ms = parse_cron(schedule.cron).next_after_ms(own_ms)
    if next_own_ms is None:
        return None
    return now_ms + max(1, math.ceil((next_own_ms - own_ms) / time_scale))
