"""Compiles a bundle's modules, so that a cold start does not: Lambda's code is read-only and nothing is kept there.

Invariant: the bytes depend on the sources and the Python version alone: no times (`unchecked-hash`), no paths of this
machine, no random order of sets. https://docs.python.org/3/reference/import.html#pyc-invalidation
"""

import shutil
import subprocess
import sys
from pathlib import Path

from baton_local.bundle.lambda_platform import FOLDER, PYTHON, PYTHON_VERSION
from baton_local.dev.stack_error import StackError

_TIMEOUT_SECONDS = 600


def compile_modules(folder: Path, python: str) -> None:
    """Compile everything below a folder. A library's file that is for another Python is left as it is."""
    compiled = (python, "-s", "-S", "-m", "compileall", "-qq", "--invalidation-mode", "unchecked-hash")
    paths = ("-s", str(folder), "-p", FOLDER, str(folder))
    environment = {"PYTHONHASHSEED": "0"}
    subprocess.run([*compiled, *paths], env=environment, timeout=_TIMEOUT_SECONDS, check=False, capture_output=True)


def lambda_python(own: tuple[int, int] = sys.version_info[:2]) -> str:
    """A Python of the version that Lambda runs: the one that runs this, which is of version `own`, or one on PATH.

    Raises:
        StackError: there is none, and bytecode of another version would be ignored.
    """
    if own == PYTHON:
        return sys.executable
    found = shutil.which(f"python{PYTHON_VERSION}")
    if found is None or not _runs(found):
        raise StackError(
            f"Lambda runs Python {PYTHON_VERSION}, and only that version's bytecode is of use there: this is"
            f" {own[0]}.{own[1]}, and there is no python{PYTHON_VERSION} on PATH. Install it, or set up again with it:"
            f" `make clean`, then `make PYTHON=python{PYTHON_VERSION} package`"
        )
    return found


def _runs(program: str) -> bool:
    """Whether it is a Python, and not a version manager's notice that there is none."""
    done = subprocess.run([program, "-c", ""], check=False, capture_output=True, timeout=_TIMEOUT_SECONDS)
    return done.returncode == 0
