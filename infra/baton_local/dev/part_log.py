"""The log file of one part, and which of its lines belong on the screen: errors, and what a person's code says.

The part writes straight into the file, so a busy supervisor never slows a part down, and nothing is lost when the
supervisor is killed. Invariant: a file older than the size limit is set aside (`NAME.log.1`) before a part starts on
it, so that a folder holds at most two such files per part. The screen has two kinds of lines, which a command may treat
differently: notices are the supervisor's own and few; log lines are a part's, and may be many.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from baton_local.dev.data_folder import PRIVATE_FILE_MODE, make_private_folder


class Screen(Protocol):
    """Where the stack's words go."""

    def notice(self, name: str, line: str) -> None:
        """Say something about a part, or about the stack as a whole."""

    def log_line(self, name: str, line: str) -> None:
        """Show a line of a part's log."""


OWN_LINE = "> "  # before what a person's own code prints or logs
ERROR_LEVEL = re.compile(r"\b(ERROR|CRITICAL|FATAL)\b")
# What became of a person's tool, which is shown while its part is being stopped, too; and what a deploy lacks.
OF_TOOLS = re.compile(r" WARNING baton\.(tools|claims|deploy): ")
TRACEBACK = "Traceback (most recent call last):"
_IDS = re.compile(r" \[messageId=.*? jobId=(\S+).*\]$")


class ShownLines:
    """Picks what a person should see out of a log that arrives bit by bit."""

    def __init__(self) -> None:
        self._in_traceback = False

    def pick(self, lines: Iterable[str]) -> list[str]:
        """Return those of the lines, without marks; of ids that of the job."""
        return [_IDS.sub(r" [\1]", line.removeprefix(OWN_LINE)) for line in lines if self._belongs(line)]

    def _belongs(self, line: str) -> bool:
        if TRACEBACK in line:
            self._in_traceback = True
            return True
        if self._in_traceback:
            # Its frames are indented; the first line that is not names the exception and ends it.
            self._in_traceback = line.startswith((" ", "\t")) or not line
            return True
        return line.startswith(OWN_LINE) or bool(ERROR_LEVEL.search(line) or OF_TOOLS.search(line))


LOG_LIMIT_BYTES = 5_000_000
TAIL_BYTES = 8_192


@dataclass
class PartLog:
    """Where a part's output goes, and how far it has been read."""

    path: Path
    limit_bytes: int = LOG_LIMIT_BYTES
    _read_bytes: int = field(default=0, init=False)
    _begun_bytes: int = field(default=0, init=False)
    _unfinished: bytes = field(default=b"", init=False)

    @contextmanager
    def opened_for_part(self) -> Iterator[int]:
        """Set an over-long file aside and lend a file descriptor for the part's output."""
        make_private_folder(self.path.parent)
        size_bytes = self.path.stat().st_size if self.path.exists() else 0
        if size_bytes > self.limit_bytes:
            self.path.replace(self.path.with_name(f"{self.path.name}.1"))
            size_bytes = 0
        self._read_bytes = self._begun_bytes = size_bytes
        self._unfinished = b""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, PRIVATE_FILE_MODE)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def new_lines(self) -> list[str]:
        """Return the whole lines that were written since the last call."""
        if not self.path.exists() or self.path.stat().st_size <= self._read_bytes:
            return []
        with self.path.open("rb") as file:
            file.seek(self._read_bytes)
            fresh = file.read()
        self._read_bytes += len(fresh)
        *lines, self._unfinished = (self._unfinished + fresh).split(b"\n")
        return [line.decode(errors="replace").rstrip("\r") for line in lines]

    def last_lines(self, count: int) -> list[str]:
        """Return the last lines since the part's present start that say something."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            file.seek(max(self._begun_bytes, self.path.stat().st_size - TAIL_BYTES))
            text = file.read().decode(errors="replace")
        return [line for line in text.splitlines() if line.strip()][-count:]
