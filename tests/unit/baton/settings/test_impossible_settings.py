"""Settings that cannot work, and texts of the environment that cannot be read: refused at the start, all at once."""

import pytest

from baton.settings.readers import api_keys, reference
from baton.settings.settings import read_settings
from baton_events.errors import SettingsError

ON_LAMBDA = {"AWS_LAMBDA_FUNCTION_NAME": "baton-prod-agentLoop"}


def test_work_that_outlives_its_function_is_refused_on_lambda_only() -> None:
    """It started, and each call that took longer was cut off by the function's end, again and again."""
    long = {"WORK_TIMEOUT_SECONDS": "231", "MESSAGE_TIMEOUT_SECONDS": "300"}
    assert read_settings(long).work_timeout_seconds == 231
    assert read_settings({**ON_LAMBDA, **long, "WORK_TIMEOUT_SECONDS": "230"}).work_timeout_seconds == 230
    with pytest.raises(SettingsError, match=r"WORK_TIMEOUT_SECONDS \(231\) must be at most 230 on Lambda"):
        read_settings({**ON_LAMBDA, **long})


def test_results_that_no_message_can_carry_are_refused() -> None:
    """An outcome from outside comes in an event, whose endpoint takes four megabytes."""
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


def test_a_result_that_is_kept_may_be_sent() -> None:
    """Else a job whose one result is as large as it may be could never go on."""
    assert read_settings({"TOLD_LIMIT_BYTES": "1000000"}).prompt_limit_bytes == 1_000_000
    expected = r"TOLD_LIMIT_BYTES \(999999\) must be at least RESULT_LIMIT_BYTES \(1000000\)"
    with pytest.raises(SettingsError, match=expected):
        read_settings({"TOLD_LIMIT_BYTES": "999999"})


HASH = "0123456789abcdef" * 4


@pytest.mark.parametrize("entry", ["x", f"root:acme:{HASH}", f"client:{HASH}", f"client:a b:{HASH}", "client:acme:abc"])
def test_wrong_entries_of_keys_are_reported_by_position_and_not_shown(entry: str) -> None:
    """They are secrets."""
    with pytest.raises(ValueError, match=r"look at entry 2, 3$") as caught:
        api_keys(f"client:acme:{HASH},{entry},{entry}")
    assert HASH not in str(caught.value)


@pytest.mark.parametrize("text", ["agents", "agents:", ":registry", "a b:c", "agents.py:registry x"])
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a reference such as"):
        reference(text)
