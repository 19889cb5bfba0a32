"""How long to wait before the next attempt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton.engine.attempts import MAX_DELAY_MS, backoff_ms


@pytest.mark.parametrize(("attempt", "expected_ms"), [(1, 1_000), (2, 2_000), (3, 4_000), (11, 1_024_000)])
def test_each_attempt_waits_twice_as_long(attempt: int, expected_ms: int) -> None:
    assert backoff_ms(1.0, attempt) == expected_ms


def test_what_the_other_side_requested_is_respected_when_it_is_longer() -> None:
    assert backoff_ms(2.0, 1, 30) == 30_000
    assert backoff_ms(2.0, 1, 0.5) == 2_000
    assert backoff_ms(2.0, 1, None) == 2_000


@given(
    st.floats(0, 1e9),
    st.integers(1, 10_000),
    st.none() | st.floats(allow_nan=True, allow_infinity=True),
)
def test_a_delay_is_never_negative_and_never_more_than_an_hour(
    base_seconds: float, attempt: int, requested_seconds: float | None
) -> None:
    """Whatever a provider asks for, and however often it was tried."""
    assert 0 <= backoff_ms(base_seconds, attempt, requested_seconds) <= MAX_DELAY_MS
