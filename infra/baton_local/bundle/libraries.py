"""The libraries of a project, with their hashes, as wheels for Lambda's platform.

They are those of its lock file, or what its pyproject.toml resolves to where it has none; uv knows both. Lambda's
Python 3.11 is on Amazon Linux 2 (glibc 2.26), so wheels must be of `manylinux2014` (glibc 2.17). Those of
`manylinux_2_28` would be installed and fail when they are imported.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
Invariants: with a lock file the result depends on it alone, not on the machine that installs. Baton is not among the
libraries: the one that packages is copied, however it was installed.
"""

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from baton.sdk.distribution import DISTRIBUTION
from baton_local.dev.environment import inherited_environment
from baton_local.dev.stack_error import StackError

PYTHON = (3, 11)
PYTHON_VERSION = ".".join(map(str, PYTHON))
FOLDER = "/var/task"  # where Lambda unpacks an archive

# Names as in CloudFormation's `Architectures`, and uv's for the same.
PLATFORMS = {"arm64": "aarch64-manylinux2014", "x86_64": "x86_64-manylinux2014"}

UNPACKED_LIMIT_BYTES = 250 * 1024 * 1024


_TIMEOUT_SECONDS = 600
_LAST_LINES = 8


class Uv:
    """The uv of this environment, the one on PATH, or one that pip puts into the project's `.baton`.

    Raises:
        StackError: there is none.
    """

    def __init__(self, project: Path) -> None:
        beside, brought = Path(sys.executable).with_name("uv"), project / ".baton" / "uv"
        programs = (beside, shutil.which("uv"), brought / "bin" / "uv")
        found = next((program for program in programs if program and Path(program).exists()), None)
        self._program = str(found or _bring(brought))
        self._project = project

    def run(self, *command: str) -> str:
        """Run a command in the project's folder; what it prints.

        Raises StackError: it failed, with the last lines that it said.
        """
        try:
            return self._run(*command)
        except StackError:  # machines behind a proxy have a certificate authority of their own
            return self._run(*command, "--system-certs")

    def _run(self, *command: str) -> str:
        environment = {**inherited_environment(), "UV_PYTHON_DOWNLOADS": "never"}
        done = subprocess.run(
            [self._program, *command, "--quiet"],
            cwd=self._project,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode:
            raise StackError(f"uv {command[0]} failed:\n{_last_lines(done.stderr)}")
        return done.stdout


def _bring(folder: Path) -> Path:
    """Install uv into this folder, so that a project with Baton alone can be packaged; the program."""
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    command = (*pip, "--target", str(folder), "uv")
    done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)
    if done.returncode:
        raise StackError(
            "uv is needed for packaging. It is neither beside this Python nor on PATH, and pip could not install it:\n"
            f"{_last_lines(done.stderr)}\nInstall it: https://docs.astral.sh/uv/getting-started/installation"
        )
    return folder / "bin" / "uv"


def _last_lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-_LAST_LINES:])


# Of no use here, with what nothing else needs: pydantic-ai's embeddings and realtime speech import tiktoken, and Baton
# uses neither. Its wheels need a newer glibc than Lambda's Python 3.11 has.
_LEFT_OUT = "tiktoken"

# What an installer notes of itself, scripts that begin with the path of this machine's Python, lists of what was linked
# into a library, what it was compiled from, tables of places for people, and what only a type checker, a test runner or
# a command loads.
_NOT_RUN = (
    ".lock",
    "bin",
    "*.dist-info/RECORD",
    "*.dist-info/INSTALLER",
    "*.dist-info/REQUESTED",
    "*.dist-info/direct_url.json",
    "*.dist-info/uv_cache.json",
    "*.dist-info/sboms",
    "**/*.pyi",
    "httptools/**/*.pxd",
    "httptools/**/*.pyx",
    "httpx/_main.py",
    "anyio/pytest_plugin.py",
    "anyio/_backends/_trio.py",
    "pydantic/mypy.py",
    "pydantic/v1/_hypothesis_plugin.py",
    "pydantic/v1/mypy.py",
    "starlette/testclient.py",
    "tzdata/zoneinfo/tzdata.zi",
    "tzdata/zoneinfo/*.tab",
)

LOCAL_DISTRIBUTION = "durable-baton-local"  # infra/pyproject.toml
_OWN = (DISTRIBUTION, LOCAL_DISTRIBUTION)
_LISTED = ("--no-header", "--no-annotate", *(option for name in _OWN for option in ("--no-emit-package", name)))


class Libraries:
    """Lists a project's libraries, and installs them into the folder of a bundle.

    Raises:
        StackError: the folder is no project, it has locked another Baton, or there is no uv.
    """

    def __init__(self, project: Path) -> None:
        if not (project / "pyproject.toml").is_file():
            raise StackError(f"{project} has no pyproject.toml: package in a project's folder (`baton init NAME`)")
        lock = project / "uv.lock"
        self.are_locked = lock.is_file()
        if self.are_locked:
            _check_own_version(lock)
        self._uv = Uv(project)

    def requirements(self, work: Path, platform: str, extras: Sequence[str]) -> str:
        """Return the project's requirements with these extras, versions and hashes; without Baton itself."""
        options = [option for name in extras for option in ("--extra", name)]
        return self._locked(options) if self.are_locked else self._resolved(work, platform, options)

    def install(self, folder: Path, work: Path, platform: str, extras: Sequence[str]) -> Path:
        """Unpack what the project needs with these extras; the file that lists it."""
        listed = work / "libraries.txt"
        listed.write_text(self.requirements(work, platform, extras), encoding="utf-8")
        self._install(folder, platform, "--require-hashes", "--no-deps", "--requirements", str(listed))
        return listed

    def install_added(self, folder: Path, platform: str, requirements: Path, listed: Path) -> None:
        """Unpack what somebody's agents need beside that; a version that is listed stays."""
        self._install(folder, platform, "--requirements", str(requirements.resolve()), "--constraints", str(listed))

    def _locked(self, options: Sequence[str]) -> str:
        which = ("--locked", "--no-dev", "--no-emit-project", "--prune", _LEFT_OUT)
        return self._uv.run("export", *which, *_LISTED, *options)

    def _resolved(self, work: Path, platform: str, options: Sequence[str]) -> str:
        own, left_out = work / "own.txt", work / "left-out.txt"
        own.write_text(f"{DISTRIBUTION}=={version(DISTRIBUTION)}\n", encoding="utf-8")
        left_out.write_text(f"{_LEFT_OUT}; python_version < '3'\n", encoding="utf-8")
        known = ("--generate-hashes", "--constraints", str(own), "--overrides", str(left_out))
        return self._uv.run("pip", "compile", "pyproject.toml", *_LISTED, *known, *_wheels(platform), *options)

    def _install(self, folder: Path, platform: str, *options: str) -> None:
        target = ("--target", str(folder), "--no-compile-bytecode")
        self._uv.run("pip", "install", *target, *_wheels(platform), *options)
        _name_what_is_installed(folder)
        for pattern in _NOT_RUN:
            for path in folder.glob(pattern):
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()
        for path in folder.glob("*.dist-info/METADATA"):  # its headers are read, and never the README below them
            headers = path.read_text(encoding="utf-8").partition("\n\n")[0].rstrip("\n")
            path.unlink()  # uv links files to those of its cache, and all projects of this machine use them
            path.write_text(f"{headers}\n", encoding="utf-8")


def _name_what_is_installed(folder: Path) -> None:
    """Note the packages of each library, which lie beside the user's code: a workflow is read through that alone."""
    for record in folder.glob("*.dist-info/RECORD"):
        files = (line.partition(",")[0] for line in record.read_text(encoding="utf-8").splitlines())
        tops = {path.partition("/")[0].removesuffix(".py") for path in files}
        names = sorted(top for top in tops if "." not in top and top)
        listed = record.with_name("top_level.txt")
        listed.unlink(missing_ok=True)  # it may be one of uv's cache
        listed.write_text("\n".join(names), encoding="utf-8")


def _wheels(platform: str) -> tuple[str, ...]:
    """Download wheels for Lambda's platform alone. Nothing is built: a library without a wheel is an error."""
    return ("--python-platform", PLATFORMS[platform], "--python-version", PYTHON_VERSION, "--only-binary", ":all:")


def _check_own_version(lock: Path) -> None:
    packages = tomllib.loads(lock.read_text(encoding="utf-8")).get("package", [])
    locked = next((each.get("version") for each in packages if each["name"] == DISTRIBUTION), None)
    ours = version(DISTRIBUTION)
    if locked not in (None, ours):
        raise StackError(f"{lock} has {DISTRIBUTION} {locked}, and this is {ours}: run `uv sync`, or `uv lock`")
