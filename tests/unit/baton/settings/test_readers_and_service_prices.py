"""Settings that cannot work or cannot be read are refused at the start, all at once; what units cost."""

import pytest
from msgspec.structs import fields

from baton.settings.readers import hashed_keys
from baton.settings.service_prices import LIST, Paid, Prices, cost_of
from baton.settings.settings import read_settings
from baton_events.errors import SettingsError
from baton_events.setting import reference


def test_each_price_is_in_the_list_with_its_source_and_date() -> None:
    assert [price.field for price in LIST] == [each.name for each in fields(Prices)]
    assert all(price.source.startswith("https://") and price.as_of for price in LIST)
    assert [getattr(Prices(), price.field) for price in LIST] == [price.usd for price in LIST]


def test_a_cost_is_units_times_prices() -> None:
    prices = Prices(message_usd=1, command_usd=2, redis_gb_usd=3, gb_second_usd=4, invocation_usd=5)
    paid = Paid(messages=10, deliveries=20, commands=30, size_bytes=2_000_000_000, mb_ms=1_024_000, model_usd=7)
    cost = {"queueUsd": 10, "redisUsd": 66, "functionsUsd": 104, "modelUsd": 7, "totalUsd": 187}
    assert cost_of(paid, prices) == cost


def test_a_setting_replaces_some_of_the_prices() -> None:
    prices = read_settings({"PRICES": '{"command_usd": 0.000001}'}).prices
    assert (prices.command_usd, prices.message_usd) == (0.000001, Prices().message_usd)


@pytest.mark.parametrize("text", ["nonsense", "[1]", '{"command": 1}', '{"command_usd": -1}'])
def test_what_is_no_price_stops_the_start(text: str) -> None:
    with pytest.raises(SettingsError, match="PRICES"):
        read_settings({"PRICES": text})


ON_LAMBDA = {"AWS_LAMBDA_FUNCTION_NAME": "baton-prod-agentLoop"}


def test_work_that_outlives_its_function_is_refused_on_lambda_only() -> None:
    """It started, and each call that took longer was cut off by the function's end, again and again."""
    long = {"WORK_TIMEOUT_SECONDS": "231", "MESSAGE_TIMEOUT_SECONDS": "300"}
    assert read_settings(long).work_timeout_seconds == 231
    assert read_settings({**ON_LAMBDA, **long, "WORK_TIMEOUT_SECONDS": "230"}).work_timeout_seconds == 230
    with pytest.raises(SettingsError, match=r"WORK_TIMEOUT_SECONDS \(231\) must be at most 230 on Lambda"):
        read_settings({**ON_LAMBDA, **long})


def test_results_that_no_message_can_carry_are_refused() -> None:
    """An outcome from outside comes in an event, whose endpoint takes four megabytes.

    So a turn may read it: else a job whose one result is as large as it may be could never go on.
    """
    assert read_settings({"RESULT_LIMIT_BYTES": "4000000"}).result_limit_bytes == 4_000_000
    with pytest.raises(SettingsError, match=r"RESULT_LIMIT_BYTES \(8000000\) must be at most 4128768"):
        read_settings({"RESULT_LIMIT_BYTES": "8000000"})


def test_everything_that_cannot_work_is_listed_at_once() -> None:
    """What is not readable, what contradicts itself, and what the host does not allow."""
    with pytest.raises(SettingsError) as caught:
        read_settings(
            {
                **ON_LAMBDA,
                "WORK_TIMEOUT_SECONDS": "840",
                "RESULT_LIMIT_BYTES": "8000000",
                "UPSTASH_VECTOR_REST_TOKEN": "",
                "UPSTASH_VECTOR_REST_URL": "https://vector.example.com",
                "SWEEP_INTERVAL_SECONDS": "0",
            }
        )
    listed = [line.split()[1].split(":")[0] for line in str(caught.value).splitlines()[1:]]
    assert listed == [
        "SWEEP_INTERVAL_SECONDS",
        "MESSAGE_TIMEOUT_SECONDS",
        "UPSTASH_VECTOR_REST_URL",
        "RESULT_LIMIT_BYTES",
        "WORK_TIMEOUT_SECONDS",
    ]


HASH = "0123456789abcdef" * 4


@pytest.mark.parametrize("entry", ["x", f"root:acme:{HASH}", f"client:{HASH}", f"client:a b:{HASH}", "client:acme:abc"])
def test_wrong_entries_of_keys_are_reported_by_position_and_not_shown(entry: str) -> None:
    """They are secrets."""
    with pytest.raises(ValueError, match=r"look at entry 2, 3$") as caught:
        hashed_keys(f"client:acme:{HASH},{entry},{entry}")
    assert HASH not in str(caught.value)


@pytest.mark.parametrize("text", ["agents", "agents:", ":registry", "a b:c", "agents.py:registry x"])
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a reference such as"):
        reference(text)
