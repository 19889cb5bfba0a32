"""One server per data folder: an advisory lock that the system drops when the process ends, however it ends."""

import fcntl
import os
from pathlib import Path


class FolderInUseError(RuntimeError):
    """Another process serves this data folder."""


class FolderLock:
    """Held from construction until `release`."""

    def __init__(self, folder: Path) -> None:
        self._descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise FolderInUseError(
                f"the data folder {folder} is in use by process {holder}; stop that one or choose another --data"
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let others in."""
        os.close(self._descriptor)
