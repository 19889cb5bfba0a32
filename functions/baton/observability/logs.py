"""The format of our logs: one JSON object a line, or text, with each line's context, and without secrets.

A line's context holds for one task, which is one request, and has nothing but ids and names. The filter of secrets is
on the logger itself, so it works for every handler that a deployment adds, before or after. Invariant: only our own
loggers are changed, once a process, and only where a process is put together from its environment.

While payloads are sealed no text of theirs is written, whoever writes it: of a program, a tool or a library nobody
knows which of its words are a payload's. So its line, its print and its error have their place in the code alone.
"""

import io
import json
import logging
import re
import sys
import threading
from collections.abc import Mapping
from contextvars import ContextVar
from enum import Enum
from traceback import walk_tb
from types import FrameType
from typing import Any, TextIO

from baton.sdk.records.foreign_text import ForeignText
from baton.sdk.records.redaction import KnownSecrets
from baton.settings.settings import Settings
from baton_events.errors import BatonError, MalformedEventError
from baton_events.schema import Event
from baton_events.timestamps import rfc3339

_TEXT = "[text]"
_ABOUT: ContextVar[Mapping[str, str]] = ContextVar("baton_log_about")


def about() -> Mapping[str, str]:
    """Return the context's ids by name; empty outside of a delivery."""
    return _ABOUT.get({})


def name_in_logs(message_id: str, event: Event | None = None) -> None:
    """Set this task's log context to this message and its event."""
    fields = {"messageId": message_id}
    if event is not None:
        fields |= {"eventId": event.id, "eventType": event.type, "jobId": event.job_id, "sessionId": event.session_id}
    _ABOUT.set(fields)


def name_job_in_logs(job_id: str) -> None:
    """Set this task's log context to this job: one below the event's may continue in its place."""
    about = _ABOUT.get({})
    if about.get("jobId") != job_id:
        _ABOUT.set({**about, "jobId": job_id})


# Explicit, since a logger's filter does not apply to its children; a test compares this with the source.
LOGGERS = (
    "baton",
    "baton.admission",
    "baton.alerts",
    "baton.api",
    "baton.approvals",
    "baton.audit",
    "baton.budgets",
    "baton.claims",
    "baton.commands",
    "baton.console",
    "baton.deploy",
    "baton.delivery",
    "baton.workflows",
    "baton.edge",
    "baton.lambda",
    "baton.limits",
    "baton.listing",
    "baton.memory",
    "baton.models",
    "baton.objects",
    "baton.operations",
    "baton.pipeline",
    "baton.pump",
    "baton.quota",
    "baton.store",
    "baton.sweep",
    "baton.pruning",
    "baton.tools",
    "baton.traces",
)
# Lines in our words: not what a workflow prints. A server's own words have no payload, but for its errors.
_WITH_OUR_WORDS = frozenset({*LOGGERS, "uvicorn.error"} - {"baton.workflows"})
# Who writes for somebody else: a print's place is that of its caller.
_WRITES_FOR_OTHERS = frozenset(
    {"logging", "threading", "traceback", "warnings", "baton.sdk.tools.printed", "baton.sdk.workflows.code_run"}
)
_OUR_ERRORS = "baton_events.errors"
_TRACEBACKS = logging.Formatter()


def place_of(error: BaseException) -> str:
    """Return an error's type, and where it was raised."""
    *_, last = [None, *walk_tb(error.__traceback__)]
    where = f" at {last[0].f_code.co_filename}:{last[1]}" if last else ""
    return f"{type(error).__name__}{where}"


def place_in(kind: str, trace: str) -> str:
    """Return the same of an error of that type, by its formatted traceback: where its first cause was raised."""
    *_, last = [None, *re.findall(r'File "([^"]+)", line (\d+)', trace.partition("\n\n")[0])]
    return f"{kind} at {last[0]}:{last[1]}" if last else kind


def _without_text(value: Any) -> Any:
    """Return an argument of a line of ours as it may stand there: an id, a number, an error of ours without a refusal.

    A refusal quotes what it refuses.
    """
    match value:
        case ForeignText():
            return value.place
        case BatonError() if type(value).__module__ == _OUR_ERRORS and not isinstance(value, MalformedEventError):
            return value
        case BaseException():
            return place_of(value)
        case None | str() | int() | float() | Enum():
            return value
        case _:
            return type(value).__name__


class _SealedRecord(logging.LogRecord):
    """A line without a text of a payload, of whichever logger."""

    def __init__(
        self, name: str, level: int, pathname: str, lineno: int, msg: Any, args: Any, *more: Any, **named: Any
    ) -> None:
        if name in _WITH_OUR_WORDS:
            args = tuple(map(_without_text, args)) if isinstance(args, tuple) else ()
        else:
            msg, args = f"{_TEXT} at {pathname}:{lineno}", ()
        super().__init__(name, level, pathname, lineno, msg, args, *more, **named)
        if self.exc_info and self.exc_info[1]:
            shown = _without_text(self.exc_info[1])  # a refusal of ours, as of the start, says why
            self.exc_text = shown if isinstance(shown, str) else f"{type(shown).__name__}: {shown}"
            self.exc_info = None


class _SealedOutput(io.TextIOBase):
    """Standard output or error, of which each line has only the place that it was printed at."""

    def __init__(self, under: TextIO) -> None:
        self.under = under

    @property
    def buffer(self) -> Any:
        """The same for bytes."""
        return self

    def write(self, text: Any) -> int:
        """Write where somebody printed, once for a line."""
        if (b"\n" in text) if isinstance(text, bytes) else ("\n" in text):
            caller = sys._getframe(1)  # noqa: SLF001 - `inspect`, which has a public one, is slow to import
            self.under.write(f"{_TEXT}{_printed_at(caller)}\n")
        return len(text)

    def flush(self) -> None:
        self.under.flush()

    def fileno(self) -> int:
        """Return the file's number, for programs that are started."""
        return self.under.fileno()


def _printed_at(frame: FrameType | None) -> str:
    while frame:
        name = frame.f_globals.get("__name__", "")
        if name not in _WRITES_FOR_OTHERS and name.partition(".")[0] not in _WRITES_FOR_OTHERS:
            break
        frame = frame.f_back
    return f" at {frame.f_code.co_filename}:{frame.f_lineno}" if frame else ""


def _plain(stream: TextIO) -> TextIO:
    return stream.under if isinstance(stream, _SealedOutput) else stream


def _write_place(error: BaseException | None) -> None:
    """Write which error ends the process, or a thread, or was raised where nobody takes it."""
    _plain(sys.stderr).write(f"{place_of(error) if error else _TEXT}\n")


def seal_output() -> None:
    """Let through only its place of all that is printed in this process, and of errors that nobody takes."""
    sys.stdout, sys.stderr = (_SealedOutput(_plain(stream)) for stream in (sys.stdout, sys.stderr))
    sys.excepthook = lambda _kind, error, _trace: _write_place(error)
    sys.unraisablehook = lambda ignored: _write_place(ignored.exc_value)
    threading.excepthook = lambda ended: _write_place(ended.exc_value)


class SecretFilter(logging.Filter):
    """Removes secrets from every record."""

    def __init__(self, secrets: KnownSecrets) -> None:
        super().__init__()
        self._secrets = secrets

    def filter(self, record: logging.LogRecord) -> bool:
        """Hide secrets in message and traceback."""
        message = record.getMessage()
        shown = self._secrets.hide(message)
        if shown != message:
            record.msg, record.args = shown, ()
        if record.exc_info:
            trace = _TRACEBACKS.formatException(record.exc_info)
            hidden = self._secrets.hide(trace)
            if hidden != trace:
                # Handlers that read the exception itself would find the secret in it.
                record.exc_text, record.exc_info = hidden, None
        return True


def guard_logs(secrets: KnownSecrets, *, sealed: bool = False) -> None:
    """Put the filter on all our loggers, replacing the one before. `sealed`: payloads are, so all loggers keep them."""
    if sealed:
        logging.setLogRecordFactory(_SealedRecord)
    for name in LOGGERS:
        logger = logging.getLogger(name)
        for old in [found for found in logger.filters if isinstance(found, SecretFilter)]:
            logger.removeFilter(old)
        logger.addFilter(SecretFilter(secrets))


_ROOT = "baton"


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, its context, and the record's `fields`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": rfc3339(int(record.created * 1000)),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **about(),
            **fields_of(record),
        }
        # Where a secret was hidden in it, the traceback is a text already (logs.py).
        trace = record.exc_text or (_TRACEBACKS.formatException(record.exc_info) if record.exc_info else "")
        if trace:
            line["error"] = trace
        return json.dumps(line, ensure_ascii=False, default=str)


class TextLines(logging.Formatter):
    """Lines for people: level and logger, the message, and then its context."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        """Format the line without its traceback."""
        fields = {**about(), **fields_of(record)}
        shown = " ".join(f"{name}={value}" for name, value in fields.items())
        return f"{super().formatMessage(record)} [{shown}]" if shown else super().formatMessage(record)


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return a line's further fields: `extra={"fields": {…}}`."""
    return dict(getattr(record, "fields", {}))


def write_logs(settings: Settings) -> None:
    """Write our logs to standard error, replacing an earlier set-up here."""
    logger = logging.getLogger(_ROOT)
    logger.setLevel(settings.log_level)
    logger.propagate = False
    for old in [found for found in logger.handlers if isinstance(found.formatter, JsonLines | TextLines)]:
        logger.removeHandler(old)
    handler = logging.StreamHandler(_plain(sys.stderr))
    handler.setFormatter(JsonLines() if settings.log_format == "json" else TextLines())
    logger.addHandler(handler)
