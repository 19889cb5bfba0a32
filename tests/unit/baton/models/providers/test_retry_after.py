"""How long a provider asks to wait."""

import pytest

from baton.models.providers.errors import duration_seconds, retry_after_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("6m0s", 360), ("120ms", 0.12), ("1h2m3.5s", 3723.5), ("1s", 1), ("2d", 172_800), ("0s", 0)],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    """As OpenAI writes it."""
    assert duration_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "7", "s", "1x", "1s ", "-1s", "soon"])
def test_what_is_no_duration_is_none(text: str) -> None:
    """Rather than a part of it."""
    assert duration_seconds(text) is None


def test_a_fraction_of_seconds_is_read() -> None:
    """RFC 9110 has none, providers do."""
    assert retry_after_seconds({"retry-after": "0.5"}) == 0.5


def test_only_a_limit_that_is_used_up_counts() -> None:
    """The other one is reset as well, all the time."""
    headers = {
        "x-ratelimit-remaining-requests": "12",
        "x-ratelimit-reset-requests": "1h",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "2s",
    }
    assert retry_after_seconds(headers) == 2
    assert retry_after_seconds(headers | {"x-ratelimit-remaining-requests": "0"}) == 3_600
    assert retry_after_seconds(headers | {"x-ratelimit-remaining-tokens": "1"}) is None


def test_no_text_is_none() -> None:
    """Nor anything that cannot be read."""
    assert retry_after_seconds({}) is None
    assert retry_after_seconds({"retry-after": "soon", "x-ratelimit-remaining-tokens": "0"}) is None
