"""The data folder of a stand-in: one server process per folder, and a token of its own.

Invariants: the system drops the lock when the process that holds it ends, however that dies. The token is readable by
its owner only. An error's text says why the folder cannot be used, and what to do.
"""

import fcntl
import os
import secrets
import time
from pathlib import Path

_POLL_SECONDS = 0.05


class DataFolderError(RuntimeError):
    """The folder cannot be used; the text says why and what to do."""


def lock_folder(folder: Path, wait_seconds: float = 0.0) -> int:
    """Take the folder for this process; return the descriptor that holds the lock while it is open.

    Raises DataFolderError: another process has it.
    """
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
                continue
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise DataFolderError(
                f"the data folder {folder} is in use by process {holder}; stop that one or choose another --data"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        return descriptor


def token_of(folder: Path) -> str:
    """Return the folder's own token, made at its first use. Raises DataFolderError: the file is there but empty."""
    path = folder / "token"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        token = path.read_text(encoding="utf-8").strip()
        if not token:
            raise DataFolderError(f"{path} is empty; remove it to get a new token, or give --token") from None
        return token
    token = secrets.token_urlsafe(32)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(token + "\n")
    return token
