"""One line of an env file is changed, and nothing else."""

from pathlib import Path

import pytest

from baton_local.cli.place import put_line
from baton_local.dev.stack_error import StackError

TEXT = "# comment\nA=1\nWORKER_BASE_URL=https://old.example.com\n\nB='two words'\n"


def test_a_variable_is_changed_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text(TEXT)
    assert put_line(path, "WORKER_BASE_URL", "https://new.example.com") == "https://old.example.com"
    assert path.read_text() == TEXT.replace("old", "new")


def test_a_variable_that_is_not_there_is_added(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\n")
    path.chmod(0o600)
    assert put_line(path, "WORKER_BASE_URL", "https://new.example.com") == ""
    assert path.read_text() == "A=1\nWORKER_BASE_URL=https://new.example.com\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"set WORKER_BASE_URL=https://x\.example\.com there yourself"):
        put_line(tmp_path, "WORKER_BASE_URL", "https://x.example.com")
