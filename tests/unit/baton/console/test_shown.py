"""How values look."""

import pytest

from baton.console import shown


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "now"), (59, "59 s ago"), (61, "1 min ago"), (7300, "2 h ago"), (200_000, "2 d ago"), (-90, "in 1 min")],
)
def test_times_are_reported_from_now(seconds: int, text: str) -> None:
    """In the largest whole unit."""
    assert shown.ago(1_000_000_000, 1_000_000_000 + seconds * 1000) == text


@pytest.mark.parametrize(
    ("duration_ms", "text"), [(7, "7 ms"), (3_249, "3.2 s"), (312_000, "5 min 12 s"), (7_500_000, "2 h 5 min")]
)
def test_durations_have_two_counters(duration_ms: int, text: str) -> None:
    """Never more precise than useful."""
    assert shown.lasted(duration_ms) == text


@pytest.mark.parametrize(("value", "text"), [(0, "$0"), (0.00012, "$0.00012"), (1.256, "$1.26"), (1e-8, "<$0.000001")])
def test_money_keeps_what_is_small(value: float, text: str) -> None:
    """A model call often costs less than a cent."""
    assert shown.usd(value) == text


def test_a_time_on_the_wire_is_read_to_the_millisecond() -> None:
    """There and back."""
    assert shown.exact(shown.ms("2026-11-20T09:03:25.120Z")) == "2026-11-20T09:03:25.120Z"
