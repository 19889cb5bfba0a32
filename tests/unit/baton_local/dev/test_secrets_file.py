"""Secrets of a data folder."""

import hashlib
import json
import os
import re
from dataclasses import asdict
from pathlib import Path

import pytest

from baton_local.dev.data_folder import folder_lock, write_private_file
from baton_local.dev.secrets_file import (
    ROLES,
    Role,
    add_api_key_entry,
    api_key_entry,
    load_or_make_secrets,
    new_api_key,
)
from baton_local.dev.stack_error import StackError


def test_secrets_are_made_once_for_the_owner_alone_and_stay(tmp_path: Path) -> None:
    """Starting again on the same folder finds the same secrets; two folders share none."""
    one, other = (load_or_make_secrets(tmp_path / name) for name in ("one", "other"))
    assert load_or_make_secrets(tmp_path / "one") == one
    first, second = asdict(one), asdict(other)
    assert all(first[name] != second[name] for name in first if name != "api_keys")
    assert (tmp_path / "one" / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "one").stat().st_mode & 0o777 == 0o700


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
    record = asdict(load_or_make_secrets(tmp_path)) | {"redis_token": ""}
    (tmp_path / "secrets.json").write_text(json.dumps(record))
    with pytest.raises(StackError, match="not empty"):
        load_or_make_secrets(tmp_path)
    with pytest.raises(StackError, match="cannot be a data folder"):
        load_or_make_secrets(tmp_path / "secrets.json")


@pytest.mark.parametrize("role", ROLES)
def test_a_key_names_its_role_and_its_entry_holds_the_digest(role: Role) -> None:
    """256 random bits in the format `bk_<role>_<43 url-safe characters>`; the entry never holds the key."""
    first, second = new_api_key(role), new_api_key(role)
    assert re.fullmatch(rf"bk_{role}_[A-Za-z0-9_-]{{43}}", first)
    assert first != second
    assert api_key_entry(role, "acme", first) == f"{role}:acme:{hashlib.sha256(first.encode()).hexdigest()}"


@pytest.mark.parametrize("tenant", ["", "a:b", "a,b", "a b", "ä", "x" * 65])
def test_a_tenant_that_would_break_the_list_is_refused(tenant: str) -> None:
    """Separators of the setting cannot stand in a name; the message names the value."""
    with pytest.raises(StackError, match="not a usable name"):
        api_key_entry("client", tenant, "bk_client_x")


def test_a_file_is_replaced_whole_and_private(tmp_path: Path) -> None:
    """A failed write leaves the old one and nothing else."""
    path = tmp_path / "x.json"
    path.write_text("old")
    path.chmod(0o644)
    with pytest.raises(UnicodeEncodeError):
        write_private_file(path, "\ud800")
    assert (path.read_text(), list(tmp_path.iterdir())) == ("old", [path])
    write_private_file(path, "new")
    assert (path.read_text(), list(tmp_path.iterdir())) == ("new", [path])
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_folder_has_one_holder_at_a_time_whom_the_second_one_learns(tmp_path: Path) -> None:
    """It is free again afterwards."""
    held = rf"already runs on .* \(pid {os.getpid()}, .*dev\.json\).*--data"
    with folder_lock(tmp_path), pytest.raises(StackError, match=held), folder_lock(tmp_path):
        pass
    with folder_lock(tmp_path):
        assert (tmp_path / "lock").read_text() == str(os.getpid())
