"""Which lines of a part's log belong on the screen: errors, with their tracebacks.

Works on text only and knows no part's format: a line that names an error level begins an error, a traceback belongs to
it up to and including the line of its exception. Everything else stays in the log file.
"""

import re
from collections.abc import Iterable

ERROR_LEVEL = re.compile(r"\b(ERROR|CRITICAL|FATAL)\b")
TRACEBACK = "Traceback (most recent call last):"


class ErrorLines:
    """Picks the error lines out of a log that arrives bit by bit."""

    def __init__(self) -> None:
        self._in_traceback = False

    def pick(self, lines: Iterable[str]) -> list[str]:
        """Return those of the lines that a person should see."""
        return [line for line in lines if self._belongs(line)]

    def _belongs(self, line: str) -> bool:
        if TRACEBACK in line:
            self._in_traceback = True
            return True
        if self._in_traceback:
            # Its frames are indented; the first line that is not names the exception and ends it.
            self._in_traceback = line.startswith((" ", "\t")) or not line
            return True
        return bool(ERROR_LEVEL.search(line))
