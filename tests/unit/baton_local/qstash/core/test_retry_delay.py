import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton_local.qstash.core.limits import parse_duration_ms, parse_fine_duration_ms
from baton_local.qstash.core.retry_delay import (
    ONE_DAY_MS,
    check_retry_delay,
    default_delay_ms,
    next_delay_ms,
    retry_delay_ms,
)
from baton_local.stand_in.api_error import ApiError

NOW_MS = 1_700_000_000_000  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.mark.parametrize(
    ("text", "seconds"), [("50s", 50), ("10m", 600), ("1d10h30m", 124_200), ("1h30m3s", 5_403), ("0s", 0)]
)
def test_duration_is_a_sum_of_parts(text: str, seconds: int) -> None:
    assert parse_duration_ms(text, "Upstash-Delay") == seconds * 1_000


@pytest.mark.parametrize("text", ["", "10", "s", "-5s", "1.5s", "5 s", "5w", "5S", "٣s", "9" * 5_000 + "s", "1s" * 100])
def test_other_text_is_refused_naming_the_field(text: str) -> None:
    with pytest.raises(ApiError, match="Upstash-Delay") as refusal:
        parse_duration_ms(text, "Upstash-Delay")
    assert refusal.value.status == 400


@pytest.mark.parametrize(
    ("text", "milliseconds"), [("6m5s", 365_000), ("1.5s", 1_500), ("20ms", 20), ("5µs", 0.005), ("7ns", 0.000007)]
)
def test_destination_may_use_fine_units_and_fractions(text: str, milliseconds: float) -> None:
    assert parse_fine_duration_ms(text) == pytest.approx(milliseconds)


@pytest.mark.parametrize(
    ("value", "delay_ms"),
    [
        ("0", 0),
        ("120", 120_000),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30_000),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0),
        ("6m5s", 365_000),
    ],
)
def test_retry_after_beats_the_expression(value: str, delay_ms: int) -> None:
    """Seconds, a date or a duration from the destination decide."""
    assert next_delay_ms("99000", 0, {"Retry-After": [value]}, NOW_MS) == delay_ms


@pytest.mark.parametrize(
    "value", ["86401", "25h", "1d", "Fri, 14 Nov 2025 22:13:50 GMT", "soon", "", "1700000000", "9" * 5_000]
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


def test_without_headers_the_expression_counts_from_zero_or_the_documented_backoff_holds() -> None:
    """12 s, 2 m 28 s, 30 m 8 s, 6 h 7 m 6 s, then a day."""
    assert [next_delay_ms("1000 * retried", retried, {}, NOW_MS) for retried in (0, 1, 2)] == [0, 1_000, 2_000]
    waits_seconds = [default_delay_ms(retry) // 1_000 for retry in range(1, 7)]
    assert waits_seconds == [12, 148, 1_808, 22_026, 86_400, 86_400]
    assert next_delay_ms(None, 0, {}, NOW_MS) == 12_000
    assert default_delay_ms(10**6) == 86_400_000


@pytest.mark.parametrize(
    ("text", "retried", "delay_ms"),
    [
        ("1000 * retried", 0, 0),
        ("1000 * (1 + retried)", 2, 3_000),
        ("pow(2, retried) * 1000", 3, 8_000),
        ("min(86400000, exp(2.5 * retried) * 1000)", 1, 12_182),
        ("max(1, 2) + abs(-3) + sqrt(16)", 0, 9),
        ("floor(1.9) + ceil(1.1) + round(2.5)", 0, 6),
        ("7 % 4 - 1", 0, 2),
        ("2 ^ 3 ^ 2", 0, 512),
        ("-2 ^ 2 + 10", 0, 6),
        ("10 - 2 - 3", 0, 5),
        (".5 * 10", 0, 5),
    ],
)
def test_expression_gives_milliseconds(text: str, retried: int, delay_ms: int) -> None:
    """The documented operators and functions compute as in mathematics."""
    assert retry_delay_ms(check_retry_delay(text, "f"), retried) == delay_ms


@pytest.mark.parametrize(
    "text", ["-5", "0 / 0", "sqrt(-1)", "pow(-8, 0.5)", "5 % 0", "exp(9999) - exp(9999)", "-1 / 0", "floor(0 / 0)"]
)
def test_negative_or_undefined_is_no_delay(text: str) -> None:
    assert retry_delay_ms(check_retry_delay(text, "f"), 0) == 0


@pytest.mark.parametrize("text", ["1 / 0", "exp(9999)", "pow(10, 400)", "floor(exp(9999))", "9" * 400])
def test_delay_is_capped_at_a_day(text: str) -> None:
    assert retry_delay_ms(check_retry_delay(text, "f"), 0) == ONE_DAY_MS


@pytest.mark.parametrize(
    "text",
    [
        "",
        "__import__('os')",
        "1 +",
        "(1",
        "1)",
        "pow(1)",
        "sqrt()",
        "1 2",
        "1e5",
        "1;2",
        "(" * 400,
        "-" * 450 + "1",
        "retried.real",
    ],
)
def test_invalid_text_is_refused_at_publish(text: str) -> None:
    """A bad expression is a 400 that names the header, also when nested beyond reason."""
    with pytest.raises(ApiError, match="Upstash-Retry-Delay") as refusal:
        check_retry_delay(text, "Upstash-Retry-Delay")
    assert refusal.value.status == 400


_ATOMS = st.one_of(st.just("retried"), st.floats(0, 1e9).map(lambda number: f"{number:.3f}"))
_EXPRESSIONS = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/%^"), inner).map(lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"),
        st.tuples(st.sampled_from(["sqrt", "abs", "exp", "floor", "ceil", "round"]), inner).map(
            lambda parts: f"{parts[0]}({parts[1]})"
        ),
        inner.map(lambda text: f"-{text}"),
    ),
    max_leaves=8,
)


@given(_EXPRESSIONS, st.integers(0, 1_000))
def test_evaluation_never_raises_and_stays_in_bounds(text: str, retried: int) -> None:
    """Whatever is accepted evaluates to something between 0 and a day."""
    delay_ms = retry_delay_ms(check_retry_delay(text, "f"), retried)
    assert 0 <= delay_ms <= ONE_DAY_MS
    assert not math.isnan(delay_ms)


@given(st.text(max_size=60))
def test_any_text_is_accepted_or_refused(text: str) -> None:
    try:
        check_retry_delay(text, "f")
    except ApiError as refusal:
        assert refusal.status == 400  # noqa: PT017 - either outcome is fine, no other exception is
