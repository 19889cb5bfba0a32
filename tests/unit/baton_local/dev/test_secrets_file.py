"""Secrets of a data folder."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from baton_local.dev.secrets_file import add_api_key_entry, api_key_entry, load_or_make_secrets
from baton_local.dev.stack_error import StackError


def test_secrets_are_made_once_and_stay(tmp_path: Path) -> None:
    """Starting again on the same folder finds the same secrets."""
    assert load_or_make_secrets(tmp_path / "data") == load_or_make_secrets(tmp_path / "data")


def test_two_folders_share_no_secret(tmp_path: Path) -> None:
    one, other = (asdict(load_or_make_secrets(tmp_path / name)) for name in ("one", "other"))
    assert all(one[name] != other[name] for name in one if name != "api_keys")


def test_only_the_owner_may_read_them(tmp_path: Path) -> None:
    load_or_make_secrets(tmp_path / "data")
    assert (tmp_path / "data" / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_the_setting_has_both_own_keys_and_the_added_ones(tmp_path: Path) -> None:
    """`API_KEYS` is a comma list of entries."""
    add_api_key_entry(tmp_path, "client:acme:00ff")
    secrets = load_or_make_secrets(tmp_path)
    assert secrets.api_keys_setting().split(",") == [
        api_key_entry("client", "dev", secrets.client_key),
        api_key_entry("admin", "dev", secrets.admin_key),
        "client:acme:00ff",
    ]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"qstash_token": 1}'])
def test_a_damaged_file_is_named_with_the_way_out(tmp_path: Path, text: str) -> None:
    """No traceback, no silent new secrets (those would strand waiting jobs)."""
    (tmp_path / "secrets.json").write_text(text)
    with pytest.raises(StackError, match=r"secrets\.json cannot be used .*restore it"):
        load_or_make_secrets(tmp_path)


def test_a_folder_from_before_the_vector_index_gets_its_token_and_keeps_the_rest(tmp_path: Path) -> None:
    before = load_or_make_secrets(tmp_path)
    record = {name: value for name, value in asdict(before).items() if name != "vector_token"}
    (tmp_path / "secrets.json").write_text(json.dumps(record))
    first = load_or_make_secrets(tmp_path)
    assert {**asdict(first), "vector_token": ""} == {**asdict(before), "vector_token": ""}
    assert first.vector_token
    assert load_or_make_secrets(tmp_path) == first


def test_an_empty_secret_counts_as_damage(tmp_path: Path) -> None:
    """An empty token would let everybody in."""
    load_or_make_secrets(tmp_path)
    record = json.loads((tmp_path / "secrets.json").read_text())
    (tmp_path / "secrets.json").write_text(json.dumps({**record, "redis_token": ""}))
    with pytest.raises(StackError, match="not empty"):
        load_or_make_secrets(tmp_path)


def test_a_file_in_the_folders_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StackError, match="cannot be a data folder"):
        load_or_make_secrets(tmp_path / "file")
