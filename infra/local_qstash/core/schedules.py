"""Schedules: a publish that repeats by cron (qstash.md 17).

Invariant: a schedule keeps the headers and body of its creation and produces each message through the ordinary
publish; ticks missed while the server was down are not made up for.
"""

from dataclasses import dataclass, field

from infra.local_qstash.core.headers import HeaderMap
from infra.local_qstash.core.options import Options


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
