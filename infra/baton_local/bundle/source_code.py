"""The code of a bundle: our packages, the user's agents and the deployed functions, copied and compiled.

Lambda's code is read-only and keeps no bytecode, so a cold start would compile each module. Invariants: nothing that is
hidden, compiled or made by tools is copied, and nothing that is there is written over. The bytes depend on the sources
and the Python version alone: no times (`unchecked-hash`), no paths of this machine, no random order of sets.
https://docs.python.org/3/reference/import.html#pyc-invalidation
"""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from baton.sdk.distribution import DISTRIBUTION
from baton_local.bundle.libraries import FOLDER, PYTHON, PYTHON_VERSION
from baton_local.dev.stack_error import StackError

OWN_PACKAGES = ("baton", "baton_events")
_FOR_TESTS = ("baton/testing", "baton/store/redis/in_process")
HANDLERS = Path("functions", "handlers")
REQUIREMENTS = "requirements.txt"
_MADE_BY_TOOLS = {"__pycache__", "node_modules"}
_BESIDE_THE_CODE = {REQUIREMENTS, "pyproject.toml", "uv.lock", "build", "dist", "infra", "tests", "venv"}
_BESIDE_THE_CODE |= {"Dockerfile", "Makefile", "README.md", "package.json", "package-lock.json", "serverless.yml"}


def copy_own(folder: Path) -> None:
    """Copy our packages, and say which version they are; the local stack and the tests stay behind."""
    for package in OWN_PACKAGES:
        _copy(Path(str(files(package))), folder / package)
    for part in _FOR_TESTS:
        shutil.rmtree(folder / part)
    ours = version(DISTRIBUTION)
    metadata = folder / f"{DISTRIBUTION.replace('-', '_')}-{ours}.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text(f"Metadata-Version: 2.1\nName: {DISTRIBUTION}\nVersion: {ours}\n", encoding="utf-8")


def copy_app(app: Path, folder: Path) -> None:
    """Copy what can be imported from `app`: the packages and modules in it, with their data.

    Raises:
        StackError: it is a package itself, there is nothing to import, or a name is taken.
    """
    if (app / "__init__.py").is_file():
        raise StackError(f"--app {app} is a package; name the folder that it is in: --app {app.parent}")
    parts = [path for path in _visible(app) if path.name not in _BESIDE_THE_CODE]
    if not any(path.suffix == ".py" or (path.is_dir() and any(path.rglob("*.py"))) for path in parts):
        raise StackError(f"--app {app}: there is no Python module or package in this folder")
    taken = [path.name for path in parts if (folder / path.name).exists()]
    if taken:
        raise StackError(f"--app {app}: {', '.join(taken)} is a name that Baton or a library has; choose another one")
    for path in parts:
        _copy(path, folder / path.name)


def copy_handlers(folder: Path) -> None:
    """Add the functions that serverless.yml names, as `baton init` writes them, where the user has none of his own."""
    (folder / HANDLERS).mkdir(parents=True, exist_ok=True)
    for template in (files("baton_local") / "project").joinpath(*HANDLERS.parts).iterdir():
        path = folder / HANDLERS / template.name.removesuffix(".tmpl")
        if not path.exists():
            path.write_text(template.read_text(encoding="utf-8"), encoding="utf-8")


def added_libraries(app: Path) -> Path | None:
    """Return the file with the libraries that the agents of another folder need, if there is one.

    Raises:
        StackError: they are named in the wrong place.
    """
    requirements, project = app / REQUIREMENTS, app / "pyproject.toml"
    if requirements.is_file():
        return requirements
    if not project.is_file():
        return None
    needs = tomllib.loads(project.read_text(encoding="utf-8")).get("project", {}).get("dependencies", [])
    if any(not str(need).startswith(DISTRIBUTION) for need in needs):
        raise StackError(
            f"--app {app}: its pyproject.toml names libraries, and a bundle takes them from {REQUIREMENTS}: write it"
            f" with `uv export --no-emit-project --no-emit-package {DISTRIBUTION} -o {REQUIREMENTS}` in that folder"
        )
    return None


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


_TIMEOUT_SECONDS = 600
# Parts of libraries that no function imports. Their source stays, for tools that do.
_SELDOM_IMPORTED = "(pydantic/(v1|deprecated|experimental)/|anyio/_backends/_trio|idna/uts46data)"


def compile_modules(folder: Path, python: str) -> None:
    """Compile all that functions import. A library's file that is for another Python is left as it is."""
    compiled = (python, "-s", "-S", "-m", "compileall", "-qq", "--invalidation-mode", "unchecked-hash")
    paths = ("-x", f"^{re.escape(str(folder))}/{_SELDOM_IMPORTED}", "-s", str(folder), "-p", FOLDER, str(folder))
    environment = {"PYTHONHASHSEED": "0"}
    subprocess.run([*compiled, *paths], env=environment, timeout=_TIMEOUT_SECONDS, check=False, capture_output=True)


def lambda_python(own: tuple[int, int] = sys.version_info[:2]) -> str:
    """Return a Python of Lambda's version: the one that runs this, of version `own`, or one on PATH.

    Raises:
        StackError: there is none, and bytecode of another version would be ignored.
    """
    if own == PYTHON:
        return sys.executable
    found = shutil.which(f"python{PYTHON_VERSION}")
    if found is None or not _runs(found):
        raise StackError(
            f"Lambda runs Python {PYTHON_VERSION}, and only that version's bytecode is of use there: this is"
            f" {own[0]}.{own[1]}, and there is no python{PYTHON_VERSION} on PATH. Install it:"
            f" `uv python install {PYTHON_VERSION}`"
        )
    return found


def _runs(program: str) -> bool:
    """Return whether it is a Python, and not a version manager's notice that there is none."""
    done = subprocess.run([program, "-c", ""], check=False, capture_output=True, timeout=_TIMEOUT_SECONDS)
    return done.returncode == 0
