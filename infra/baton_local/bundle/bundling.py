"""Makes a bundle: libraries, our code, the user's agents, bytecode, and one zip file of it all.

There are two bundles: `baton`, for every function but one, and `baton-models`, for the one that calls models of
providers. Their libraries are six times the rest, and no other function imports them. Invariant: the same files give
the same bytes: names are sorted, and no times and no owners are kept.
"""

import stat
import tempfile
import tomllib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from baton.sdk.distribution import DISTRIBUTION
from baton_local.bundle.libraries import UNPACKED_LIMIT_BYTES, Libraries
from baton_local.bundle.source_code import (
    added_libraries,
    compile_modules,
    copy_app,
    copy_handlers,
    copy_own,
    lambda_python,
)
from baton_local.dev.stack_error import StackError

_EARLIEST = (1980, 1, 1, 0, 0, 0)  # a zip file has no times before it
_MODE, _PROGRAM_MODE = stat.S_IFREG | 0o644, stat.S_IFREG | 0o755
_UNIX = 3
_SMALLEST = 9


@dataclass(frozen=True, slots=True)
class Archive:
    """A packed bundle."""

    path: Path
    packed_bytes: int
    unpacked_bytes: int
    digest: str


def unpacked_bytes(folder: Path) -> int:
    """Return the size of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def pack(folder: Path, path: Path) -> Archive:
    """Write the archive; one that is there is replaced."""
    names = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            entry = zipfile.ZipInfo(name, _EARLIEST)
            entry.external_attr = (_PROGRAM_MODE if name.endswith(".sh") else _MODE) << 16
            entry.create_system = _UNIX
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, (folder / name).read_bytes(), compresslevel=_SMALLEST)
    content = path.read_bytes()
    return Archive(path, len(content), unpacked_bytes(folder), sha256(content).hexdigest())


# The name of a bundle, and the extras of pyproject.toml that are in it.
BUNDLES = {"baton": ("site",), "baton-models": ("models",)}


@dataclass(frozen=True, slots=True)
class Ingredients:
    """What goes into a bundle beside our own code and the project's libraries.

    Attributes:
        platform: `arm64` or `x86_64`.
        extras: of pyproject.toml, such as `otel`.
        app: the folder with somebody's agents; None for the project's own, or for the samples in a clone of Baton.
    """

    platform: str
    extras: Sequence[str] = ()
    app: Path | None = None


class Bundling:
    """Makes bundles of a project: one that `baton init` made, any other with a pyproject.toml, or a clone of Baton.

    Raises:
        StackError: this is no project, or there is no uv, or no Python that makes Lambda's bytecode.
    """

    def __init__(self, project: Path) -> None:
        self._project = project.resolve()
        self._libraries = Libraries(self._project)
        self._python = lambda_python()

    @property
    def are_locked(self) -> bool:
        """Whether the project's libraries are those of a lock file."""
        return self._libraries.are_locked

    def make(self, name: str, wanted: Ingredients, out: Path) -> Archive:
        """Write `OUT/NAME-PLATFORM.zip`."""
        with tempfile.TemporaryDirectory(prefix="baton-bundle-") as work:
            folder = Path(work, "task")
            folder.mkdir()
            self._fill(folder, Path(work), (*BUNDLES[name], *wanted.extras), wanted)
            size_bytes = unpacked_bytes(folder)
            if size_bytes > UNPACKED_LIMIT_BYTES:
                raise StackError(
                    f"{name} has {size_bytes / 2**20:.0f} MB, and Lambda takes {UNPACKED_LIMIT_BYTES / 2**20:.0f}:"
                    " leave libraries out"
                )
            return pack(folder, out / f"{name}-{wanted.platform}.zip")

    def _fill(self, folder: Path, work: Path, extras: Sequence[str], wanted: Ingredients) -> None:
        listed = self._libraries.install(folder, work, wanted.platform, extras)
        copy_own(folder)
        app = self._app(wanted)
        if app is not None:
            copy_app(app, folder)
            added = added_libraries(app) if app != self._project else None
            if added is not None:
                self._libraries.install_added(folder, wanted.platform, added, listed)
        copy_handlers(folder)
        compile_modules(folder, self._python)

    def _app(self, wanted: Ingredients) -> Path | None:
        if wanted.app is not None:
            return wanted.app.resolve()
        settings = tomllib.loads((self._project / "pyproject.toml").read_text(encoding="utf-8"))
        return None if settings.get("project", {}).get("name") == DISTRIBUTION else self._project
