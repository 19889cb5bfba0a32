"""The libraries of a bundle: the lock file's versions, with their hashes, as wheels for Lambda's platform.

Invariant: what is there afterwards depends on the lock file alone, not on the machine that installs.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from baton_local.bundle.lambda_platform import PLATFORMS, PYTHON_VERSION
from baton_local.bundle.uv import Uv

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
