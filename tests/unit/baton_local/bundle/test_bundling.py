"""Bundles: what stops their making before anything is installed."""

import importlib.util
import os
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from baton_local.bundle.bundling import (
    BUNDLES,
    PYTHON,
    PYTHON_VERSION,
    Bundling,
    Libraries,
    Uv,
    compile_modules,
    lambda_python,
    pack,
)
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


def test_files_of_uvs_cache_stay_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What uv installs is often the cache's own file under another name; each bundle gets the same headers."""
    cached = tmp_path / "cached"
    cached.write_text("Name: acme\nVersion: 1\n\nA README.\n", encoding="utf-8")

    def install(_: Uv, *command: str) -> str:
        if "--target" in command:
            metadata = Path(command[command.index("--target") + 1], "acme-1.dist-info", "METADATA")
            metadata.parent.mkdir(parents=True)
            os.link(cached, metadata)
            files = (
                "acme/__init__.py",
                "acme/more/a.py",
                "acme_one.py",
                "acme-1.dist-info/METADATA",
                "../bin/acme",
                "",
            )
            metadata.with_name("RECORD").write_text(",sha256=a,1\n".join(files), encoding="utf-8")
        return ""

    monkeypatch.setattr(Uv, "run", install)
    libraries = Libraries(project(tmp_path, uv_lock=""))
    for name in ("one", "two"):
        libraries.install(tmp_path / name, tmp_path, "arm64", ())
        installed = tmp_path / name / "acme-1.dist-info" / "METADATA"
        assert installed.read_text("utf-8") == "Name: acme\nVersion: 1\n"
        assert installed.with_name("top_level.txt").read_text("utf-8").split() == ["acme", "acme_one"]
        assert not installed.with_name("RECORD").exists()
    assert cached.read_text("utf-8").endswith("A README.\n")


def test_only_one_function_has_the_providers_libraries() -> None:
    """They would make every cold start of the others slower to download."""
    assert BUNDLES == {"baton": ("site",), "baton-models": ("models",)}


def test_the_command_names_its_platforms() -> None:
    done = CliRunner().invoke(package, ["--platform", "sparc"])
    assert done.exit_code == 2
    assert "'arm64', 'x86_64'" in done.output


def folder_of(parent: Path, name: str, *files: tuple[str, bytes]) -> Path:
    folder = parent / name
    for path, content in files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def test_times_order_and_rights_change_nothing(tmp_path: Path) -> None:
    one = folder_of(tmp_path, "one", ("a.py", b"1"), ("b/c.py", b"2"))
    other = folder_of(tmp_path, "other", ("b/c.py", b"2"), ("a.py", b"1"))
    os.utime(other / "a.py", (1, 1))
    (other / "a.py").chmod(0o600)
    first, second = pack(one, tmp_path / "1.zip"), pack(other, tmp_path / "2.zip")
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.digest == second.digest
    assert pack(folder_of(tmp_path, "third", ("a.py", b"3")), tmp_path / "3.zip").digest != first.digest
    assert (first.packed_bytes, first.unpacked_bytes) == (first.path.stat().st_size, 2)


def test_lambda_may_read_everything(tmp_path: Path) -> None:
    """Its user is not the one who packed; names are sorted, and scripts of the shell can be run."""
    files = (("z.py", b""), ("a/b.py", b""), ("run.sh", b""))
    made = pack(folder_of(tmp_path, "f", *files), tmp_path / "new" / "f.zip")
    with zipfile.ZipFile(made.path) as archive:
        modes = [(entry.filename, entry.external_attr >> 16 & 0o777) for entry in archive.infolist()]
    assert modes == [("a/b.py", 0o644), ("run.sh", 0o755), ("z.py", 0o644)]


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
