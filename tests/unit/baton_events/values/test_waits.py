"""Waits that others name: each form is read, each is bounded, and nothing that anybody gives is raised."""

from datetime import timedelta
from decimal import Decimal
from email.utils import formatdate
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton_events.values.waits import LONGEST_WAIT_SECONDS, requested_wait_seconds, wait_in_words, wait_seconds

NOW_MS = 1_795_165_405_120
HOUR = LONGEST_WAIT_SECONDS


class Broken:
    """A number that fails."""

    def __float__(self) -> float:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("named", "seconds"),
    [
        (30, 30),
        (0.5, 0.5),
        ("20.5", 20.5),
        ("6m0s", 360),
        (timedelta(seconds=7), 7),
        (Decimal("2.5"), 2.5),
        (Fraction(1, 2), 0.5),
        (3e9, HOUR),
        (float("inf"), None),
        (timedelta.max, HOUR),
        ("inf", None),
        ("9" * 90, HOUR),
        (-1, 0),
        (float("-inf"), None),
        ("-5", 0),
        (float("nan"), None),
        (Decimal("nan"), None),
        (None, None),
        (True, None),
        ("soon", None),
        ("nan", None),
        ("", None),
        ("9" * 5000, None),
        (b"30", None),
        ([30], None),
        (1j, None),
        (Broken(), None),
    ],
)
def test_any_value_names_a_bounded_wait_or_none(named: Any, seconds: float | None) -> None:
    assert wait_seconds(named) == seconds


def test_a_number_without_a_float_is_bounded() -> None:
    assert [wait_seconds(named) for named in (10**5000, -(10**5000), Fraction(10**400))] == [HOUR, 0, HOUR]


def test_a_number_has_its_unit() -> None:
    assert [wait_seconds(named, 0.001) for named in (1_500, "1500", 10**400, "2s")] == [1.5, 1.5, HOUR, 2]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("6m0s", 360), ("120ms", 0.12), ("1h2m3.5s", 3_600), ("59m3.5s", 3_543.5), ("2d", 3_600), ("0s", 0)]
    + [(text, None) for text in ("", "s", "1x", "1s ", "-1s", "1s" * 100)],
)
def test_a_duration_is_read_whole_or_not_at_all(text: str, seconds: float | None) -> None:
    assert wait_seconds(text) == (seconds if seconds is None else pytest.approx(seconds))


def date(seconds: float) -> str:
    return formatdate(NOW_MS / 1000 + seconds, usegmt=True)


USED_UP = {
    "x-ratelimit-remaining-requests": "12",
    "x-ratelimit-reset-requests": "50m",
    "x-ratelimit-remaining-tokens": "0",
    "x-ratelimit-reset-tokens": "2s",
}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "20"}, 20),
        ({"retry-after": " 20 "}, 20),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "1m30s"}, 90),
        ({"retry-after": date(20)}, 20),
        ({"retry-after": date(20).removesuffix(" GMT")}, 20),
        ({"retry-after": "2026-11-20T09:03:45.120Z"}, 20),
        ({"retry-after": str(NOW_MS // 1000 + 21)}, 21),
        ({"retry-after": str(NOW_MS + 20_000)}, 20),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "2"}, 2),
        ({"retry-after": date(20), **USED_UP}, 20),
        ({"retry-after": date(-20)}, 0),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": date(1e8)}, HOUR),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e400"}, HOUR),
        ({"retry-after": "3000000000000000000"}, HOUR),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 -2359"}, HOUR),
        ({"retry-after": "Fri, 99 Foo 2026"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon", "x-ratelimit-remaining-tokens": "0"}, None),
        ({}, None),
        (USED_UP, 2),
        (USED_UP | {"x-ratelimit-remaining-requests": "0"}, 3_000),
        (USED_UP | {"x-ratelimit-remaining-tokens": "1"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(NOW_MS // 1000 + 31)}, 31),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "40"}, 40),
        (
            {
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2026-11-20T09:04:25.120Z",
            },
            60,
        ),
    ],
)
def test_every_form_of_a_header_is_read(headers: dict[str, str], seconds: float | None) -> None:
    found = requested_wait_seconds(headers, NOW_MS)
    assert found == (None if seconds is None else pytest.approx(seconds, abs=1))


NAMES = ("retry-after", "retry-after-ms", "x-ratelimit-reset-tokens", "x-ratelimit-remaining-tokens")


@given(st.dictionaries(st.sampled_from(NAMES), st.text() | st.floats().map(str) | st.integers().map(str)))
def test_no_header_raises_or_names_an_unbounded_wait(headers: dict[str, str]) -> None:
    found = requested_wait_seconds(headers, NOW_MS)
    assert found is None or 0 <= found <= HOUR


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.timedeltas())
def test_no_value_raises_or_names_an_unbounded_wait(named: object) -> None:
    found = wait_seconds(named)
    assert found is None or 0 <= found <= HOUR


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Please try again in 7.66s. Visit", 7.66),
        ("Rate limit. Please try again in 6m0s.", 360),
        ("try again in 20ms", 0.02),
        ("Retry after 26 seconds.", 26),
        ("retry in 1 minute and 20 seconds", 80),
        ("retry in 1 hour, 2 mins", 3_600),
        ("Please retry in 3 milliseconds", 0.003),
        ("try again in 5 sec", 5),
        ("try again in 2 days", 3_600),
        ("try again in a moment", None),
        ("try again in 5 apples", None),
        ("try again later, in 5 s", None),
        ("", None),
        ("x" * 5_000 + " try again in 5s", None),
        ("try again in " + "9" * 400 + "s", None),
        ("try again in " + "9" * 90 + "s", 3_600),
    ],
)
def test_a_wait_in_words(text: str, seconds: float | None) -> None:
    assert wait_in_words(text) == (None if seconds is None else pytest.approx(seconds))
