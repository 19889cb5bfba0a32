"""Sees changes of the user's code, so that `baton dev` starts the app again (keeper.py): Python files of one folder."""

import asyncio
from pathlib import Path

from watchfiles import PythonFilter, awatch

DEBOUNCE_MS = 200


class CodeChanges:
    """Changes below a folder; `changed` is set by each, and cleared by the reader that has acted on it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.changed = asyncio.Event()
        self.name = ""

    async def watch(self) -> None:
        """Look on until cancelled.

        Raises:
            OSError: the system lets nobody look.
        """
        async for changes in awatch(self._folder, watch_filter=PythonFilter(), debounce=DEBOUNCE_MS):
            self.name = min(str(Path(path).relative_to(self._folder)) for _, path in changes)
            self.changed.set()
