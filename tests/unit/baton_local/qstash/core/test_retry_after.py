import pytest

from baton_local.qstash.core.retry_delay import default_delay_ms, next_delay_ms

NOW_MS = 1_700_000_000_000  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.mark.parametrize(
    ("value", "delay_ms"),
    [
        ("0", 0),
        ("120", 120_000),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30_000),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0),
        ("6m5s", 365_000),
        ("1.5s", 1_500),
        ("20ms", 20),
    ],
)
def test_retry_after_beats_the_expression(value: str, delay_ms: int) -> None:
    assert next_delay_ms("99000", 0, {"Retry-After": [value]}, NOW_MS) == delay_ms


@pytest.mark.parametrize(
    "value", ["86401", "25h", "Fri, 14 Nov 2025 22:13:50 GMT", "soon", "", "1700000000", "9" * 5_000]
)
def test_unusable_retry_after_is_ignored(value: str) -> None:
    """More than a day, or no time at all, leaves the decision to the next rule."""
    assert next_delay_ms("5000", 0, {"Retry-After": [value]}, NOW_MS) == 5_000


def test_first_present_header_wins() -> None:
    headers = {"X-Ratelimit-Reset-Tokens": ["7"], "X-Ratelimit-Reset": ["5"], "Retry-After": ["3"]}
    assert next_delay_ms(None, 0, headers, NOW_MS) == 3_000
    del headers["Retry-After"]
    assert next_delay_ms(None, 0, headers, NOW_MS) == 5_000
    del headers["X-Ratelimit-Reset"]
    assert next_delay_ms(None, 0, headers, NOW_MS) == 7_000


def test_expression_counts_from_zero() -> None:
    """`retried` is 0 for the first retry."""
    assert [next_delay_ms("1000 * retried", retried, {}, NOW_MS) for retried in (0, 1, 2)] == [0, 1_000, 2_000]


def test_default_backoff_is_the_documented_sequence() -> None:
    assert [default_delay_ms(retry) // 1_000 for retry in range(1, 8)] == [
        12,
        148,
        1_808,
        22_026,
        86_400,
        86_400,
        86_400,
    ]
    assert next_delay_ms(None, 0, {}, NOW_MS) == 12_000
    assert default_delay_ms(10**6) == 86_400_000
