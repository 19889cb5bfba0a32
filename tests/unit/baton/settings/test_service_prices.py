"""What units cost, and where that is said."""

import pytest
from msgspec.structs import fields

from baton.settings.service_prices import LIST, Paid, Prices, cost_of
from baton.settings.settings import read_settings
from baton_events.errors import SettingsError


def test_each_price_is_in_the_list_with_its_source_and_date() -> None:
    assert [price.field for price in LIST] == [each.name for each in fields(Prices)]
    assert all(price.source.startswith("https://") and price.as_of for price in LIST)
    assert [getattr(Prices(), price.field) for price in LIST] == [price.usd for price in LIST]


def test_a_cost_is_units_times_prices() -> None:
    prices = Prices(message_usd=1, command_usd=2, redis_gb_usd=3, gb_second_usd=4, invocation_usd=5)
    paid = Paid(messages=10, deliveries=20, commands=30, size_bytes=2_000_000_000, mb_ms=1_024_000, model_usd=7)
    cost = cost_of(paid, prices)
    assert (cost.queue_usd, cost.redis_usd, cost.functions_usd, cost.model_usd) == (10, 66, 104, 7)
    assert cost.total_usd == 187


def test_a_setting_replaces_some_of_the_prices() -> None:
    prices = read_settings({"PRICES": '{"command_usd": 0.000001}'}).prices
    assert (prices.command_usd, prices.message_usd) == (0.000001, Prices().message_usd)


@pytest.mark.parametrize("text", ["nonsense", "[1]", '{"command": 1}', '{"command_usd": -1}'])
def test_what_is_no_price_stops_the_start(text: str) -> None:
    with pytest.raises(SettingsError, match="PRICES"):
        read_settings({"PRICES": text})
