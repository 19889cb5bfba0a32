"""Spans by OpenTelemetry's protocol (OTLP over HTTP); the libraries are those of the extra `otel`.

Invariant: nothing of OpenTelemetry is imported before a tracer is made, which only a configured deployment does. Spans
are exported before a delivery is acknowledged: a function that is frozen then would lose them.
"""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from baton.observability.spans import Place, Span
from baton.sdk.distribution import require_extra
from baton.sdk.records.own_threads import OWN_THREADS

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.sdk.trace.sampling import Sampler

_log = logging.getLogger("baton.traces")

_TIMEOUT_SECONDS = 3
_MOST_EXPORTS = 64
_NS_IN_MS = 1_000_000


class OpenTelemetryTracer:
    """`Tracer` over an exporter of OpenTelemetry."""

    def __init__(self, exporter: "SpanExporter") -> None:
        self._exporter = exporter
        self._exports: set[Future[Any]] = set()
        self._resource, self._sampler = _resource(), _sampler()

    @classmethod
    def to(cls, endpoint: str) -> "OpenTelemetryTracer":
        """Make a tracer that sends to a collector; its headers are the exporter's own environment variables.

        Raises SettingsError: the extra `otel` is not installed.
        """
        require_extra("otel", "OTEL_EXPORTER_OTLP_ENDPOINT")
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra

        return cls(OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", timeout=_TIMEOUT_SECONDS))

    def samples(self, trace_id: str, caller: Place | None) -> bool:
        """Ask the sampler that `OTEL_TRACES_SAMPLER` names, of this trace's first span."""
        from opentelemetry.context import Context  # noqa: PLC0415 - of an extra
        from opentelemetry.sdk.trace.sampling import Decision  # noqa: PLC0415 - as above
        from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context  # noqa: PLC0415

        above = Context()
        if caller is not None:
            flags = TraceFlags(TraceFlags.SAMPLED if caller.sampled else TraceFlags.DEFAULT)
            place = SpanContext(int(trace_id, 16), int(caller.span_id, 16), is_remote=True, trace_flags=flags)
            above = set_span_in_context(NonRecordingSpan(place), above)
        return self._sampler.should_sample(above, int(trace_id, 16), "submit").decision is Decision.RECORD_AND_SAMPLE

    async def export(self, spans: Sequence[Span]) -> None:
        """Export the spans. While many exports hang, further spans are lost at once."""
        if len(self._exports) >= _MOST_EXPORTS:
            _log.warning("%d span(s) are lost: %d exports before them hang", len(spans), len(self._exports))
            return
        ready = [_readable(span, self._resource) for span in spans]
        try:
            export = OWN_THREADS.submit(self._exporter.export, ready)
            self._exports.add(export)
            export.add_done_callback(self._exports.discard)
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                await asyncio.wrap_future(export)
        except Exception as error:  # noqa: BLE001 - whatever a tracing library does, the delivery continues
            _log.warning("%d span(s) are lost: %s", len(spans), type(error).__name__)


def _resource() -> "Resource":
    """Return what the spans are of: `baton`, unless the library's own variables (`OTEL_SERVICE_NAME`) name it."""
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415 - of an extra

    return Resource.create({"service.name": "baton"}).merge(OTELResourceDetector().detect())


def _sampler() -> "Sampler":
    """Return the sampler of the library's own variables; one of nothing while `OTEL_SDK_DISABLED`."""
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - of an extra
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF  # noqa: PLC0415 - as above
    from opentelemetry.trace import NoOpTracer  # noqa: PLC0415 - as above

    provider = TracerProvider(shutdown_on_exit=False)
    return ALWAYS_OFF if isinstance(provider.get_tracer("baton"), NoOpTracer) else provider.sampler


def _readable(span: Span, resource: "Resource") -> "ReadableSpan":
    from opentelemetry.sdk.trace import ReadableSpan  # noqa: PLC0415 - of an extra
    from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags  # noqa: PLC0415 - of an extra

    def context(span_id: str) -> SpanContext:
        sampled = TraceFlags(TraceFlags.SAMPLED)
        return SpanContext(int(span.trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=sampled)

    return ReadableSpan(
        name=span.name,
        context=context(span.span_id),
        parent=context(span.parent_id) if span.parent_id else None,
        resource=resource,
        attributes=dict(span.attributes),
        kind=SpanKind.CLIENT if span.kind == "client" else SpanKind.INTERNAL,
        links=(Link(context(span.linked_id)),) if span.linked_id else (),
        status=Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.UNSET),
        start_time=span.start_ms * _NS_IN_MS,
        end_time=span.end_ms * _NS_IN_MS,
    )
