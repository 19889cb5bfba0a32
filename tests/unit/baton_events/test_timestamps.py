"""Times on the wire."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton_events.timestamps import milliseconds, moment, rfc3339


def test_a_time_is_shown_in_utc_with_milliseconds() -> None:
    assert rfc3339(1_795_165_405_120) == "2026-11-20T09:03:25.120Z"
    assert rfc3339(0) == "1970-01-01T00:00:00.000Z"
    assert rfc3339(1_795_165_405_007).endswith("25.007Z")


@pytest.mark.parametrize("hours", [-12, 0, 2, 14])
def test_the_zone_of_a_moment_does_not_matter(hours: int) -> None:
    at = datetime(2026, 11, 20, 9, 3, 25, 120_000, tzinfo=UTC)
    assert milliseconds(at.astimezone(timezone(timedelta(hours=hours)))) == 1_795_165_405_120


@given(st.integers(0, 4_102_444_800_000))
def test_a_time_comes_back_exactly(at_ms: int) -> None:
    assert milliseconds(moment(at_ms)) == at_ms
    assert milliseconds(datetime.fromisoformat(rfc3339(at_ms))) == at_ms
