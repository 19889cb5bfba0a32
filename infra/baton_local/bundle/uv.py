"""Asks uv, which knows the lock file and other platforms' wheels. Must not: write anywhere but where it is told."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from baton_local.dev.stack_error import StackError
from baton_local.dev.surroundings import inherited_environment

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
