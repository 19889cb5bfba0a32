"""The libraries of a bundle: the lock file's versions, with their hashes, as wheels for Lambda's platform.

uv knows the lock file and other platforms' wheels. Lambda's Python 3.11 is on Amazon Linux 2 (glibc 2.26), so wheels
must be of `manylinux2014` (glibc 2.17); those of `manylinux_2_28` would be installed and fail when they are imported.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
Invariant: the result depends on the lock file alone, not on the machine that installs.
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from baton_local.dev.stack_error import StackError
from baton_local.dev.surroundings import inherited_environment

PYTHON = (3, 11)
PYTHON_VERSION = ".".join(map(str, PYTHON))
FOLDER = "/var/task"  # where Lambda unpacks an archive

# Names as in CloudFormation's `Architectures`, and uv's for the same.
PLATFORMS = {"arm64": "aarch64-manylinux2014", "x86_64": "x86_64-manylinux2014"}

UNPACKED_LIMIT_BYTES = 250 * 1024 * 1024


_TIMEOUT_SECONDS = 600
_LAST_LINES = 8


class Uv:
    """The uv of this environment, or the one on PATH."""

    def __init__(self, project: Path) -> None:
        beside = Path(sys.executable).with_name("uv")
        found = str(beside) if beside.exists() else shutil.which("uv")
        if found is None:
            raise StackError("uv is needed for packaging, and neither beside this Python nor on PATH: run `make setup`")
        self._program = found
        self._project = project

    def export(self, *options: str) -> str:
        """The locked requirements of the project, without itself and without what only its developers need."""
        fixed = ("--frozen", "--no-dev", "--no-emit-project", "--no-header", "--no-annotate")
        return self._ask("export", *fixed, *options)

    def install(self, folder: Path, platform: str, python_version: str, options: Sequence[str]) -> None:
        """Unpack wheels for a platform into a folder. Nothing is built: what has no wheel is an error."""
        target = ("--target", str(folder), "--python-platform", platform, "--python-version", python_version)
        wheels = ("--only-binary", ":all:", "--no-compile-bytecode")
        install = ("pip", "install", *target, *wheels, *options)
        try:
            self._ask(*install)
        except StackError:  # machines behind a proxy have a certificate authority of their own
            self._ask(*install, "--system-certs")

    def _ask(self, *command: str) -> str:
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
            said = "\n".join(done.stderr.strip().splitlines()[-_LAST_LINES:])
            raise StackError(f"uv {command[0]} failed:\n{said}")
        return done.stdout


# Locked, but of no use here: pydantic-ai's embeddings and realtime speech import tiktoken, Baton uses neither, and its
# wheels need a newer glibc than Lambda's Python 3.11 has. Only tiktoken needs regex.
_LEFT_OUT = ("tiktoken", "regex")

# What an installer notes of itself, scripts that begin with the path of this machine's Python, lists of what was linked
# into a library, and what only a type checker reads.
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
    "pydantic/mypy.py",
)


class Libraries:
    """Installs libraries into the folder of a bundle."""

    def __init__(self, uv: Uv, platform: str, extras: Sequence[str]) -> None:
        self._uv = uv
        self._platform = PLATFORMS[platform]
        left_out = [option for name in _LEFT_OUT for option in ("--no-emit-package", name)]
        self._options = (*left_out, *(option for name in extras for option in ("--extra", name)))

    def install_locked(self, folder: Path, work: Path) -> None:
        """What our own code needs."""
        requirements = work / "locked.txt"
        requirements.write_text(self._uv.export(*self._options), encoding="utf-8")
        self._install(folder, "--require-hashes", "--no-deps", "--requirements", str(requirements))

    def install_added(self, folder: Path, work: Path, requirements: Path) -> None:
        """What somebody's agents need beside that; a version that is locked stays."""
        locked = work / "constraints.txt"
        locked.write_text(self._uv.export("--no-hashes", *self._options), encoding="utf-8")
        self._install(folder, "--requirements", str(requirements.resolve()), "--constraints", str(locked))

    def _install(self, folder: Path, *options: str) -> None:
        self._uv.install(folder, self._platform, PYTHON_VERSION, options)
        for pattern in _NOT_RUN:
            for path in folder.glob(pattern):
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()
