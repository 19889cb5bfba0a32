"""Copies source trees into a bundle: our packages, and somebody's agents beside them.

Invariant: nothing that is hidden, compiled or made by tools is copied, and nothing that is there is written over.
"""

import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

from baton.distribution import DISTRIBUTION
from baton_local.dev.stack_error import StackError

OWN_PACKAGES = {"baton": "functions/baton", "baton_events": "events/baton_events"}
REQUIREMENTS = "requirements.txt"
_MADE_BY_TOOLS = {"__pycache__", "node_modules"}
_BESIDE_THE_CODE = {REQUIREMENTS, "pyproject.toml", "uv.lock", "build", "dist", "tests", "venv"}


def copy_own(root: Path, folder: Path) -> None:
    """Copy our packages, and say which version they are; the local stack and the tests stay behind."""
    for package, place in OWN_PACKAGES.items():
        _copy(root / place, folder / package)
    version = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    metadata = folder / f"{DISTRIBUTION.replace('-', '_')}-{version}.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text(f"Metadata-Version: 2.1\nName: {DISTRIBUTION}\nVersion: {version}\n", encoding="utf-8")


def copy_app(app: Path, folder: Path) -> None:
    """Copy what can be imported from `app`: the packages and modules in it, with their data.

    Raises:
        StackError: it is a package itself, there is nothing to import, a name is taken, or libraries are named in the
            wrong place.
    """
    if (app / "__init__.py").is_file():
        raise StackError(f"--app {app} is a package; name the folder that it is in: --app {app.parent}")
    _check_libraries(app)
    parts = [path for path in _visible(app) if path.name not in _BESIDE_THE_CODE]
    if not any(path.suffix == ".py" or (path.is_dir() and any(path.rglob("*.py"))) for path in parts):
        raise StackError(f"--app {app}: there is no Python module or package in this folder")
    taken = [path.name for path in parts if (folder / path.name).exists()]
    if taken:
        raise StackError(f"--app {app}: {', '.join(taken)} is a name that Baton or a library has; choose another one")
    for path in parts:
        _copy(path, folder / path.name)


def _check_libraries(app: Path) -> None:
    project = app / "pyproject.toml"
    if not project.is_file() or (app / REQUIREMENTS).is_file():
        return
    needs = tomllib.loads(project.read_text(encoding="utf-8")).get("project", {}).get("dependencies", [])
    if any(not str(need).startswith(DISTRIBUTION) for need in needs):
        raise StackError(
            f"--app {app}: its pyproject.toml names libraries, and a bundle takes them from {REQUIREMENTS}: write it"
            f" with `uv export --no-emit-project --no-emit-package {DISTRIBUTION} -o {REQUIREMENTS}` in that folder"
        )


def _visible(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if not path.name.startswith(".") and path.name not in _MADE_BY_TOOLS and path.suffix != ".pyc":
            yield path


def _copy(source: Path, target: Path) -> None:
    if not source.is_dir():
        shutil.copyfile(source, target)
        return
    target.mkdir()
    for path in _visible(source):
        _copy(path, target / path.name)
