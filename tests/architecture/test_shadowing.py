import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

from baton.distribution import DISTRIBUTION
from tests.architecture.source_files import PACKAGES, ROOT

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
