"""The settings of large payloads: addresses without credentials, and options of their client."""

import pytest

from baton.settings.settings import read_settings
from baton_events.errors import SettingsError

LAMBDA = {"AWS_LAMBDA_FUNCTION_NAME": "f"}


@pytest.mark.parametrize(
    ("given", "urls"),
    [
        ("s3://bucket/some/where/", ("s3://bucket/some/where",)),
        ("gs://b, az://c/d", ("gs://b", "az://c/d")),
        ("file:///var/lib/baton,s3://old", ("file:///var/lib/baton", "s3://old")),
        ("", ()),
    ],
)
def test_addresses_are_read_in_their_order(given: str, urls: tuple[str, ...]) -> None:
    assert read_settings({"OBJECT_STORE_URL": given}).object_store_urls == urls


@pytest.mark.parametrize(
    "given",
    ["bucket", "https://bucket", "s3://key:secret@bucket", "s3://", "file://x", "s3://b?key=1", "s3://a,ftp://b", ","],
)
def test_an_address_that_is_none_or_has_credentials_is_refused(given: str) -> None:
    with pytest.raises(SettingsError, match=r"OBJECT_STORE_URL: .* is not s3://BUCKET/PREFIX"):
        read_settings({"OBJECT_STORE_URL": given})


def test_a_folder_is_refused_on_lambda_alone() -> None:
    folder = {"OBJECT_STORE_URL": "s3://new,file:///tmp/objects"}
    assert read_settings(folder).object_store_urls
    with pytest.raises(SettingsError, match="file:///tmp/objects is a folder, and a function on Lambda keeps none"):
        read_settings(folder | LAMBDA)


@pytest.mark.parametrize(
    "given",
    ["[]", "{", '{"a": {}}', '{"allow_http": true}', '{"allow_http": true, "endpoint": "http://store.example.com"}'],
)
def test_wrong_options_are_refused_without_being_shown(given: str) -> None:
    with pytest.raises(SettingsError, match="OBJECT_STORE_OPTIONS: its value is not"):
        read_settings({"OBJECT_STORE_OPTIONS": given})


def test_http_is_for_this_machine() -> None:
    read_settings({"OBJECT_STORE_OPTIONS": '{"allow_http": true, "endpoint": "http://127.0.0.1:9000"}'})


def test_the_secrets_among_the_options_are_known_and_the_rest_is_not() -> None:
    options = '{"secret_access_key": "very secret", "region": "eu-central-1", "access_key_id": "AKIA123456"}'
    assert read_settings({"OBJECT_STORE_OPTIONS": options}).secret_values == ("very secret",)
