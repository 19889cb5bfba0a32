"""Bundles: what stops their making before anything is installed."""

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from baton_local.bundle.bundling import BUNDLES, Bundling
from baton_local.cli.project import package
from baton_local.dev.stack_error import StackError

PROJECT = '[project]\nname = "shop"\nversion = "0.1.0"\n'


def project(folder: Path, **files: str) -> Path:
    (folder / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_text(content, encoding="utf-8")
    return folder


def test_they_are_made_of_a_project(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"has no pyproject\.toml: package in a project's folder"):
        Bundling(tmp_path)


def test_a_lock_file_says_which_libraries_they_have(tmp_path: Path) -> None:
    """Without one, those that fit today are taken; the command shows which it is."""
    assert not Bundling(project(tmp_path)).are_locked
    assert Bundling(project(tmp_path, uv_lock='[[package]]\nname = "httpx"\nversion = "0.28.1"\n')).are_locked


def test_another_baton_than_the_locked_one_is_not_packaged(tmp_path: Path) -> None:
    """Its libraries would be those of one version, and its code that of the other."""
    locked = '[[package]]\nname = "durable-baton"\nversion = "0.0.9"\n'
    with pytest.raises(StackError, match=r"uv\.lock has durable-baton 0\.0\.9, and this is .*: run `uv sync`"):
        Bundling(project(tmp_path, uv_lock=locked))


def test_without_uv_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither beside this Python nor on PATH, and this Python has no pip."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho No module named pip >&2\nexit 1\n", encoding="utf-8")
    python.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(StackError, match=r"(?s)uv is needed for packaging.*No module named pip\nInstall it: https://"):
        Bundling(project(tmp_path))


def test_only_one_function_has_the_providers_libraries() -> None:
    """They would make every cold start of the others slower to download."""
    assert BUNDLES == {"baton": (), "baton-models": ("models",)}


def test_the_command_names_its_platforms() -> None:
    done = CliRunner().invoke(package, ["--platform", "sparc"])
    assert done.exit_code == 2
    assert "'arm64', 'x86_64'" in done.output
