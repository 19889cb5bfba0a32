"""The emitter: publishes events by direct URL or by topic, one or many at once. Any program may use it.

Invariant: how an event is addressed is a setting (PUBLISH_BY), never detected. Headers and queue options are those of
decisions/0002-four-events. The emitter decides nothing about jobs.
"""

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import quote

from msgspec import Struct

from baton.adapters.publisher import QStashQueue
from baton.configuration.settings import Settings, require, settings_from_environment
from baton.configuration.time_limits import delivery_seconds
from baton.core.retry_waits import CALLBACK_WAITS, RetryWaits
from baton.ports import Flow, Outgoing, Queue
from baton_events.schema import DELIVERY_FAILED_ENDPOINT, ENDPOINTS, Event, encode_event, event_type


class Delivery(Struct, frozen=True):
    """An event to publish: not before `not_before_ms` (0: at once).

    `deduplication_id`: empty for none; it must differ each time that the same event is redriven on purpose, since
    the queue accepts a repeat within ten minutes and never delivers it.
    """

    event: Event
    not_before_ms: int = 0
    deduplication_id: str = ""


class Emitter:
    """Publishes events with the settings' addresses and options."""

    def __init__(self, settings: Settings, queue: Queue) -> None:
        self._settings = settings
        self._queue = queue

    @classmethod
    def from_settings(cls, settings: Settings | None = None) -> "Emitter":
        """An emitter for programs that only emit, on the real queue; `settings` default to the environment's.

        Raises:
            SettingsError: QSTASH_TOKEN is missing, or WORKER_BASE_URL while PUBLISH_BY=url.
        """
        chosen = settings_from_environment() if settings is None else settings
        require(chosen, "QSTASH_TOKEN", *(["WORKER_BASE_URL"] if chosen.publish_by == "url" else []))
        return cls(chosen, QStashQueue(chosen))

    async def emit(self, event: Event, *, not_before_ms: int = 0, deduplication_id: str = "") -> str:
        """Publish one event; returns its message id.

        Raises:
            TopicNotFoundError, QueueUnauthorizedError, QueueUnreachableError: it was not accepted.
        """
        return (await self.emit_many([Delivery(event, not_before_ms, deduplication_id)]))[0]

    async def emit_many(self, deliveries: Sequence[Delivery]) -> list[str]:
        """Publish several events in one request; returns message ids in order.

        Raises:
            PartialPublishError: some were accepted; the error says which.
            TopicNotFoundError, QueueUnauthorizedError, QueueUnreachableError: none was accepted.
        """
        return await self._queue.publish([self._outgoing(delivery) for delivery in deliveries])

    async def cancel(self, message_id: str) -> None:
        """Take a message back if it has not been delivered."""
        await self._queue.cancel(message_id)

    async def emit_to(self, endpoint: str, body: str, *, not_before_ms: int = 0, deduplication_id: str = "") -> str:
        """Publish a message of our own, which is no event, to one of our endpoints; returns its message id."""
        message = message_to(self._settings, endpoint, body, deduplication_id)
        return (await self._queue.publish([replace(message, not_before_ms=not_before_ms)]))[0]

    def message_of(self, event: Event) -> Outgoing:
        """The message that would bring this event, for a schedule of the queue."""
        return self._outgoing(Delivery(event))

    async def close(self) -> None:
        """Close connections."""
        await self._queue.close()

    def _outgoing(self, delivery: Delivery) -> Outgoing:
        event, settings = delivery.event, self._settings
        kind = event_type(event)
        topic = settings.topic(kind) if settings.publish_by == "topic" else ""
        return replace(
            message_to(settings, ENDPOINTS[kind], encode_event(event), delivery.deduplication_id),
            url="" if topic else settings.event_url(kind),
            topic=topic,
            headers={
                "x-event-id": event.id,
                "x-event-type": event.type,
                "x-session-id": header_value(event.session_id),
                "x-job-id": event.job_id,
            },
            not_before_ms=delivery.not_before_ms,
            label=event.job_id,
        )


def message_to(settings: Settings, endpoint: str, body: str, deduplication_id: str = "") -> Outgoing:
    """A message to one of our endpoints, with the settings' options: retries, limits, who hears that it failed."""
    return Outgoing(
        body=body,
        url=settings.endpoint_url(endpoint),
        deduplication_id=deduplication_id,
        failure_callback=settings.failure_callback_url if settings.worker_base_url else "",
        retries=settings.message_retries,
        waits=waits_at(settings, endpoint).spread(deduplication_id or body),
        timeout_seconds=delivery_seconds(endpoint, settings.message_timeout_seconds),
        flow=_flow(settings, endpoint),
        callback_flow=_flow(settings, DELIVERY_FAILED_ENDPOINT),
    )


def waits_at(settings: Settings, endpoint: str) -> RetryWaits:
    """The waits before the retries of a message to one of our endpoints, before they are spread."""
    return CALLBACK_WAITS if endpoint == DELIVERY_FAILED_ENDPOINT else RetryWaits(settings.message_retry_delay_ms)


def _flow(settings: Settings, endpoint: str) -> Flow:
    """The key is the endpoint's, however a message is addressed, and the deployment's (QSTASH_TOPIC_PREFIX)."""
    at_once = settings.at_once(endpoint)
    return Flow(f"{settings.topic_prefix}.{endpoint.rpartition('/')[2]}", at_once) if at_once else Flow()


def header_value(text: str) -> str:
    """A session id as a header value: what a header cannot carry is percent-encoded (the body has it as it is).

    That is all but printable ASCII, and a space at either end, which no HTTP library sends.
    """
    return text if text.isascii() and text.isprintable() and text == text.strip() else quote(text)
