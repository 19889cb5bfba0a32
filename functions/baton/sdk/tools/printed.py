"""What a call's code prints and logs, kept for its record; the terminal and the logs get it as before.

Invariant: it is found by a context variable, so calls at the same time do not mix, and a tool's thread is its call's.
Must not: know a store, or what a secret is.
"""

import contextlib
import logging
import sys
from collections.abc import Callable
from contextvars import ContextVar
from traceback import format_exception
from typing import Any

KEPT_CHARS = 4_000
_PIECES = 400
# The call whose code has begun last in this task: its id, then what that has printed.
CODE: ContextVar[list[str]] = ContextVar("code")
# What takes all that a workflow's code writes, which is run again and must write it once.
TAKES: ContextVar[Callable[[str], None] | None] = ContextVar("takes", default=None)


class Printing:
    """Standard output, of which the code of a call or of a workflow keeps its part; of errors a workflow's alone."""

    def __init__(self, under: Any, *, is_errors: bool = False) -> None:
        self._under, self._is_errors = under, is_errors

    def __getattr__(self, name: str) -> Any:
        return getattr(self._under, name)

    def write(self, text: Any) -> Any:
        if (takes := TAKES.get()) is not None and isinstance(text, str):
            takes(text)
            return len(text)
        if isinstance(text, str) and not self._is_errors:
            _keep(text)
        return self._under.write(text)

    def writelines(self, lines: Any) -> None:
        self.write("".join(lines))


def _keep(text: str) -> None:
    output = CODE.get(None)
    if output is None:
        return
    output.append(text)
    if len(output) > _PIECES or len(text) > KEPT_CHARS:  # one more than is kept shows that some is cut
        output[1:] = ["".join(output[1:])[-KEPT_CHARS - 1 :]]


def listen() -> None:
    """Keep from now on what code prints and calls log; standard output may have been replaced since the last time."""
    if sys.stdout.__class__ is Printing and sys.stderr.__class__ is Printing:
        return
    sys.stdout = sys.stdout if sys.stdout.__class__ is Printing else Printing(sys.stdout)
    sys.stderr = sys.stderr if sys.stderr.__class__ is Printing else Printing(sys.stderr, is_errors=True)
    made = logging.getLogRecordFactory()

    def kept_record(*given: Any, **named: Any) -> logging.LogRecord:
        record: logging.LogRecord = made(*given, **named)
        if CODE.get(None) is not None and record.name.partition(".")[0] != "baton":
            with contextlib.suppress(Exception):  # arguments that do not fit are reported by the handlers
                error = "".join(format_exception(*record.exc_info)) if record.exc_info else ""
                _keep(f"{record.levelname} {record.name}: {record.getMessage()}\n{error}")
        return record

    if getattr(made, "__name__", "") != kept_record.__name__:
        logging.setLogRecordFactory(kept_record)


def printed_by(output: list[str]) -> str:
    """Return the end of what was printed; a cut is marked."""
    text = "".join(output[1:])
    return text if len(text) <= KEPT_CHARS else f"[… the beginning is cut]\n{text[-KEPT_CHARS:]}"
