"""Counters of tools, from counts alone."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton.engine.all_jobs.tool_use import ToolCounters, ToolUse, counters


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
    """Both percentiles, by nearest rank."""
    (found,) = counters(counted(*(ToolUse("a", False, duration) for duration in durations)))
    for share, read in ((0.5, found.p50_ms), (0.95, found.p95_ms)):
        real = sorted(durations)[math.ceil(share * len(durations)) - 1]
        assert abs(read - real) <= 0.1 * real + 0.5


def test_a_tool_has_some_hundred_counts_at_most() -> None:
    assert len({ToolUse("a", False, duration).count for duration in range(0, 86_400_000, 997)}) <= 120
