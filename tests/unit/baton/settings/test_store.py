"""What REDIS_URL may hold, and what is shown of it: never a password."""

import pytest

from baton.settings.settings import Settings, has, read_settings, require
from baton.settings.store import shown_address, wants_cluster, without_cluster
from baton.settings.table import SETTINGS
from baton_events.errors import SettingsError

REST = {"UPSTASH_REDIS_REST_URL": "https://store.example.com", "UPSTASH_REDIS_REST_TOKEN": "t"}
PASSWORD = "sword%21fish"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("redis://localhost:6379/3", "redis://localhost:6379/3"),
        ("redis://[::1]:6379", "redis://[::1]:6379"),
        (f"redis://:{PASSWORD}@10.0.0.7:6379", "redis://***@10.0.0.7:6379"),
        (
            f"rediss://user:{PASSWORD}@a.b.cache.amazonaws.com:6379?cluster=true",
            "rediss://***@a.b.cache.amazonaws.com:6379",
        ),
        ("rediss://h:1?ssl_cert_reqs=none&ssl_ca_certs=/ca.pem", "rediss://h:1"),
        ("unix:///run/valkey.sock", "unix:///run/valkey.sock"),
        (f"unix:///run/valkey.sock?db=1&password={PASSWORD}", "unix:///run/valkey.sock"),
        (f"unix://:{PASSWORD}@/run/valkey.sock", "unix:///run/valkey.sock"),
    ],
)
def test_an_address_is_taken_as_it_is_and_shown_without_its_secrets(address: str, shown: str) -> None:
    """Also by the settings, and by what hides secrets in logs: as written, and as meant."""
    settings = read_settings({"REDIS_URL": address})
    assert settings.resp_url == address
    assert shown_address(address) == settings.store_place == shown
    assert PASSWORD not in repr(settings)
    assert set(settings.secret_values) == ({PASSWORD, "sword!fish"} if PASSWORD in address else set())


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://store.example.com", "https://store.example.com"),
        (f"http://:{PASSWORD}@h", "http://\\*\\*\\*@h"),
        ("redis://", "redis://\\*\\*\\*"),
        (f"redis://:{PASSWORD}", "redis://\\*\\*\\*"),
        (f"redis://:{PASSWORD}?@h", "\\*\\*\\*@h"),
        (f"redis://:{PASSWORD}@h:port", "redis://\\*\\*\\*@"),
        (f"rediss:/:{PASSWORD}@h", "\\*\\*\\*@h"),
        (f"{PASSWORD}", "\\*\\*\\*"),
        ("redis://a b", "\\*\\*\\*"),
        ("unix://valkey.sock", "unix:///PATH"),
        ("redis://h#1", "such as"),
        ("redis://h?protocol=3", r"options of redis:// \(cluster, db\); take out protocol"),
        ("unix:///run/valkey.sock?cluster=true", "take out cluster"),
        ("redis://h/2?cluster=true", "database 0"),
        ("redis://h/abc", "the number of one database"),
        ("redis://h/1?db=2", "the number of one database"),
        ("redis://h?db=x", "options such as db=0"),
        ("redis://h?db=1&db=2", "once each"),
        ("redis://h?db=", "options such as db=0"),
        ("redis://h?cluster=yes", r"cluster=true\|false"),
        ("rediss://h?ssl_cert_reqs=never", r"ssl_cert_reqs=none\|optional\|required"),
        ("rediss://h?ssl_check_hostname=maybe", "ssl_check_hostname=true"),
        ("rediss://h?ssl_ca_certs=", "ssl_ca_certs=TEXT"),
    ],
)
def test_what_is_no_address_is_refused_with_the_value_without_its_password(address: str, shown: str) -> None:
    with pytest.raises(SettingsError, match=f"REDIS_URL: .*{shown}") as caught:
        read_settings({"REDIS_URL": address})
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("other", [dict([pair]) for pair in REST.items()] + [REST])
def test_two_stores_are_refused(other: dict[str, str]) -> None:
    """By both names; which one was meant is not guessed."""
    with pytest.raises(SettingsError, match=r"REDIS_URL \(redis://\*\*\*@h\) and UPSTASH_REDIS_REST_URL") as caught:
        read_settings({"REDIS_URL": f"redis://:{PASSWORD}@h", **other})
    assert PASSWORD not in str(caught.value)


def test_an_address_stands_for_the_other_two_settings() -> None:
    """What needs a store has one; without it both are missing."""
    names = tuple(REST)
    settings = read_settings({"REDIS_URL": "redis://h"}, *names)
    require(settings, *names)
    assert all(has(settings, setting) for setting in SETTINGS if setting.name in names)
    with pytest.raises(
        SettingsError, match=r"UPSTASH_REDIS_REST_URL is not set, nor REDIS_URL(.|\n)*UPSTASH_REDIS_REST_TOKEN"
    ):
        read_settings({"REDIS_URL": " "}, *names)
    with pytest.raises(SettingsError, match="UPSTASH_REDIS_REST_TOKEN"):
        require(Settings(redis_url="https://h"), *names)


def test_the_option_that_says_cluster_is_ours() -> None:
    assert wants_cluster("redis://h?db=0&cluster=true")
    assert wants_cluster("redis://h?cluster=1")
    assert not wants_cluster("redis://h?cluster=false")
    assert not wants_cluster("redis://h")
    assert without_cluster("redis://h?cluster=true") == "redis://h"
    assert without_cluster("redis://h?db=0&cluster=true") == "redis://h?db=0"
