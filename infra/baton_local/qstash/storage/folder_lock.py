"""One server per data folder: an advisory lock that the system drops when the process ends, however it ends."""

import fcntl
import os
from pathlib import Path


class FolderInUseError(RuntimeError):
    """Another process serves this data folder."""


class FolderLock:
    """Held from construction until `release`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "lock"
        self._file = path.open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            raise FolderInUseError(
                f"data folder {folder} is in use by process {holder}; stop it, or choose another folder with --data"
            ) from None
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        """Let others in."""
        self._file.close()
