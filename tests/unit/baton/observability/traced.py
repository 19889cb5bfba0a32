"""The product over fakes, traced, with messages that are delivered over HTTP."""

import heapq
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from baton import Registry
from baton.observability.open_telemetry import OpenTelemetryTracer
from baton.worker.container import Container
from baton_events.schema import ENDPOINTS, Event, encode_event, event_type, parse_event
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import Api, api_of, with_keys


class Traced:
    """The product over fakes, traced; messages are delivered over HTTP."""

    def __init__(self, api: Api, exporter: InMemorySpanExporter, *, inline: bool) -> None:
        self.api = api
        self.stage = api.stage
        self.inline = inline
        self._exporter = exporter
        self._seen = 0

    def spans(self) -> Sequence[ReadableSpan]:
        return self._exporter.get_finished_spans()

    def parents(self) -> dict[str, set[str]]:
        """Of each span, by name, the names of those above it; `caller`: somebody else's."""
        names = {span.context.span_id: span.name for span in self.spans() if span.context}
        found: dict[str, set[str]] = {}
        for span in self.spans():
            found.setdefault(span.name, set()).add(names.get(span.parent.span_id, "caller") if span.parent else "")
        return found

    async def deliver(self, event: Event, message_id: str, retried: int = 0) -> None:
        headers = {"upstash-signature": "x", "upstash-message-id": message_id, "upstash-retried": str(retried)}
        path = ENDPOINTS[event_type(event)]
        response = await self.api.http.post(path, content=encode_event(event), headers=headers)
        assert response.status_code == 200, response.text

    async def run(self) -> None:
        """Deliver what was published, the earliest first, until nothing is left; backup messages are not needed."""
        waiting: list[tuple[int, int, str]] = []
        while True:
            published = self.stage.queue.published
            for number in range(self._seen, len(published)):
                message_id, message = published[number]
                if "x-event-id" in message.headers and '"command":' not in message.body:
                    heapq.heappush(waiting, (message.not_before_ms, number, message_id))
            self._seen = len(published)
            if not waiting:
                return
            not_before_ms, number, message_id = heapq.heappop(waiting)
            self.stage.clock.ms = max(self.stage.clock.ms, not_before_ms)
            await self.deliver(parse_event(published[number][1].body.encode()), message_id)


@asynccontextmanager
async def tracing(registry: Registry, *, inline: bool = False, content: bool = False) -> AsyncIterator[Traced]:
    exporter = InMemorySpanExporter()
    settings = replace(with_keys(), continuation="inline" if inline else "literal", otel_content=content)
    stage = Stage(settings=settings, registry=registry)
    stage.ports = replace(stage.ports, tracer=OpenTelemetryTracer(exporter))
    stage.container = Container(settings, stage.ports, registry)
    async with api_of(stage) as api:
        yield Traced(api, exporter, inline=inline)
