"""How our logs are written: one JSON object a line, or as text, with what each line is about.

Invariant: our loggers alone are touched, once a process, and only where a process is put together from its environment;
who uses our packages as a library keeps their own logging.
"""

import json
import logging
from typing import Any

from baton.configuration.settings import Settings
from baton.observability.log_context import about
from baton_events.timestamps import rfc3339

_ROOT = "baton"
_TRACEBACKS = logging.Formatter()


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, what it is about, and `fields` of the record."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": rfc3339(int(record.created * 1000)),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **about(),
            **fields_of(record),
        }
        # Where a secret was hidden in it, the traceback is a text already (log_guard.py).
        trace = record.exc_text or (_TRACEBACKS.formatException(record.exc_info) if record.exc_info else "")
        if trace:
            line["error"] = trace
        return json.dumps(line, ensure_ascii=False, default=str)


class TextLines(logging.Formatter):
    """For people: level and logger, the message, and then what it is about."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        """The line without its traceback."""
        told = {**about(), **fields_of(record)}
        shown = " ".join(f"{name}={value}" for name, value in told.items())
        return f"{super().formatMessage(record)} [{shown}]" if shown else super().formatMessage(record)


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """What a line was given besides its message: `extra={"fields": {…}}`."""
    return dict(getattr(record, "fields", {}))


def write_logs(settings: Settings) -> None:
    """Write our logs to standard error, in place of what was set up here before."""
    logger = logging.getLogger(_ROOT)
    logger.setLevel(settings.log_level)
    logger.propagate = False
    for old in [found for found in logger.handlers if isinstance(found.formatter, JsonLines | TextLines)]:
        logger.removeHandler(old)
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if settings.log_format == "json" else TextLines())
    logger.addHandler(handler)
