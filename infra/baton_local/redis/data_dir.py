"""The folder in which one local Redis keeps everything: data, socket, log, token, lock.

Invariant: one server process per folder, for two would write one append-only file.
"""

import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from baton_local.stand_in.folder import DataFolderError, lock_folder

_SOCKET_PATH_LIMIT_BYTES = 100  # sun_path holds 108 on Linux, 104 on macOS, its ending included
LOCK_WAIT_SECONDS = 3.0  # a killed server's forked AOF rewriter holds the lock until it notices


@dataclass(frozen=True, slots=True)
class DataDir:
    """Paths below the folder; nothing is created until asked for."""

    path: Path

    @property
    def log_path(self) -> Path:
        """Where the server writes its log."""
        return self.path / "valkey.log"

    @property
    def socket_path(self) -> Path:
        """Where the server listens; in the temporary folder when the own one is too deep for a socket's name."""
        inside = self.path.resolve() / "valkey.sock"
        if len(os.fsencode(inside)) <= _SOCKET_PATH_LIMIT_BYTES:
            return inside
        digest = hashlib.sha256(os.fsencode(inside)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"redis-rest-{os.getuid()}-{digest}" / "valkey.sock"

    def prepare(self) -> None:
        """Make the folder, and the socket's, for the owner alone.

        Raises:
            DataFolderError: that is not possible, or the socket's folder belongs to another user.
        """
        folder = self.socket_path.parent
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise DataFolderError(
                f"cannot create the data folder {self.path}: {error}; name another with --data"
            ) from None
        owner = folder.lstat()
        if owner.st_uid != os.getuid() or not stat.S_ISDIR(owner.st_mode):
            raise DataFolderError(f"{folder} belongs to another user; remove it or choose another --data")

    def check_free(self, wait_seconds: float = LOCK_WAIT_SECONDS) -> None:
        """See that no server runs over the folder, before anything is started.

        Raises:
            DataFolderError: one does.
        """
        os.close(self.lock(wait_seconds))

    def lock(self, wait_seconds: float = LOCK_WAIT_SECONDS) -> int:
        """Take the folder for this process; returns the descriptor that holds the lock while it is open.

        Raises:
            DataFolderError: another process has it.
        """
        return lock_folder(self.path, wait_seconds)
