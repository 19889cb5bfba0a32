"""The wheel contains what a machine without this repository needs, and nothing else."""

import re
import subprocess
import sys
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from baton.settings.distribution import DISTRIBUTION
from tests.architecture.source_files import PACKAGES, ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built with the installed backend: without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def _files(*suffixes: str) -> set[str]:
    return {
        path.relative_to((ROOT / place).parent).as_posix()
        for place in PACKAGES.values()
        for path in (ROOT / place).rglob("*")
        if path.suffix in suffixes and "infra/baton_local/docs" not in path.as_posix()
    }


def test_it_has_every_module_the_scripts_and_the_sample_library(wheel: zipfile.ZipFile) -> None:
    """Of all packages, but for the generator of this repository's pages."""
    assert {name for name in wheel.namelist() if name.endswith(".py")} == _files(".py")
    data = {name for name in wheel.namelist() if not name.endswith(".py") and ".dist-info/" not in name}
    suffixes = {".lua", ".md", ".html", ".css", ".js", ".svg", ".sh"}
    assert _files(*suffixes) <= data
    assert any(name.endswith(".lua") for name in data)
    assert any(name.startswith("baton/sdk/agents/samples/library/") for name in data)
    assert "baton/server/console/templates/base.html" in data
    assert "baton/server/web/static/baton.js" in data
    assert "baton_local/project/pyproject.toml.tmpl" in data
    assert {Path(name).suffix for name in data} <= suffixes | {".txt", ".typed", ".sql", ".tmpl"}


def test_it_has_no_tests_and_no_surprises_at_its_top(wheel: zipfile.ZipFile) -> None:
    """A top-level folder of ours is one that everybody who installs the wheel gets."""
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not re.fullmatch(r"durable_baton-[\d.]+\.dist-info", top)} == set(PACKAGES)


def test_a_projects_own_packages_stay_its_own(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """A serverless project has folders of such names: neither hides the other."""
    site, project = tmp_path / "site", tmp_path / "project"
    wheel.extractall(site)
    theirs = ("events", "functions", "infra", "tests")
    for name in theirs:
        (project / name).mkdir(parents=True)
        (project / name / "__init__.py").write_text("OF_THE_PROJECT = True\n", "utf-8")
    code = (
        f"import {', '.join(theirs)}, baton.server.app, baton_events.schema, baton_local.cli.main\n"
        f"assert all(module.OF_THE_PROJECT for module in ({', '.join(theirs)}))\n"
        "print(*(module.__path__[0] for module in (baton, baton_events, baton_local)), sep='\\n')"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=project, env={"PYTHONPATH": str(site)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(site / package) for package in PACKAGES]


def test_it_brings_the_command_and_the_pytest_plugin(wheel: zipfile.ZipFile) -> None:
    """`baton` is on the path after installing, and pytest knows the fixtures."""
    (entry_points,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    text = wheel.read(entry_points).decode()
    assert "[console_scripts]\nbaton = baton_local.cli.main:main\n" in text
    assert "[pytest11]\nbaton = baton_local.pytest_plugin\n" in text


NAMES = tuple(PACKAGES)


def test_our_packages_win(tmp_path: Path) -> None:
    """Also in a process that starts in another folder, as the `baton` command does."""
    code = f"import {', '.join(NAMES)}; print(*(m.__file__ for m in ({', '.join(NAMES)})), sep='\\n')"
    shown = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert shown.stdout.split() == [str(ROOT / place / "__init__.py") for place in PACKAGES.values()]


def test_no_installed_distribution_has_a_package_of_our_names() -> None:
    """Installed beside us it would be imported instead."""
    owners = packages_distributions()
    assert {name: owners[name] for name in NAMES if set(owners.get(name, [DISTRIBUTION])) != {DISTRIBUTION}} == {}


def test_the_lock_file_has_no_distribution_of_our_names() -> None:
    """A dependency of a dependency must not bring one in."""
    locked = set(re.findall(r'^name = "([^"]+)"', (ROOT / "uv.lock").read_text(encoding="utf-8"), re.MULTILINE))
    assert locked & {"baton", "baton-events", "baton-local"} == set()
