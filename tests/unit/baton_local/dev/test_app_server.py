"""Serving the product with a user's own folder on the import path."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from baton_local.dev.surroundings import inherited_environment


def serve(folder: Path, registry: str) -> subprocess.CompletedProcess[str]:
    """Run the server until it refuses."""
    command = (
        sys.executable,
        "-P",
        "-m",
        "baton_local.dev.app_server",
        "--app-dir",
        str(folder),
        "--registry",
        registry,
    )
    environment = inherited_environment()
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=180)


def test_agents_that_are_not_there_end_it_for_good(tmp_path: Path) -> None:
    """The exit code says that trying again is useless; the last line says why."""
    done = serve(tmp_path, "nowhere:registry")
    assert done.returncode == os.EX_CONFIG
    assert "there is no module 'nowhere'" in done.stderr.splitlines()[-1]


def test_a_fault_in_the_users_own_module_is_shown_where_it_is(tmp_path: Path) -> None:
    """With its traceback."""
    (tmp_path / "mine.py").write_text("registry = 1 / 0\n")
    done = serve(tmp_path, "mine:registry")
    assert done.returncode == os.EX_CONFIG
    assert "mine.py" in done.stderr
    assert "ZeroDivisionError" in done.stderr


def test_no_bytecode_of_the_users_code_is_kept(tmp_path: Path) -> None:
    """Else two saves within a second are one to Python, if the file's size is the same: an error would never heal."""
    (tmp_path / "mine.py").write_text("registry = 1 / 0\n")
    serve(tmp_path, "mine:registry")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]


@pytest.mark.parametrize("name", ["functions", "events"])
def test_a_users_folder_of_the_same_name_does_not_hide_ours(tmp_path: Path, name: str) -> None:
    """Serverless projects often have one."""
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("raise RuntimeError('the wrong one')\n")
    (tmp_path / "mine.py").write_text("from baton import Agent\nregistry = Agent\n")
    done = serve(tmp_path, "mine:registry")
    assert "the wrong one" not in done.stderr
    assert "not a Registry" in done.stderr
