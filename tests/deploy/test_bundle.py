"""The bundles: what is in them and what is not, how large they are, that they are the same each time."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from baton.sdk.models.catalog import PROVIDER_NAMES
from baton_local.bundle.bundling import UNPACKED_LIMIT_BYTES, Bundling, Ingredients
from tests.deploy.bundles import APP, ROOT, Bundle

pytestmark = pytest.mark.e2e

MB = 1024 * 1024
# What a cold start downloads and unpacks, with some room: a new library that is large has to be wanted.
BUDGETS_MB = {"baton": (10.4, 26.7), "baton-models": (52, 150)}
# What no function has any use for: the local stack, tests, tools of this repository and their libraries.
NOT_WANTED = {"baton_local", "tests", "bin", "pytest", "mypy", "uvicorn", "click", "tiktoken", "boto3"}


EACH = pytest.mark.parametrize("name", ["baton", pytest.param("baton-models", marks=pytest.mark.long)])


def names_of(bundle: Bundle) -> list[str]:
    with zipfile.ZipFile(bundle.archive.path) as archive:
        return archive.namelist()


@EACH
def test_it_has_only_what_production_needs(bundles: Mapping[str, Bundle], name: str) -> None:
    """Our code and its libraries; model libraries in one bundle only; nothing that an installer notes of itself."""
    archive, (packed_mb, unpacked_mb) = bundles[name].archive, BUDGETS_MB[name]
    assert archive.packed_bytes <= packed_mb * MB
    assert archive.unpacked_bytes <= unpacked_mb * MB < UNPACKED_LIMIT_BYTES
    names = names_of(bundles[name])
    tops = {path.partition("/")[0] for path in names}
    assert {"baton", "baton_events", "functions", "acme_agents", "qstash", "upstash_redis", "mangum"} <= tops
    assert not tops & NOT_WANTED
    assert ("pydantic_ai" in tops) == (name == "baton-models")
    assert ("baton/sdk/pydantic_ai/runner.py" in names) == (name == "baton-models")
    assert not [path for path in names if path.startswith(("baton/sdk/langgraph", "baton/queue/redis"))]
    assert not [path for path in names if path.endswith(("/RECORD", "/INSTALLER", "/REQUESTED"))]
    assert "acme_agents/greeting.txt" in names


@EACH
def test_every_module_has_its_bytecode_for_lambdas_python_alone(bundles: Mapping[str, Bundle], name: str) -> None:
    """A cold start compiles nothing; our own modules and somebody's agents without exception."""
    names = set(names_of(bundles[name]))
    compiled = {path for path in names if path.endswith(".pyc")}
    assert {path.rpartition(".cpython-")[2] for path in compiled} == {"311.pyc"}
    for path in names:
        if path.endswith(".py") and path.startswith(("baton/", "baton_events/", "functions/", "acme_agents/")):
            folder, _, file = path.rpartition("/")
            assert f"{folder}/__pycache__/{file.removesuffix('.py')}.cpython-311.pyc" in compiled
    for pyc in bundles[name].folder.rglob("*.pyc"):  # nothing of this machine is in it
        content = pyc.read_bytes()
        assert b"baton-bundle-" not in content, pyc
        assert str(ROOT).encode() not in content, pyc
    task = bundles[name].folder
    handlers = ",".join(f"functions.handlers.{path.stem}" for path in (task / "functions/handlers").glob("*.py"))
    command = [sys.executable, "-S", "-B", "-v", "-c", f"import {handlers}"]
    read = subprocess.run(command, cwd=task, capture_output=True, text=True, check=True).stderr
    assert f"code object from '{task}" in read  # of bytecode: of source it stands without quotes
    assert f"code object from {task}" not in read


@pytest.mark.long
def test_the_same_input_gives_the_same_bytes_for_another_processor_too(tmp_path: Path) -> None:
    """Made twice, in two places; its binaries are for the processor that was asked for."""
    bundling, wanted = Bundling(ROOT), Ingredients("arm64", app=APP)
    first, second = (bundling.make("baton", wanted, tmp_path / name) for name in ("one", "two"))
    assert first.digest == second.digest
    assert first.path.read_bytes() == second.path.read_bytes()
    with zipfile.ZipFile(first.path) as archive:
        libraries = [name for name in archive.namelist() if name.endswith(".so")]
    assert libraries
    assert all("aarch64" in name for name in libraries)


@pytest.mark.long
def test_a_bundle_with_an_extra_has_its_library(tmp_path: Path) -> None:
    """And libraries that somebody's agents need, at the versions that are locked."""
    app = tmp_path / "app"
    (app / "acme").mkdir(parents=True)
    (app / "acme" / "__init__.py").write_text("import sniffio\n", encoding="utf-8")
    (app / "requirements.txt").write_text("sniffio==1.3.1\nhttpx\n", encoding="utf-8")
    made = Bundling(ROOT).make("baton", Ingredients("x86_64", ("sentry",), app), tmp_path)
    with zipfile.ZipFile(made.path) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
    assert {"sentry_sdk", "sniffio", "acme"} <= tops
    assert len([name for name in tops if name.startswith("httpx-")]) == 1


@pytest.mark.long
def test_models_of_all_providers_load_from_the_bundle(models: Bundle) -> None:
    """Although a library that only other parts of theirs import was left out."""
    script = (
        "import json, sys\n"
        "from baton.sdk.models.through_pydantic_ai.client import ProviderClient\n"
        "for name in json.loads(sys.argv[1]):\n"
        "    ProviderClient(name)\n"
        "print(sorted(name for name in ('tiktoken', 'regex') if name in sys.modules))\n"
    )
    names = ["openai:gpt-5-mini", "anthropic:claude-sonnet-4-5", "google:gemini-2.5-flash", "groq:x", "mistral:x"]
    keys = {f"{name}_API_KEY": "k" for name in ("OPENAI", "ANTHROPIC", "GOOGLE", "GROQ", "MISTRAL")}
    done = subprocess.run(
        [sys.executable, "-S", "-c", script, json.dumps(names)],
        cwd=models.folder,
        env={"PYTHONPATH": str(models.folder), "PYTHONDONTWRITEBYTECODE": "1", **keys},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n"
    assert {name.partition(":")[0] for name in names} <= PROVIDER_NAMES
