"""The versions of libraries that are supported: the lowest, and the newest, which the lock file has."""

import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

from baton_local.bundle.bundling import Uv
from baton_local.dev.environment import inherited_environment
from tests.e2e.dev_stack import ROOT

NAME = "pydantic-ai-slim"
# It demands the lowest version, so the lock file cannot have it.
HARNESS = "pydantic-ai-harness[coder,researcher]==0.62.0"
# The lowest that takes the library of OpenAI that pydantic-ai's extra demands, as pyproject.toml says.
OPENAI = "openai-agents==0.21.0"
# The lowest that `create_agent` is supported in.
LANGGRAPH = ("langchain==1.2.0", "langgraph<1.1", "langgraph-prebuilt<1.0.9", "langgraph-checkpoint<4")
PATIENCE_SECONDS = 1_200


def lowest() -> str:
    """What pyproject.toml says."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (models,) = map(Requirement, project["optional-dependencies"]["models"])
    (bound,) = models.specifier
    assert (models.name, bound.operator) == (NAME, ">="), f"one lower bound of {NAME}, and none above: {models}"
    return bound.version


def newest() -> str:
    """What uv.lock says."""
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    (found,) = (package["version"] for package in packages if package["name"] == NAME)
    return str(found)


def environment_with(version: str, folder: Path) -> Path:
    """An environment as the lock file has it, but for the libraries of agents; its Python."""
    uv, listed, python = Uv(ROOT), folder / "libraries.txt", folder / "venv" / "bin" / "python"
    uv.run("venv", str(folder / "venv"), "--python", sys.executable)
    uv.run("export", "--frozen", "--all-extras", "--no-hashes", "--output-file", str(listed))
    uv.run("pip", "install", "--python", str(python), "--requirements", str(listed))
    uv.run("pip", "install", "--python", str(python), f"{NAME}=={version}", HARNESS, OPENAI, *LANGGRAPH)
    return python


def run_in(python: Path, *command: str) -> str:
    """Run a module in that environment; what it prints last. It must end well, and in time."""
    environment = {name: value for name, value in inherited_environment().items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        [str(python), "-m", *command],
        cwd=ROOT,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 0, "\n".join((done.stdout + done.stderr).splitlines()[-60:])
    return done.stdout.splitlines()[-1]
