"""What ended jobs add up to, and tools, from counts alone."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from baton.engine.all_jobs.ends import LAST_UPDATE, AgentCounters, end_of, with_end
from baton.engine.all_jobs.tool_use import ToolCounters, ToolUse, counters
from baton.engine.state import Job, Usage
from baton.engine.transitions import JobStatus
from baton.sdk.records.limits import Used
from tests.unit.baton.engine.sample_state import NOW_MS

USED = Used(input_tokens=100, output_tokens=20, cost_usd=0.0025)
ENDED = Job("j", "s", "t", "a", NOW_MS, status=JobStatus.COMPLETED, used=USED, finished_at_ms=NOW_MS)


@pytest.mark.parametrize(
    ("duration_ms", "bucket"), [(0, 0), (1_000, 0), (1_001, 1), (86_400_000, 12), (86_400_001, 13)]
)
def test_a_duration_is_in_the_first_bucket_whose_bound_it_does_not_exceed(duration_ms: int, bucket: int) -> None:
    """As histograms of Prometheus have it; one more bucket has all that took longer."""
    end = end_of(replace(ENDED, started_at_ms=NOW_MS - duration_ms))
    assert (end.duration_ms, end.bucket) == (duration_ms, bucket)


def test_a_job_that_never_began_took_no_time() -> None:
    assert end_of(ENDED).duration_ms == 0


@pytest.mark.parametrize(
    ("job_id", "status", "more"),
    [("j", JobStatus.COMPLETED, 0), ("j", JobStatus.FAILED, 0), ("j.aaaaaaaaaa", JobStatus.COMPLETED, -1)],
)
def test_what_a_run_cost_is_what_came_since_its_retry_and_the_update_of_its_end(
    job_id: str, status: JobStatus, more: int
) -> None:
    usage = Usage(messages=9, redis_requests=30, redis_commands=100, before={"messages": 4, "redis_commands": 60})
    used = end_of(replace(ENDED, id=job_id, status=status), usage).used
    assert (used["messages"], used["deliveries"]) == (5, 0)
    assert used["redis_requests"] == 30 + LAST_UPDATE["redis_requests"]
    assert used["redis_commands"] == 40 + LAST_UPDATE["redis_commands"] + more


def test_ends_add_up() -> None:
    first = end_of(replace(ENDED, started_at_ms=NOW_MS - 2_000))
    sums = with_end(with_end(AgentCounters(), first), end_of(replace(ENDED, status=JobStatus.FAILED)))
    assert (sums.completed, sums.failed, sums.cancelled, sums.duration_ms) == (1, 1, 0, 2_000)
    assert (sums.input_tokens, sums.output_tokens, sums.micro_usd) == (200, 40, 5_000)
    assert sums.durations[:3] == (1, 1, 0)
    assert sum(sums.durations) == 2


def counted(*uses: ToolUse) -> dict[str, int]:
    return dict(Counter(use.count for use in uses))


def test_attempts_and_failures_are_counted_for_each_tool() -> None:
    uses = [ToolUse("b", False, 100), ToolUse("a", True, 0), ToolUse("a", False, 0), ToolUse("a", True, 0)]
    assert counters(counted(*uses)) == (ToolCounters("a", 3, 2, 0, 0), ToolCounters("b", 1, 0, 99, 99))
    assert counters({}) == ()


@pytest.mark.parametrize("name", ["a", "a:slow", "a:returned", "a:returned:x", "a:returned:-1", ""])
def test_counts_of_another_form_are_left_out(name: str) -> None:
    """A newer version may count more."""
    assert counters({name: 5, **counted(ToolUse("a", False, 1))}) == (ToolCounters("a", 1, 0, 1, 1),)


@given(st.lists(st.integers(0, 10_000_000), min_size=1, max_size=60))
def test_a_duration_is_read_within_ten_percent(durations: list[int]) -> None:
    (found,) = counters(counted(*(ToolUse("a", False, duration) for duration in durations)))
    for share, read in ((0.5, found.p50_ms), (0.95, found.p95_ms)):
        real = sorted(durations)[math.ceil(share * len(durations)) - 1]
        assert abs(read - real) <= 0.1 * real + 0.5


def test_a_tool_has_some_hundred_counts_at_most() -> None:
    assert len({ToolUse("a", False, duration).count for duration in range(0, 86_400_000, 997)}) <= 120
