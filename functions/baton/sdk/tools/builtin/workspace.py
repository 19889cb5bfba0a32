"""Text files below one folder, read and written safely.

Invariant: nothing outside the folder is ever opened: absolute paths, `..`, hidden names and links that lead out are
refused, and a file's size is known before it is read. A written file appears whole or not at all, for every reader and
after a crash. Must not: remember anything between calls.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from baton.sdk.tools.tool_error import ToolError
from baton_events.values.text import storable


def write_whole_file(target: Path, content: bytes) -> None:
    """Write beside the target and rename; the target's folder must be there.

    Raises:
        OSError: it cannot be written; the target is as it was.
    """
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".", suffix=".part", delete=False) as file:
        temporary = Path(file.name)
        try:
            file.write(content)
            file.flush()
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


MAX_FILE_SIZE_BYTES = 1_000_000
_MAX_FILES_SEEN = 10_000  # a wrong root, such as a home folder, must not keep a function busy until its time limit
_FILES_NAMED_IN_ERRORS = 10


class Workspace:
    """The text files below `root`; paths are relative to it, with forward slashes."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def paths(self) -> list[str]:
        """List all files that may be read, sorted."""
        root = self._real_root()
        found: list[str] = []
        for path in _walk(root):
            if len(found) >= _MAX_FILES_SEEN:
                break
            if path.is_file() and path.resolve().is_relative_to(root):
                found.append(_shown(path.relative_to(root)))
        return sorted(found)

    def size_bytes(self, path: str) -> int:
        return self._locate(path).stat().st_size

    def text(self, path: str) -> str:
        """Read the whole text of a file."""
        file = self._locate(path)
        size_bytes = file.stat().st_size
        if size_bytes > MAX_FILE_SIZE_BYTES:
            raise ToolError(
                f"{path!r} has {size_bytes} bytes; files up to {MAX_FILE_SIZE_BYTES} bytes can be read", type="TooLarge"
            )
        try:
            text = file.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ToolError(f"{path!r} is not a text file in UTF-8; choose another file", type="NotText") from error
        if "\0" in text:
            raise ToolError(f"{path!r} is not a text file; choose another file", type="NotText")
        return text

    def write(self, path: str, text: str, *, replace: bool) -> int:
        """Write a file whole, with the folders on its way; return its size in bytes.

        Raises:
            ToolError: the path is refused, the text too large, or the file there and `replace` false; permanent.
        """
        content = storable(text).encode()
        if len(content) > MAX_FILE_SIZE_BYTES:
            message = f"the text has {len(content)} bytes; files up to {MAX_FILE_SIZE_BYTES} bytes can be written"
            raise ToolError(message, type="TooLarge")
        file = self._place_for(path)
        if file.is_symlink() or (file.exists() and not file.is_file()):
            raise ToolError(f"{path!r} is a link or a folder; choose another name", type="PathRefused")
        if file.exists() and not replace:
            raise ToolError(f"{path!r} exists already; set `replace` to overwrite it", type="FileExists")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole_file(file, content)
        except OSError as error:
            raise ToolError(f"cannot write {path!r}: {error.strerror}", type="NotWritten") from error
        return len(content)

    def _place_for(self, path: str) -> Path:
        """Return the path of a new file; no link on its way may lead out, though its folders need not exist yet."""
        root = self._real_root()
        _refuse_unsafe(path)
        if not PurePosixPath(path).name:
            raise ToolError(f"{path!r} names no file; give a path below the folder", type="PathRefused")
        folder = (root / path).parent.resolve()
        if not folder.is_relative_to(root):
            raise ToolError(f"{path!r} leads out of the folder; give a path below it", type="PathRefused")
        return folder / PurePosixPath(path).name

    def _real_root(self) -> Path:
        root = self._root.resolve()
        if not root.is_dir():
            raise ToolError(f"the folder {self._root.name!r} does not exist; create it, or configure another one")
        return root

    def _locate(self, path: str) -> Path:
        root = self._real_root()
        _refuse_unsafe(path)
        file = (root / path).resolve()
        if "\\" in path and not file.exists():
            file = next((one for one in _walk(root) if _shown(one.relative_to(root)) == path), file).resolve()
        if not file.is_relative_to(root):
            raise ToolError(f"{path!r} leads out of the folder; give a path below it", type="PathRefused")
        if not file.is_file():  # also keeps out pipes and devices, which could block forever
            raise ToolError(f"there is no file {path!r}; there are: {self._named()}", type="FileNotFound")
        return file

    def _named(self) -> str:
        paths = self.paths()
        more = len(paths) - _FILES_NAMED_IN_ERRORS
        names = ", ".join(paths[:_FILES_NAMED_IN_ERRORS]) or "none"
        return f"{names} and {more} more" if more > 0 else names


def _shown(path: Path) -> str:
    r"""Return a path as text: bytes of a name that are no UTF-8 stand as `\xe9`."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def _refuse_unsafe(path: str) -> None:
    posix, windows = PurePosixPath(path), PureWindowsPath(path)
    if posix.is_absolute() or windows.drive or windows.root:
        raise ToolError(f"{path!r} is an absolute path; give one relative to the folder", type="PathRefused")
    if ".." in posix.parts or ".." in windows.parts:
        raise ToolError(f"{path!r} contains '..'; give a path below the folder", type="PathRefused")
    if any(part.startswith(".") for part in posix.parts) or "\0" in path:
        raise ToolError(f"{path!r} is a hidden file or no file name; choose a listed file", type="PathRefused")


def _walk(root: Path) -> Iterator[Path]:
    """Yield every file that is not hidden, without following links to folders; in a fixed order."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(folder, name) for name in sorted(files) if not name.startswith("."))
