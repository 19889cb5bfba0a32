"""The folder in which one local index keeps everything: database, lock, token.

Invariant: one server process per folder, for the index in memory is the only one that knows the file.
"""

import os
from pathlib import Path

from baton_local.stand_in.folder import DataFolderError, lock_folder


class DataFolder:
    """Held for this process from construction until `release`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = lock_folder(path)
        except OSError as error:
            raise DataFolderError(f"cannot use {path} as data folder: {error}; name another with --data") from None

    @property
    def database_path(self) -> Path:
        """Where the records are."""
        return self.path / "vector.db"

    def release(self) -> None:
        """Let others have the folder."""
        os.close(self._lock)
