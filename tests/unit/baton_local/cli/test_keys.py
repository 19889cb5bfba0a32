"""`baton keys create`."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from baton_local.cli.main import main
from baton_local.dev.secrets_file import load_or_make_secrets


def create(*arguments: str) -> tuple[int, list[str]]:
    result = CliRunner().invoke(main, ["keys", "create", *arguments])
    return result.exit_code, result.output.splitlines()


@pytest.mark.parametrize("role", ["client", "admin"])
def test_the_key_stands_alone_on_the_last_line(tmp_path: Path, role: str) -> None:
    """So that a script can take it; production needs its digest, and with a data folder the next dev accepts it."""
    code, lines = create("--tenant", "acme", "--role", role, "--data", str(tmp_path))
    assert code == 0
    assert re.fullmatch(rf"bk_{role}_[A-Za-z0-9_-]{{43}}", lines[-1])
    entry = f"{role}:acme:{hashlib.sha256(lines[-1].encode()).hexdigest()}"
    assert entry in load_or_make_secrets(tmp_path).api_keys_setting().split(",")
    assert lines[-1] not in (tmp_path / "secrets.json").read_text()
    assert json.loads((tmp_path / "secrets.json").read_text())["api_keys"] == [entry]
    _, lines = create("--tenant", "acme", "--role", role)
    assert f"  {role}:acme:{hashlib.sha256(lines[-1].encode()).hexdigest()}" in lines


@pytest.mark.parametrize(
    "arguments",
    [("--tenant", "a:b", "--role", "client"), ("--tenant", "acme", "--role", "king"), ("--role", "client"), ()],
)
def test_wrong_use_is_exit_code_2(arguments: tuple[str, ...]) -> None:
    code, lines = create(*arguments)
    assert code == 2
    assert lines[-1].startswith("Error:")


def test_a_damaged_data_folder_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text("{")
    code, lines = create("--tenant", "acme", "--role", "client", "--data", str(tmp_path))
    assert code == 1
    assert len(lines) == 1
    assert lines[0].startswith("baton: ")
