"""Bytecode: there before the first request, the same on every machine, of the version that Lambda runs."""

import importlib.util
from pathlib import Path

import pytest

from baton_local.bundle.libraries import PYTHON, PYTHON_VERSION
from baton_local.bundle.source_code import compile_modules, lambda_python
from baton_local.dev.stack_error import StackError

SOURCE = '"""Doc."""\nNAMES = {"b", "a", "c"}\n\n\ndef known(name: str) -> bool:\n    return name in {"x", "y", "z"}\n'
UNCHECKED_HASH = 0b01
OTHER = (PYTHON[0], PYTHON[1] + 1)


def compiled(folder: Path) -> bytes:
    folder.mkdir()
    (folder / "m.py").write_text(SOURCE, encoding="utf-8")
    compile_modules(folder, lambda_python())
    return (folder / "__pycache__" / f"m.cpython-{PYTHON[0]}{PYTHON[1]}.pyc").read_bytes()


def test_it_depends_on_the_source_alone(tmp_path: Path) -> None:
    """No time, no random order of sets, no path of this machine but the one in the cloud."""
    one = compiled(tmp_path / "one")
    assert one == compiled(tmp_path / "other")
    assert str(tmp_path).encode() not in one
    assert b"/var/task/m.py" in one


def test_it_is_used_whatever_time_its_source_has(tmp_path: Path) -> None:
    """In an archive every file has the same time; a check of it would compile anew at each cold start."""
    found = compiled(tmp_path / "one")
    assert found[:4] == importlib.util.MAGIC_NUMBER
    assert int.from_bytes(found[4:8], "little") == UNCHECKED_HASH


def test_a_file_for_another_python_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "old.py").write_text("print 'two'\n", encoding="utf-8")
    assert compiled(tmp_path / "one")
    compile_modules(tmp_path, lambda_python())
    assert not (tmp_path / "__pycache__").exists()


def test_another_pythons_bytecode_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With what to do; a version manager's notice that it has no such Python is none."""
    monkeypatch.setenv("PATH", str(tmp_path))
    wanted = f"there is no python{PYTHON_VERSION} on PATH. Install it"
    with pytest.raises(StackError, match=wanted):
        lambda_python(OTHER)
    notice = tmp_path / f"python{PYTHON_VERSION}"
    notice.write_text("#!/bin/sh\nexit 127\n", encoding="utf-8")
    notice.chmod(0o755)
    with pytest.raises(StackError, match=wanted):
        lambda_python(OTHER)
    notice.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    assert lambda_python(OTHER) == str(notice)
