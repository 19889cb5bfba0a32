"""Sees changes of the user's code, so that `baton dev` starts the app again (keeper.py): Python files of one folder.

Tests are not seen: the app does not run them, and a restart breaks off its work. They are where the app itself is one.
"""

import asyncio
from pathlib import Path

from watchfiles import Change, PythonFilter, awatch

from baton_local.dev.part import Code

DEBOUNCE_MS = 200


class CodeFilter(PythonFilter):
    """Picks changes of what may be running."""

    def __init__(self, code: Code) -> None:
        super().__init__()
        self._folder = code.folder
        self._runs_tests = is_test(Path(*code.module.split(".")).with_suffix(".py"))

    def __call__(self, change: Change, path: str) -> bool:
        """Return whether this change counts."""
        return super().__call__(change, path) and (
            self._runs_tests or not is_test(Path(path).relative_to(self._folder))
        )


def is_test(path: Path) -> bool:
    """Return whether a file is there for tests alone, by the names that pytest and unittest use."""
    in_tests = not {"tests", "test"}.isdisjoint(path.parts[:-1])
    named = path.stem in {"conftest", "tests"} or path.stem.startswith("test_") or path.stem.endswith("_test")
    return in_tests or named


class CodeChanges:
    """Changes below a folder; `changed` is set by each, and cleared by the reader that has acted on it."""

    def __init__(self, code: Code) -> None:
        self._code, self._folder = code, code.folder
        self.changed = asyncio.Event()
        self.name = ""

    async def watch(self) -> None:
        """Look on until cancelled.

        Raises:
            OSError: the system lets nobody look.
        """
        async for changes in awatch(self._folder, watch_filter=CodeFilter(self._code), debounce=DEBOUNCE_MS):
            self.name = min(str(Path(path).relative_to(self._folder)) for _, path in changes)
            self.changed.set()
