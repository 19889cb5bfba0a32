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
    "layers": ("functions/baton/queue/dispatch.py", "from baton.worker.recovery import sweep"),
    "acyclic": ("infra/baton_local/dev/stack_error.py", "from baton_local.dev import stack"),
    "pure": ("functions/baton/engine/attempts.py", "import random"),
    "records_only": ("functions/baton/worker/recovery/sweep.py", "from baton.sdk.models import model"),
    "local": ("infra/baton_local/dev/stack.py", "from baton_local.cli import keys"),
    "stand_ins": ("infra/baton_local/redis/resp.py", "from baton_events import ids"),
    "sdks": ("functions/baton/server/api/admin/health.py", "import upstash_redis"),
    "adapters": ("functions/baton/server/api/jobs/job.py", "from baton.store.redis import connection"),
    "edge": ("functions/baton/worker/runtime/spec.py", "import starlette"),
    "single_places": ("functions/baton/worker/runtime/webhook.py", "import sentry_sdk"),
}


def _contracts() -> dict[str, configparser.SectionProxy]:
    config = configparser.ConfigParser()
    config.read(ROOT / CONFIG, encoding="utf-8")
    prefix = "importlinter:contract:"
    return {name.removeprefix(prefix): config[name] for name in config.sections() if name.startswith(prefix)}


def _lint(folder: Path) -> str:
    command = [str(LINT_IMPORTS), "--config", CONFIG, "--no-cache", "--no-logo"]
    environment = {
        "COLUMNS": "200",
        "PYTHONPATH": ":".join(str((folder / place).parent) for place in PACKAGES.values()),
    }
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert "kept," in done.stdout, done.stdout + done.stderr
    assert (done.returncode == 0) == ("BROKEN" not in done.stdout), done.stdout
    return done.stdout


def _broken(folder: Path) -> set[str]:
    """The contracts that do not hold there."""
    shown = _lint(folder)
    return {name for name, contract in _contracts().items() if f"\n{contract['name']} BROKEN" in shown}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The packages and the contracts, to be spoilt."""
    for place in PACKAGES.values():
        shutil.copytree(ROOT / place, tmp_path / place, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / CONFIG, tmp_path / CONFIG)
    return tmp_path


def test_the_contracts_hold() -> None:
    shown = _lint(ROOT)
    assert " 0 broken." in shown, shown


def test_each_contract_can_fail(copy: Path) -> None:
    """One planted import each; a contract without one here is not known to work."""
    assert set(PLANTED) == set(_contracts())
    for module, line in PLANTED.values():
        with (copy / module).open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")
    assert _broken(copy) == set(PLANTED)


def test_imports_for_type_checking_count(copy: Path) -> None:
    with (copy / "events/baton_events/ids.py").open("a", encoding="utf-8") as file:
        file.write("\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from baton.worker import container\n")
    assert {"layers"} <= _broken(copy)


def test_a_new_module_must_be_placed(copy: Path) -> None:
    """A module that no layer names breaks the contract of its package."""
    exhaustive = {name: contract for name, contract in _contracts().items() if contract.get("exhaustive") == "True"}
    for contract in exhaustive.values():
        (container,) = contract["containers"].split()
        (copy / PACKAGES[container] / "stray.py").write_text("", encoding="utf-8")
    assert _broken(copy) == set(exhaustive)


def test_every_package_of_ours_is_looked_at() -> None:
    """A new top-level package must be added to the linter's roots; deployed functions are each a file of two lines."""
    config = configparser.ConfigParser()
    config.read(ROOT / CONFIG, encoding="utf-8")
    packages = {path.parent.name for path in ROOT.glob("[a-su-z]*/*/__init__.py")} - {"handlers"}
    assert set(config["importlinter"]["root_packages"].split()) == packages == set(PACKAGES)
