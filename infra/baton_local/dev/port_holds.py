"""Which ports other stacks of this person may not choose.

Two stacks that start in the same second both find a port free, because neither listens yet. Invariant: a held port is
chosen by no other stack while its holder lives. A lock per port: the kernel drops it when its holder ends in whatever
way. Must not bind the port: the part that gets it does.
"""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from baton_local.dev.ports import any_free_port, port_is_free
from baton_local.dev.private_file import PRIVATE_FILE_MODE, PRIVATE_FOLDER_MODE


class PortHolds:
    """The ports of one stack, in the folder that all of them share."""

    def __init__(self, folder: Path, is_free: Callable[[int], bool] = port_is_free) -> None:
        self._folder = folder
        self._is_free = is_free
        self._held: list[tuple[int, Path]] = []

    def take(self, port: int) -> bool:
        """Hold the port; False: another stack holds it, or a server listens there."""
        path = self._folder / str(port)
        try:
            lock = self._locked(path)
        except BlockingIOError:
            return False
        except OSError:
            return self._is_free(port)  # no room, or no right: as if nobody else were starting now
        self._held.append((lock, path))
        if self._is_free(port):
            return True
        self._release(*self._held.pop())
        return False

    def _locked(self, path: Path) -> int:
        """Lock the file at `path`; its last holder may remove it in the meantime, then the new one counts."""
        while True:
            self._folder.mkdir(mode=PRIVATE_FOLDER_MODE, parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE_MODE)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if path.stat().st_ino == os.fstat(lock).st_ino:
                        return lock
                except BlockingIOError:
                    os.close(lock)
                    raise
                except FileNotFoundError:
                    pass
                os.close(lock)

    def _release(self, lock: int, path: Path) -> None:
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(lock)

    def take_any(self, used: frozenset[int]) -> int:
        """Hold a free port that is none of `used`, and return it."""
        return any_free_port(used, self.take)

    def close(self) -> None:
        """Let others have the ports."""
        while self._held:
            self._release(*self._held.pop())
        with contextlib.suppress(OSError):
            self._folder.rmdir()  # unless others hold ports in it


def shared_holds() -> PortHolds:
    """Return holds in the folder that all stacks of this person on this machine share."""
    return PortHolds(Path(tempfile.gettempdir()) / f"baton-ports-{os.getuid()}")
