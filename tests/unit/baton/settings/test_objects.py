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


NO_URLS = ("bucket", "https://bucket", "s3://key:secret@bucket", "s3://", "file://x", "s3://b?key=1", "s3://a,ftp://b")
NO_OPTIONS = ("[]", "{", '{"a": {}}', '{"allow_http": true}', '{"allow_http": true, "endpoint": "http://a.example"}')


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        *(("OBJECT_STORE_URL", given, ".* is not s3://BUCKET/PREFIX") for given in (*NO_URLS, ",")),
        *(("OBJECT_STORE_OPTIONS", given, "its value is not") for given in NO_OPTIONS),
    ],
)
def test_what_is_none_or_has_credentials_is_refused_without_being_shown(name: str, given: str, told: str) -> None:
    with pytest.raises(SettingsError, match=f"{name}: {told}"):
        read_settings({name: given})


def test_a_folder_is_refused_on_lambda_alone() -> None:
    folder = {"OBJECT_STORE_URL": "s3://new,file:///tmp/objects"}
    assert read_settings(folder).object_store_urls
    with pytest.raises(SettingsError, match="file:///tmp/objects is a folder, and a function on Lambda keeps none"):
        read_settings(folder | LAMBDA)


def test_http_is_for_this_machine() -> None:
    read_settings({"OBJECT_STORE_OPTIONS": '{"allow_http": true, "endpoint": "http://127.0.0.1:9000"}'})


def test_the_secrets_among_the_options_are_known_and_the_rest_is_not() -> None:
    options = '{"secret_access_key": "very secret", "region": "eu-central-1", "access_key_id": "AKIA123456"}'
    assert read_settings({"OBJECT_STORE_OPTIONS": options}).secret_values == ("very secret",)
