"""The folder in which one local Redis keeps everything: data, socket, log, token, lock.

Invariant: one server process per folder, for two would write one append-only file; the lock ends with the process
that holds it, however that dies. Secrets are readable by their owner only.
"""

import fcntl
import hashlib
import os
import secrets
import stat
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

_SOCKET_PATH_LIMIT_BYTES = 100  # sun_path holds 108 on Linux, 104 on macOS, its ending included
LOCK_WAIT_SECONDS = 3.0  # a killed server's forked AOF rewriter holds the lock until it notices
_LOCK_POLL_SECONDS = 0.05


class DataDirError(Exception):
    """The folder cannot be used; the text says why and what to do."""


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

    def create(self) -> None:
        """Make the folder, and the socket's, for the owner alone.

        Raises:
            DataDirError: that is not possible, or the socket's folder belongs to somebody else.
        """
        folder = self.socket_path.parent
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise DataDirError(
                f"cannot create the data folder {self.path}: {error}; name another with --data"
            ) from None
        owner = folder.lstat()
        if owner.st_uid != os.getuid() or not stat.S_ISDIR(owner.st_mode):
            raise DataDirError(f"{folder} belongs to another user; remove it or choose another --data")

    def token(self) -> str:
        """The folder's own token, made at its first use.

        Raises:
            DataDirError: the file is there but empty.
        """
        path = self.path / "token"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            token = path.read_text().strip()
            if not token:
                raise DataDirError(f"{path} is empty; remove it to get a new token, or give --token") from None
            return token
        token = secrets.token_urlsafe(32)
        with os.fdopen(descriptor, "w") as file:
            file.write(token + "\n")
        return token

    def check_free(self, wait_seconds: float = LOCK_WAIT_SECONDS) -> None:
        """See that no server runs over the folder, before anything is started.

        Raises:
            DataDirError: one does.
        """
        os.close(self.lock(wait_seconds))

    def lock(self, wait_seconds: float = LOCK_WAIT_SECONDS) -> int:
        """Take the folder for this process; returns the descriptor that holds the lock while it is open.

        Raises:
            DataDirError: another process has it.
        """
        path = self.path / "lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + wait_seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < deadline:
                    time.sleep(_LOCK_POLL_SECONDS)
                    continue
                holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
                os.close(descriptor)
                raise DataDirError(
                    f"the data folder {self.path} is in use by process {holder}; stop that one or choose another --data"
                ) from None
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            return descriptor
