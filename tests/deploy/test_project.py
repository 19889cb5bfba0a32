"""A project that `baton init` has made, packaged without a clone of Baton: its libraries, its bundles, a job of it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from baton.sdk.distribution import DISTRIBUTION
from baton_local.bundle.bundling import Libraries
from baton_local.cli.project import init
from baton_local.dev.stack_error import StackError
from baton_local.fixtures.servers import QStashServer, RedisServer
from tests.deploy.bundles import PLATFORM, ROOT, made_bundle
from tests.deploy.deployment import Deployment
from tests.wheels import built_wheels

pytestmark = pytest.mark.e2e

REPOSITORY = ROOT.as_uri()  # what `baton init` writes here
LOCK = [str(Path(sys.executable).with_name("uv")), "lock", "--quiet"]


def made_project(folder: Path) -> Path:
    done = CliRunner().invoke(init, [str(folder / "shop")])
    assert done.exit_code == 0, done.output
    return folder / "shop"


def libraries_of(project: Path, work: Path, *extras: str) -> dict[str, str]:
    """What would be installed, each with its version; all of it has hashes."""
    text = Libraries(project).requirements(work, PLATFORM, extras)
    entries = re.split(r"\n(?=\S)", text.strip())
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
    return dict(re.findall(r"^([\w.-]+)==([\w.+-]+)", text, re.MULTILINE))


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return built_wheels(tmp_path_factory.mktemp("wheels"))


@pytest.mark.parametrize(
    "kind", ["path", *(pytest.param(kind, marks=pytest.mark.long) for kind in ("wheel", "version"))]
)
def test_its_libraries_are_found_however_it_requires_baton(
    tmp_path: Path, wheels: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """By path, by wheel, by version; resolved, or of a lock file. Baton itself is not among them."""
    project = made_project(tmp_path)
    pyproject = project / "pyproject.toml"
    text = pyproject.read_text("utf-8")
    assert f" @ {REPOSITORY}" in text
    for place, wheel in zip((f"{REPOSITORY}/infra", REPOSITORY), reversed(wheels), strict=True):
        wanted = {"path": f" @ {place}", "wheel": f" @ {wheel.as_uri()}", "version": ">=0.1"}[kind]
        text = text.replace(f" @ {place}", wanted)
    pyproject.write_text(text, "utf-8")
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels[0].parent))
    plain, with_models = libraries_of(project, tmp_path), libraries_of(project, tmp_path, "models")
    assert {"pydantic", "qstash", "upstash-redis", "mangum"} <= plain.keys() < with_models.keys()
    assert not {DISTRIBUTION, "tiktoken", "click", "pytest"} & with_models.keys()
    subprocess.run(LOCK, cwd=project, check=True)
    locked = libraries_of(project, tmp_path, "models")  # for other platforms, too
    assert with_models.keys() <= locked.keys()
    assert not {DISTRIBUTION, "tiktoken", "click", "pytest"} & locked.keys()


@pytest.mark.long
def test_installed_wheels_package_a_project_without_this_repository(tmp_path: Path, wheels: tuple[Path, Path]) -> None:
    """As a person does it who has installed Baton and nothing else: uv is not there, either."""
    scripts = tmp_path / "venv" / "bin"
    inherited = os.environ  # noqa: TID251 - the index of packages, and how it is reached
    environment = {**inherited, "PATH": "/usr/bin:/bin", "PYTHONPATH": ""}

    def run(*command: str | Path, folder: Path = tmp_path) -> None:
        done = subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    run(sys.executable, "-m", "venv", tmp_path / "venv")
    run(scripts / "python", "-m", "pip", "install", "-qq", *wheels)
    run(scripts / "baton", "init", "shop")
    run(scripts / "baton", "package", folder=tmp_path / "shop")
    made = sorted(path.name for path in (tmp_path / "shop" / "dist").iterdir())
    assert made == ["baton-arm64.zip", "baton-models-arm64.zip"]
    assert (tmp_path / "shop" / ".baton" / "uv" / "bin" / "uv").exists()


@pytest.mark.long
def test_a_lock_file_that_is_out_of_date_is_refused(tmp_path: Path) -> None:
    """A library that was added to pyproject.toml alone would be missing in the cloud."""
    project = made_project(tmp_path)
    subprocess.run(LOCK, cwd=project, check=True)
    pyproject = project / "pyproject.toml"
    pyproject.write_text(pyproject.read_text("utf-8").replace("\ndependencies = [", '\ndependencies = ["sniffio", '))
    with pytest.raises(StackError, match="To update the lockfile, run `uv lock`"):
        libraries_of(project, tmp_path)
    subprocess.run(LOCK, cwd=project, check=True)
    assert "sniffio" in libraries_of(project, tmp_path)


@pytest.mark.long
def test_its_bundle_has_its_own_code_and_runs_a_job_of_it(
    tmp_path: Path, runtime: Path, qstash_process: QStashServer, redis_process: RedisServer
) -> None:
    """Through the functions that its serverless.yml names. Its agent's model is a script, which needs no library."""
    bundle = made_bundle(tmp_path, "baton", made_project(tmp_path), app=None)
    tops = {path.name for path in bundle.folder.iterdir()}
    assert {"baton", "baton_events", "events", "functions"} <= tops
    assert not {"infra", "tests", "Makefile", "README.md", "pyproject.toml", "serverless.yml"} & tops
    qstash_process.reset()
    redis_process.reset()
    settings = {"BATON_APP": "functions.agents:registry", "CONTINUATION": "queue"}
    bundles = {"baton": bundle, "baton-models": bundle}
    stack = Deployment(bundles, runtime, {**qstash_process.env, **redis_process.env, **settings}, tmp_path / "shop")
    try:
        job = stack.ended(stack.submit("assistant"))
    finally:
        stack.close()
        qstash_process.reset()
    assert (job["status"], job["result"]["answer"]) == ("completed", "19 percent of 240 is 45.6.")
    assert stack.invocations("tool-executor") > 0
