"""Packs a folder into a zip file. Invariant: the same files give the same bytes: names sorted, no times, no owners."""

import stat
import zipfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

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
