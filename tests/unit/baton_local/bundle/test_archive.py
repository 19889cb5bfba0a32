"""The archive: the same files give the same bytes, whenever and wherever they were made."""

import os
import zipfile
from pathlib import Path

from baton_local.bundle.bundling import pack


def folder_of(parent: Path, name: str, *files: tuple[str, bytes]) -> Path:
    folder = parent / name
    for path, content in files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def test_times_order_and_rights_change_nothing(tmp_path: Path) -> None:
    one = folder_of(tmp_path, "one", ("a.py", b"1"), ("b/c.py", b"2"))
    other = folder_of(tmp_path, "other", ("b/c.py", b"2"), ("a.py", b"1"))
    os.utime(other / "a.py", (1, 1))
    (other / "a.py").chmod(0o600)
    first, second = pack(one, tmp_path / "1.zip"), pack(other, tmp_path / "2.zip")
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.digest == second.digest
    assert (first.packed_bytes, first.unpacked_bytes) == (first.path.stat().st_size, 2)


def test_another_byte_gives_another_digest(tmp_path: Path) -> None:
    """So that the digest says whether two bundles are the same."""
    one, other = (folder_of(tmp_path, name, ("a.py", name.encode())) for name in ("x", "y"))
    assert pack(one, tmp_path / "1.zip").digest != pack(other, tmp_path / "2.zip").digest


def test_lambda_may_read_everything(tmp_path: Path) -> None:
    """Its user is not the one who packed; names are sorted, and scripts of the shell can be run."""
    files = (("z.py", b""), ("a/b.py", b""), ("run.sh", b""))
    made = pack(folder_of(tmp_path, "f", *files), tmp_path / "new" / "f.zip")
    with zipfile.ZipFile(made.path) as archive:
        modes = [(entry.filename, entry.external_attr >> 16 & 0o777) for entry in archive.infolist()]
    assert modes == [("a/b.py", 0o644), ("run.sh", 0o755), ("z.py", 0o644)]
