"""What a person's own code prints and logs, marked for the screen of `baton dev`, each line with its job's id.

Only the process that serves their app uses this. Invariant: each line stands in the part's log with the mark in front,
which `part_log` knows it by. Must not: mark what Baton and its libraries say.
"""

import io
import logging
import sys
from pathlib import Path
from typing import TextIO

from baton.observability.logs import about
from baton_local.dev.part_log import OWN_LINE

LIBRARIES = "site-packages"


def mark_own_lines(folder: Path, log_format: str) -> None:
    """Mark what is printed from now on, and what modules below `folder` log; of others warnings are logged."""
    sys.stdout = OwnOutput(sys.stdout)
    handler = logging.StreamHandler()
    handler.setFormatter(OwnRecords(folder, log_format))
    handler.addFilter(lambda record: record.levelno >= logging.WARNING or _is_below(folder, record.pathname))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


class OwnOutput(io.TextIOBase):
    """Standard output by lines; the lines of jobs that run at the same time do not mix."""

    def __init__(self, output: TextIO) -> None:
        self._output = output
        self._unfinished: dict[str, str] = {}

    def write(self, text: str) -> int:
        """Write the whole lines, and keep what is left for the next call of the same job."""
        job_id = about().get("jobId", "")
        *lines, unfinished = (self._unfinished.pop(job_id, "") + text).split("\n")
        if unfinished:
            self._unfinished[job_id] = unfinished
        self._output.write("".join(f"{_marked(line)}\n" for line in lines))
        self._output.flush()
        return len(text)


class OwnRecords(logging.Formatter):
    """Marks records of modules below a folder."""

    def __init__(self, folder: Path, log_format: str) -> None:
        super().__init__(log_format)
        self._folder = folder

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's lines."""
        text = super().format(record)
        return "\n".join(map(_marked, text.split("\n"))) if _is_below(self._folder, record.pathname) else text


def _marked(line: str) -> str:
    job_id = about().get("jobId", "")
    return f"{OWN_LINE}{job_id} {line}" if job_id else f"{OWN_LINE}{line}"


def _is_below(folder: Path, path: str) -> bool:
    return Path(path).is_relative_to(folder) and LIBRARIES not in path
