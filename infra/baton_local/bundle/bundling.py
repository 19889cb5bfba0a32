"""Makes a bundle: libraries, our code, somebody's agents, bytecode, archive.

There are two: `baton`, for every function but one, and `baton-models`, for the one that calls models of providers.
Their libraries are six times the rest, and no other function imports them.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from baton_local.bundle.archive import Archive, pack, unpacked_bytes
from baton_local.bundle.bytecode import compile_modules, lambda_python
from baton_local.bundle.lambda_platform import UNPACKED_LIMIT_BYTES
from baton_local.bundle.libraries import Libraries
from baton_local.bundle.source_code import REQUIREMENTS, copy_app, copy_own
from baton_local.bundle.uv import Uv
from baton_local.dev.stack_error import StackError

# The name of a bundle, and the extras of pyproject.toml that are in it.
BUNDLES = {"baton": (), "baton-models": ("models",)}


@dataclass(frozen=True, slots=True)
class Ingredients:
    """What goes into a bundle beside our own code.

    Attributes:
        platform: `arm64` or `x86_64`.
        extras: of pyproject.toml, such as `otel`.
        app: the folder with somebody's agents; None for the samples alone.
    """

    platform: str
    extras: Sequence[str] = ()
    app: Path | None = None


class Bundling:
    """Makes bundles from a clone of the repository.

    Raises:
        StackError: this is no clone, or there is no Python that makes Lambda's bytecode.
    """

    def __init__(self, root: Path) -> None:
        if not (root / "uv.lock").is_file():
            raise StackError(f"{root} has no uv.lock: bundles are made in a clone of Baton's repository")
        self._root = root
        self._uv = Uv(root)
        self._python = lambda_python()

    def make(self, name: str, wanted: Ingredients, out: Path) -> Archive:
        """Write `OUT/NAME-PLATFORM.zip`."""
        with tempfile.TemporaryDirectory(prefix="baton-bundle-") as work:
            folder = Path(work, "task")
            folder.mkdir()
            self._fill(folder, Path(work), name, wanted)
            size_bytes = unpacked_bytes(folder)
            if size_bytes > UNPACKED_LIMIT_BYTES:
                raise StackError(
                    f"{name} has {size_bytes / 2**20:.0f} MB, and Lambda takes {UNPACKED_LIMIT_BYTES / 2**20:.0f}:"
                    f" leave libraries out of {REQUIREMENTS}"
                )
            return pack(folder, out / f"{name}-{wanted.platform}.zip")

    def _fill(self, folder: Path, work: Path, name: str, wanted: Ingredients) -> None:
        libraries = Libraries(self._uv, wanted.platform, (*BUNDLES[name], *wanted.extras))
        libraries.install_locked(folder, work)
        copy_own(self._root, folder)
        if wanted.app is not None:
            copy_app(wanted.app, folder)
            requirements = wanted.app / REQUIREMENTS
            if requirements.is_file():
                libraries.install_added(folder, work, requirements)
        compile_modules(folder, self._python)
