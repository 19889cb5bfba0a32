"""What ended jobs add up to."""

import pytest
from msgspec.structs import replace

from baton.engine.all_jobs.ends import DURATION_BOUNDS_SECONDS, LAST_UPDATE, AgentCounters, end_of, with_end
from baton.engine.state import Job, Usage
from baton.engine.transitions import JobStatus
from baton.sdk.limits import Used
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
    assert end.buckets == len(DURATION_BOUNDS_SECONDS) + 1


def test_a_job_that_never_began_took_no_time() -> None:
    assert end_of(ENDED).duration_ms == 0


@pytest.mark.parametrize(
    ("job_id", "status", "more"),
    [("j", JobStatus.COMPLETED, 0), ("j", JobStatus.FAILED, 2), ("j.aaaaaaaaaa", JobStatus.COMPLETED, -2)],
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
