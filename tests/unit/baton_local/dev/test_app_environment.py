from pathlib import Path

from baton_local.dev.parts import app_settings
from baton_local.dev.secrets_file import load_or_make_secrets

PORTS = {"app": 1, "qstash": 2, "redis_rest": 3, "vector": 4}


def test_the_app_learns_where_everything_is(tmp_path: Path) -> None:
    secrets = load_or_make_secrets(tmp_path)
    settings = app_settings(PORTS, secrets, None)
    assert settings["WORKER_BASE_URL"] == "http://127.0.0.1:1"
    assert settings["QSTASH_URL"] == "http://127.0.0.1:2"
    assert settings["UPSTASH_REDIS_REST_URL"] == "http://127.0.0.1:3"
    assert settings["UPSTASH_VECTOR_REST_URL"] == "http://127.0.0.1:4"
    assert settings["UPSTASH_VECTOR_REST_TOKEN"] == secrets.vector_token
    assert settings["API_KEYS"] == secrets.api_keys_setting()
    assert settings["ENABLE_TEST_ENDPOINT"] == settings["METRICS_PUBLIC"] == "true"


def test_a_store_over_resp_has_one_address_and_the_persons_own_is_never_meant(tmp_path: Path) -> None:
    """What is not meant is empty, so that it covers what is inherited."""
    secrets = load_or_make_secrets(tmp_path)
    assert app_settings(PORTS, secrets, None)["REDIS_URL"] == ""
    over_resp = app_settings(PORTS, secrets, None, "unix:///valkey.sock")
    assert over_resp["REDIS_URL"] == "unix:///valkey.sock"
    assert over_resp["UPSTASH_REDIS_REST_URL"] == over_resp["UPSTASH_REDIS_REST_TOKEN"] == ""


def test_only_own_agents_are_named(tmp_path: Path) -> None:
    """Without `--app` the product's own default decides."""
    secrets = load_or_make_secrets(tmp_path)
    assert "BATON_APP" not in app_settings(PORTS, secrets, None)
    assert app_settings(PORTS, secrets, "mine:registry")["BATON_APP"] == "mine:registry"
