"""The folder in which one local index keeps everything: database, lock, token.

Invariant: one server process per folder, for the index in memory is the only one that knows the file. The token is
readable by its owner only.
"""

import os
import secrets
from pathlib import Path

from baton_local.vector.storage.folder_lock import FolderLock


class DataFolderError(RuntimeError):
    """The folder cannot be used; the text says why and what to do."""


class DataFolder:
    """Held for this process from construction until `release`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = FolderLock(path)
        except OSError as error:
            raise DataFolderError(f"cannot use {path} as data folder: {error}; name another with --data") from None

    @property
    def database_path(self) -> Path:
        """Where the records are."""
        return self.path / "vector.db"

    def token(self) -> str:
        """The folder's own token, made at its first use."""
        path = self.path / "token"
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

    def release(self) -> None:
        """Let others have the folder."""
        self._lock.release()
