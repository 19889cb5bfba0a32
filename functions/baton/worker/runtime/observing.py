"""Reports on each delivery and request: one line in the log, and its spans, where there is a tracer.

Spans leave while the delivery goes on, and have left when it ends. Invariant: each is exported once, one export after
the other, so a slow collector costs a delivery one thread; the end takes as long as one export, whatever hangs. Must
not: change the outcome of deliveries; their errors are raised.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from msgspec import Struct

from baton.observability.error_reports import transaction
from baton.observability.logs import name_in_logs
from baton.observability.spans import Details, Span, Tracer
from baton.observability.tracing import begin_trace, end_trace
from baton.queue.dispatch import Outcome
from baton.sdk.clock import Clock
from baton.settings.settings import Settings
from baton_events.schema import Event

_log = logging.getLogger("baton.delivery")
_UNTRACED = nullcontext[None]()


class Seen(Struct):
    """The outcome of a delivery, once it is known."""

    outcome: Outcome = Outcome("error")


class Exports:
    """Exports the spans of one delivery in the background."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._waiting: list[Span] = []
        self._going: asyncio.Task[None] | None = None

    def export_soon(self, spans: Sequence[Span]) -> None:
        """Export these spans, together with those that wait meanwhile."""
        self._waiting += spans
        if self._going is None or self._going.done():
            self._going = asyncio.create_task(self._export())

    async def all_exported(self) -> None:
        """Return when everything is exported, or given up; the last spans do not wait for those before them."""
        last, self._waiting = self._waiting, []
        if last:
            await self._tracer.export(last)
        if self._going is not None:
            await self._going

    async def _export(self) -> None:
        while self._waiting:
            spans, self._waiting = self._waiting, []
            await self._tracer.export(spans)


class Observing:
    """Watches deliveries and requests. `tracer`: None: no tracing. `details`: further attributes of spans."""

    def __init__(self, clock: Clock, tracer: Tracer | None, details: Details, settings: Settings) -> None:
        self._settings = settings if settings.sentry_dsn else None
        self._clock, self._tracer, self._details = clock, tracer, details

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
        exports = Exports(tracer)
        trace, failed = begin_trace(self._clock, self._details, exports.export_soon, tracer.samples, traceparent), ""
        try:
            yield
        except Exception as error:
            failed = type(error).__name__
            raise
        finally:
            end_trace(trace, failed)
            await exports.all_exported()
