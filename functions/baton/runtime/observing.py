"""Reports on each delivery and request: one line in the log, and its spans, where there is a tracer.

Must not: change their outcome; their errors are raised.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from msgspec import Struct

from baton.clock import Clock
from baton.observability.error_reports import transaction
from baton.observability.logs import name_in_logs
from baton.observability.spans import Details, Tracer
from baton.observability.tracing import begin_trace, end_trace
from baton.queue.dispatch import Outcome
from baton.settings.settings import Settings
from baton_events.schema import Event

_log = logging.getLogger("baton.delivery")
_UNTRACED = nullcontext[None]()


class Seen(Struct):
    """The outcome of a delivery, once it is known."""

    outcome: Outcome = Outcome("error")


class Observing:
    """Watches deliveries and requests. `tracer`: None: no tracing. `details`: further attributes of spans."""

    def __init__(self, clock: Clock, tracer: Tracer | None, details: Details, settings: Settings) -> None:
        self._settings = settings if settings.sentry_dsn else None
        self._clock = clock
        self._tracer = tracer
        self._details = details

    @asynccontextmanager
    async def delivery(self, message_id: str, retried: int, event: Event | None = None) -> AsyncIterator[Seen]:
        """Watch the handling of one delivery, whose outcome the block sets; `event`: None where there is none."""
        name_in_logs(message_id, event)
        began_ms, seen, label = self._clock.now_ms(), Seen(), ""
        try:
            with transaction(self._settings, event.type if event else "message") if self._settings else nullcontext():
                async with self.traced((event.traceparent if event else None) or ""):
                    yield seen
        except Exception as error:
            label = f"error: {type(error).__name__}"
            raise
        finally:
            if _log.isEnabledFor(logging.INFO):
                duration_ms, outcome = self._clock.now_ms() - began_ms, seen.outcome
                label = label or outcome.label
                fields = {
                    "outcome": label,
                    "handedOn": outcome.dispatched,
                    "durationMs": duration_ms,
                    "retried": retried,
                }
                _log.info("%s: %s", event.type if event else "message", label, extra={"fields": fields})

    def traced(self, traceparent: str) -> AbstractAsyncContextManager[None]:
        """Return a block that continues this trace, if it is one; its spans are exported at the end."""
        return _UNTRACED if self._tracer is None else self._in_trace(self._tracer, traceparent)

    @asynccontextmanager
    async def _in_trace(self, tracer: Tracer, traceparent: str) -> AsyncIterator[None]:
        trace, failed = begin_trace(self._clock, self._details, traceparent), ""
        try:
            yield
        except Exception as error:
            failed = type(error).__name__
            raise
        finally:
            if spans := end_trace(trace, failed):
                await tracer.export(spans)
