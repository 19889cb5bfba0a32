"""Makes a bundle: libraries, our code, the user's agents, bytecode, and one zip file of it all.

There are two bundles: `baton`, for every function but one, and `baton-models`, for the one that calls models of
providers. Their libraries are six times the rest, and no other function imports them. Invariant: the same files give
the same bytes: names are sorted, and no times and no owners are kept.
"""

import stat
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from baton_local.bundle.libraries import UNPACKED_LIMIT_BYTES, Libraries, Uv
from baton_local.bundle.source_code import REQUIREMENTS, compile_modules, copy_app, copy_own, lambda_python
from baton_local.dev.stack_error import StackError

_EARLIEST = (1980, 1, 1, 0, 0, 0)  # a zip file has no times before it
_MODE = stat.S_IFREG | 0o644
_UNIX = 3


@dataclass(frozen=True, slots=True)
class Archive:
    """A packed bundle."""

    path: Path
    packed_bytes: int
    unpacked_bytes: int
    digest: str


def unpacked_bytes(folder: Path) -> int:
    """The size of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def pack(folder: Path, path: Path) -> Archive:
    """Write the archive; one that is there is replaced."""
    names = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in names:
            entry = zipfile.ZipInfo(name, _EARLIEST)
            entry.external_attr = _MODE << 16
            entry.create_system = _UNIX
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, (folder / name).read_bytes(), compresslevel=6)
    content = path.read_bytes()
    return Archive(path, len(content), unpacked_bytes(folder), sha256(content).hexdigest())


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
