"""Sums of ended jobs, agent by agent. Pure.

Invariant: each end is counted once, when the admission first learns that a job in its slot table is gone. A job that is
retried and ends again is counted again, unless it is cancelled before the admission learns of its retry. After a
failover, a job that has forgotten its end may be counted twice; one whose entry the admission has forgotten is not
counted. An update so late that its job has left the slot table (minutes after its end) brings the entry back until the
next sweep, and may count the end again.
"""

import bisect
from collections.abc import Mapping

from msgspec import Struct, field

from baton.engine.state import Job, Usage
from baton.sdk.records.limits import Used, since
from baton_events.ids import is_child
from baton_events.timestamps import rfc3339

# Upper bounds of the histogram's buckets; one more bucket has all that took longer.
DURATION_BOUNDS_SECONDS = (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 21_600.0, 86_400.0)
_BUCKETS = len(DURATION_BOUNDS_SECONDS) + 1


# Amounts of a job's usage ledger that add up over jobs.
COUNTED = ("messages", "deliveries", "redis_requests", "redis_commands", "redis_bytes", "function_ms", "mb_ms")
# The cost of the slot request that reports the end, with the COMMIT after it (tests/e2e/test_ledger.py).
LAST_UPDATE = {"redis_requests": 2, "redis_commands": 10}
_UNKNOWN = Usage()


class End(Struct, frozen=True):
    """A job's end and the usage of this run: without the jobs below it, which are counted themselves.

    `status`: empty, if it is none (`late_end`). `duration_ms`: of this run; 0 for one that never began. `bucket`: of
    the histogram, from 0 on. `month`: of its end.
    `used`: its part of the tenant's usage, by name. `model`, `version`: of its agent at submission.
    """

    status: str
    duration_ms: int
    bucket: int
    input_tokens: int
    output_tokens: int
    micro_usd: int
    month: str = ""
    used: dict[str, int] = field(default_factory=dict[str, int])
    ended_ms: int = 0
    model: str = ""
    version: str = ""


class AgentCounters(Struct, frozen=True):
    """The sums of one agent's ended jobs. `durations`: how many ended in each bucket."""

    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    duration_ms: int = 0
    durations: tuple[int, ...] = (0,) * _BUCKETS
    input_tokens: int = 0
    output_tokens: int = 0
    micro_usd: int = 0


class MonthUsed(Struct, frozen=True):
    """The usage of a tenant's jobs that ended in a month (`2026-11`), by the names of `End.used`."""

    month: str
    tenant: str
    used: dict[str, int]


def end_of(job: Job, usage: Usage = _UNKNOWN) -> End:
    """Return what an ended job adds to the sums; `usage`: its usage ledger, where it is at hand."""
    ended_ms, duration_ms = job.finished_at_ms or 0, run_ms(job)
    used = since(job.used, job.before)
    return End(
        status=str(job.status),
        duration_ms=duration_ms,
        bucket=bisect.bisect_left(DURATION_BOUNDS_SECONDS, duration_ms / 1000),
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        micro_usd=round(used.cost_usd * 1_000_000),
        month=rfc3339(ended_ms)[:7],
        used={
            "jobs": 1,
            "input_tokens": used.input_tokens,
            "output_tokens": used.output_tokens,
            "micro_usd": round(used.cost_usd * 1_000_000),
            **_counts_since_retry(job, usage),
        },
        ended_ms=ended_ms,
        model=job.model.name,
        version=job.agent_version,
    )


def late_end(job: Job, spent: Used, now_ms: int) -> End:
    """Return what an answer adds to the sums that came after the end of its job, or of its run: no end."""
    ended_ms, micro_usd = job.finished_at_ms or now_ms, round(spent.cost_usd * 1_000_000)
    tokens = spent.input_tokens, spent.output_tokens, micro_usd
    used: dict[str, int] = {"input_tokens": tokens[0], "output_tokens": tokens[1], "micro_usd": micro_usd}
    return End("", 0, -1, *tokens, month=rfc3339(ended_ms)[:7], used=used, ended_ms=ended_ms, model=job.model.name)


def run_ms(job: Job) -> int:
    """Return how long the last run of an ended job took: from its first turn, or its retry, to its end."""
    ended_ms = job.finished_at_ms or 0
    return max(0, ended_ms - (job.counted_from_ms or job.started_at_ms or ended_ms))


def _counts_since_retry(job: Job, usage: Usage) -> dict[str, int]:
    counts = {name: getattr(usage, name) + LAST_UPDATE.get(name, 0) for name in COUNTED}
    # Rows in the lists: two commands, one for a job below another; a later run writes all three of them, and replaces
    # the text of the one before.
    counts["redis_commands"] += -1 if is_child(job.id) else 2 * (job.run > 1)
    return {name: much - usage.before.get(name, 0) for name, much in counts.items()}


def with_end(before: AgentCounters, end: End) -> AgentCounters:
    added = {
        end.status: 1,
        "duration_ms": end.duration_ms,
        "input_tokens": end.input_tokens,
        "output_tokens": end.output_tokens,
        "micro_usd": end.micro_usd,
    }
    names = (name for name in AgentCounters.__struct_fields__ if name != "durations")
    sums = {name: getattr(before, name) + added.get(name, 0) for name in names}
    durations = tuple(count + (bucket == end.bucket) for bucket, count in enumerate(before.durations))
    return AgentCounters(**sums, durations=durations)


def with_used(before: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    return {name: before.get(name, 0) + more.get(name, 0) for name in {**before, **more}}
