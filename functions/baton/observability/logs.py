"""The format of our logs: one JSON object a line, or text, with each line's context, and without secrets.

A line's context holds for one task, which is one request, and has nothing but ids and names. The filter of secrets is
on the logger itself, so it works for every handler that a deployment adds, before or after. Invariant: only our own
loggers are changed, once a process, and only where a process is put together from its environment.
"""

import json
import logging
from collections.abc import Mapping
from contextvars import ContextVar
from traceback import walk_tb
from typing import Any

from baton.sdk.records.foreign_text import ForeignText
from baton.sdk.records.redaction import KnownSecrets
from baton.settings.settings import Settings
from baton_events.errors import BatonError, MalformedEventError
from baton_events.schema import Event
from baton_events.timestamps import rfc3339

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
    _ABOUT.set({**_ABOUT.get({}), "jobId": job_id})


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
    "baton.quota",
    "baton.store",
    "baton.sweep",
    "baton.pruning",
    "baton.tools",
    "baton.traces",
)
_TRACEBACKS = logging.Formatter()


def place_of(error: BaseException) -> str:
    """Return an error's type, and where it was raised."""
    *_, last = [None, *walk_tb(error.__traceback__)]
    where = f" at {last[0].f_code.co_filename}:{last[1]}" if last else ""
    return f"{type(error).__name__}{where}"


def _without_text(value: Any) -> Any:
    """Return an argument of a line as it may stand there: our own errors have texts of ours, but for refusals."""
    if isinstance(value, ForeignText):
        return value.place
    ours = isinstance(value, BatonError) and not isinstance(value, MalformedEventError)
    return place_of(value) if isinstance(value, BaseException) and not ours else value


class SecretFilter(logging.Filter):
    """Removes secrets from every record; with `sealed`, also all texts that are not ours."""

    def __init__(self, secrets: KnownSecrets, *, sealed: bool = False) -> None:
        super().__init__()
        self._secrets, self._sealed = secrets, sealed

    def filter(self, record: logging.LogRecord) -> bool:
        """Hide secrets in message and traceback."""
        if self._sealed:
            if isinstance(record.args, tuple):
                record.args = tuple(map(_without_text, record.args))
            if record.exc_info and record.exc_info[1]:
                record.exc_text, record.exc_info = place_of(record.exc_info[1]), None
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
    """Put the filter on all our loggers, replacing the one before. `sealed`: payloads are."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        for old in [found for found in logger.filters if isinstance(found, SecretFilter)]:
            logger.removeFilter(old)
        logger.addFilter(SecretFilter(secrets, sealed=sealed))


_ROOT = "baton"


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, its context, and the record's `fields`."""

    def format(self, record: logging.LogRecord) -> str:
        """Format the line."""
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
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if settings.log_format == "json" else TextLines())
    logger.addHandler(handler)
