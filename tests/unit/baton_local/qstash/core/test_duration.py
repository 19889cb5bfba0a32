import pytest

from baton_local.qstash.core.limits import parse_duration_ms, parse_fine_duration_ms
from baton_local.stand_in.api_error import ApiError


@pytest.mark.parametrize(
    ("text", "seconds"), [("50s", 50), ("10m", 600), ("1d10h30m", 124_200), ("1h30m3s", 5_403), ("0s", 0)]
)
def test_duration_is_a_sum_of_parts(text: str, seconds: int) -> None:
    assert parse_duration_ms(text, "Upstash-Delay") == seconds * 1_000


@pytest.mark.parametrize("text", ["", "10", "s", "-5s", "1.5s", "5 s", "5w", "5S", "٣s", "9" * 5_000 + "s", "1s" * 100])
def test_other_text_is_refused_naming_the_field(text: str) -> None:
    """Anything else is a 400 that says which header is wrong."""
    with pytest.raises(ApiError, match="Upstash-Delay") as refusal:
        parse_duration_ms(text, "Upstash-Delay")
    assert refusal.value.status == 400


@pytest.mark.parametrize(
    ("text", "milliseconds"), [("6m5s", 365_000), ("1.5s", 1_500), ("20ms", 20), ("5µs", 0.005), ("7ns", 0.000007)]
)
def test_destination_may_use_fine_units_and_fractions(text: str, milliseconds: float) -> None:
    assert parse_fine_duration_ms(text) == pytest.approx(milliseconds)


@pytest.mark.parametrize("text", ["5", "1d", "soon", ""])
def test_what_is_no_fine_duration_is_none(text: str) -> None:
    assert parse_fine_duration_ms(text) is None
