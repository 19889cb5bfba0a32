"""The import contracts of .importlinter hold, and each of them can fail.

The second half copies the packages, plants one forbidden import for each contract, and looks at what the linter says.
"""

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source_files import PACKAGES, ROOT

CONFIG = ".importlinter"
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")

# contract → a module, and the import that must not be in it.
PLANTED = {
    "packages": ("events/ids.py", "import functions.spec"),
    "acyclic": ("infra/dev/stack_error.py", "from infra.dev import stack"),
    "surface": ("functions/agents/research.py", "from baton import Agent as A"),
    "plugin": ("infra/pytest_plugin/admin_call.py", "import baton_pytest"),
    "events": ("events/errors.py", "from events import timestamps"),
    "events_core": ("events/core/limits.py", "from events.core import retry"),
    "events_engine": ("events/engine/patch.py", "from events.engine import tree"),
    "events_adapters": ("events/adapters/verifier.py", "from events.adapters import reader"),
    "pure_core": ("events/core/retry.py", "import random"),
    "settings_know_no_jobs": ("events/settings.py", "from events.core import limits"),
    "functions": ("functions/delivery.py", "from functions import edge"),
    "shell_knows_no_agents": ("functions/pipeline.py", "from functions.tools import tool_error"),
    "webhooks": ("functions/webhooks/sweep.py", "from functions.webhooks import agent_loop"),
    "functions_api": ("functions/api/problem.py", "from functions.api import auth"),
    "functions_console": ("functions/console/gate.py", "from functions.console import login"),
    "functions_agents": ("functions/agents/agent.py", "from functions.agents import registry"),
    "functions_tools": ("functions/tools/context.py", "from functions.tools import tool"),
    "functions_conversation": ("functions/conversation/policy.py", "from functions.conversation import conversation"),
    "builtin_tools": ("functions/tools/builtin/csv_table.py", "from functions.tools.builtin import calculate"),
    "functions_planning": ("functions/planning/reference.py", "from functions.planning import step"),
    "functions_memory": ("functions/memory/policy.py", "from functions.memory import entries"),
    "functions_models": ("functions/models/call.py", "from functions.models import catalog"),
    "agents_do_no_io": ("functions/tools/files.py", "import qstash"),
    "infra": ("infra/dev/stack.py", "from infra.cli import keys"),
    "cli": ("infra/cli/interruption.py", "from infra.cli import keys"),
    "stand_ins": ("infra/local_redis/resp.py", "from events import ids"),
    "local_qstash": ("infra/local_qstash/storage/schema.py", "from infra.local_qstash import engine"),
    "local_qstash_core": ("infra/local_qstash/core/limits.py", "import asyncio"),
    "replay": ("infra/replay/play.py", "from infra.replay import playing"),
    "local_vector": ("infra/local_vector/storage/store.py", "from infra.local_vector import engine"),
    "local_vector_core": ("infra/local_vector/core/limits.py", "import asyncio"),
    "sdks": ("functions/api/health.py", "import upstash_redis"),
    "adapters": ("functions/api/jobs.py", "from events.adapters import store"),
    "web_framework": ("functions/spec.py", "import starlette"),
    "functions_model_providers": (
        "functions/models/providers/hearing.py",
        "from functions.models.providers import client",
    ),
    "sentry_library": ("functions/edge.py", "import sentry_sdk"),
    "otel_library": ("functions/tracing.py", "import opentelemetry"),
    "metrics_library": ("functions/api/metrics.py", "import prometheus_client"),
    "model_libraries": ("functions/models/chain.py", "import pydantic_ai"),
    "provider_libraries": ("functions/models/providers/client.py", "import openai"),
    "model_providers_are_lazy": ("functions/agents/registry.py", "from functions.models.providers import errors"),
    "local_libraries": ("events/emitter.py", "import click"),
}


def _contracts() -> dict[str, configparser.SectionProxy]:
    config = configparser.ConfigParser()
    config.read(ROOT / CONFIG, encoding="utf-8")
    prefix = "importlinter:contract:"
    return {name.removeprefix(prefix): config[name] for name in config.sections() if name.startswith(prefix)}


def _lint(folder: Path) -> str:
    """What the linter says about the packages in that folder."""
    command = [str(LINT_IMPORTS), "--config", CONFIG, "--no-cache", "--no-logo"]
    environment = {"COLUMNS": "200", "PYTHONPATH": str(folder)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert "kept," in done.stdout, done.stdout + done.stderr
    assert (done.returncode == 0) == ("BROKEN" not in done.stdout), done.stdout
    return done.stdout


def _broken(folder: Path) -> set[str]:
    """The contracts that do not hold there."""
    said = _lint(folder)
    return {name for name, contract in _contracts().items() if f"\n{contract['name']} BROKEN" in said}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The four packages and the contracts, to be spoilt."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / CONFIG, tmp_path / CONFIG)
    return tmp_path


def test_the_contracts_hold() -> None:
    """Imports go one way."""
    said = _lint(ROOT)
    assert " 0 broken." in said, said


def test_each_contract_can_fail(copy: Path) -> None:
    """One planted import each; a contract without one here is not known to work."""
    assert set(PLANTED) == set(_contracts())
    for module, line in PLANTED.values():
        with (copy / module).open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")
    assert _broken(copy) == set(PLANTED)


def test_imports_for_type_checking_count(copy: Path) -> None:
    """A cycle behind TYPE_CHECKING is a cycle."""
    with (copy / "events/ids.py").open("a", encoding="utf-8") as file:
        file.write("\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from events import emitter\n")
    assert {"events", "acyclic"} <= _broken(copy)


def test_a_new_module_must_be_placed(copy: Path) -> None:
    """A module that no layer names breaks the contract of its package."""
    exhaustive = {name: contract for name, contract in _contracts().items() if contract.get("exhaustive") == "True"}
    for contract in exhaustive.values():
        (container,) = contract["containers"].split()
        (copy / container.replace(".", "/") / "stray.py").write_text("", encoding="utf-8")
    assert _broken(copy) == set(exhaustive)


def test_every_package_of_ours_is_looked_at() -> None:
    """A new top-level package must be added to the linter's roots."""
    config = configparser.ConfigParser()
    config.read(ROOT / CONFIG, encoding="utf-8")
    packages = {path.parent.name for path in ROOT.glob("[a-z]*/__init__.py")}
    assert set(config["importlinter"]["root_packages"].split()) == packages == set(PACKAGES)
