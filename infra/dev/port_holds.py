"""Which ports other stacks of this person may not choose.

Two stacks that start in the same second both find a port free, because neither listens yet. Invariant: a held port is
chosen by no other stack while its holder lives. A lock per port: the kernel drops it when its holder ends in whatever
way. Must not bind the port: the part that gets it does.
"""

import fcntl
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from infra.dev.ports import any_free_port, port_is_free
from infra.dev.private_file import PRIVATE_FILE_MODE, PRIVATE_FOLDER_MODE


class PortHolds:
    """The ports of one stack, in the folder that all of them share."""

    def __init__(self, folder: Path, is_free: Callable[[int], bool] = port_is_free) -> None:
        self._folder = folder
        self._is_free = is_free
        self._held: list[int] = []

    def take(self, port: int) -> bool:
        """Hold the port; False: another stack holds it, or a server listens there."""
        try:
            self._folder.mkdir(mode=PRIVATE_FOLDER_MODE, parents=True, exist_ok=True)
            lock = os.open(self._folder / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE_MODE)
        except OSError:
            return self._is_free(port)  # no room, or no right: as if nobody else were starting now
        self._held.append(lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free = self._is_free(port)
        except BlockingIOError:
            free = False
        if not free:
            os.close(self._held.pop())
        return free

    def take_any(self, used: frozenset[int]) -> int:
        """Hold a free port that is none of `used`, and return it."""
        return any_free_port(used, self.take)

    def close(self) -> None:
        """Let others have the ports."""
        while self._held:
            os.close(self._held.pop())


def shared_holds() -> PortHolds:
    """Return holds in the folder that all stacks of this person on this machine share."""
    return PortHolds(Path(tempfile.gettempdir()) / f"baton-ports-{os.getuid()}")
