"""Known secrets do not get into our logs.

Invariant: the filter is on the logger itself, so it works for every handler that a deployment adds, before or after.
Must not: touch loggers of others, or configure handlers and levels.
"""

import logging

from baton.core.redaction import KnownSecrets

# Explicit, since a logger's filter does not apply to those below it; a test holds this to the source.
LOGGERS = (
    "baton",
    "baton.acceptance",
    "baton.admission",
    "baton.alerts",
    "baton.api",
    "baton.audit",
    "baton.claims",
    "baton.console",
    "baton.delivery",
    "baton.edge",
    "baton.facts",
    "baton.lambda",
    "baton.listing",
    "baton.memory",
    "baton.models",
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


class SecretFilter(logging.Filter):
    """Lets every record pass, without secrets."""

    def __init__(self, secrets: KnownSecrets) -> None:
        super().__init__()
        self._secrets = secrets

    def filter(self, record: logging.LogRecord) -> bool:
        """Hide secrets in message and traceback."""
        said = record.getMessage()
        shown = self._secrets.hide(said)
        if shown != said:
            record.msg, record.args = shown, ()
        if record.exc_info:
            trace = _TRACEBACKS.formatException(record.exc_info)
            hidden = self._secrets.hide(trace)
            if hidden != trace:
                # Handlers that read the exception itself would find the secret in it.
                record.exc_text, record.exc_info = hidden, None
        return True


def guard_logs(secrets: KnownSecrets) -> None:
    """Put the filter on all our loggers, in place of the one before."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        for old in [found for found in logger.filters if isinstance(found, SecretFilter)]:
            logger.removeFilter(old)
        logger.addFilter(SecretFilter(secrets))
