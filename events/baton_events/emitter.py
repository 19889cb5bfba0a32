"""The emitter: publishes events by direct URL or by topic, one or many at once. Any program may use it.

Invariant: how an event is addressed is a setting (PUBLISH_BY), never detected. The emitter decides nothing about jobs.
`emit` has the settings of its environment; inside a tool or a handler (`OF_CALL`) the event is the call's: its tenant,
and the same id in every attempt.
"""

import secrets
import time
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any, Protocol
from urllib.parse import quote

from msgspec import Struct

from baton_events.app_event import AppEvent, app_event, delay_ms, endpoint_of, topic_suffix
from baton_events.errors import SettingsError
from baton_events.ids import subject_digest
from baton_events.messages import CALLBACK_WAITS, Flow, Outgoing, Queue, RetryWaits, delivery_seconds
from baton_events.schema import DELIVERY_FAILED_ENDPOINT, ENDPOINTS, Event, encode_event, event_type, function_of
from baton_events.sealing import Sealing, sealing_of
from baton_events.settings import QueueSettings
from baton_events.values.durations import Duration, plain_seconds


class Delivery(Struct, frozen=True):
    """An event to publish: not before `not_before_ms` (0: at once).

    `deduplication_id`: empty for none; it must differ each time that the same event is replayed on purpose, since
    the queue accepts a repeat within ten minutes and never delivers it. `lane`: of its message.
    """

    event: Event
    not_before_ms: int = 0
    deduplication_id: str = ""
    lane: str = ""


class Emitter:
    """Publishes events with the settings' addresses and options. `announces`: approvals that are asked for, too."""

    def __init__(self, settings: QueueSettings, queue: Queue, *, announces: bool = False) -> None:
        self._settings, self.announces = settings, announces
        self._sealing = sealing_in(settings)
        self._queue = queue

    @classmethod
    def from_settings(cls, settings: QueueSettings | None = None) -> "Emitter":
        """Make an emitter on the real queue, over the official SDK; `settings` default to the environment's.

        Raises SettingsError: QSTASH_TOKEN is missing, or WORKER_BASE_URL while PUBLISH_BY=url.
        """
        # Functions have settings and a publisher of their own.
        from baton_events.emitter_settings import EmitterSettings  # noqa: PLC0415
        from baton_events.publisher import SdkPublisher  # noqa: PLC0415

        chosen = EmitterSettings.from_environment() if settings is None else settings.checked()
        if chosen.queue == "redis":
            raise SettingsError(
                "QUEUE=redis: a program outside of the deployment sends events by its API (baton.client)"
            )
        return cls(chosen, SdkPublisher(chosen))

    async def emit(self, event: Event, *, not_before_ms: int = 0, deduplication_id: str = "") -> str:
        """Publish one event; returns its message id.

        Raises TopicNotFoundError, QueueUnauthorizedError, QueueUnreachableError: it was not accepted.
        """
        return (await self.emit_many([Delivery(event, not_before_ms, deduplication_id)]))[0]

    async def emit_many(self, deliveries: Sequence[Delivery]) -> list[str]:
        """Publish several events in one request; returns message ids in order.

        Raises PartialPublishError: some were accepted; the error says which. TopicNotFoundError,
        QueueUnauthorizedError, QueueUnreachableError: none was accepted.
        """
        await self._sealing.ready()
        return await self._queue.publish([message_of(self._settings, delivery) for delivery in deliveries])

    async def cancel(self, message_id: str) -> None:
        """Take a message back if it has not been delivered."""
        await self._queue.cancel(message_id)

    async def emit_to(self, endpoint: str, body: str, *, not_before_ms: int = 0, deduplication_id: str = "") -> str:
        """Publish a message of our own, which is no event, to one of our endpoints; returns its message id."""
        message = message_to(self._settings, endpoint, body, deduplication_id, not_before_ms=not_before_ms)
        return (await self._queue.publish([message]))[0]

    async def forward_request(
        self,
        url: str,
        headers: dict[str, str],
        body: str,
        *,
        answer_to: str,
        label: str,
        timeout_seconds: int,
        deduplication_id: str,
    ) -> str:
        """Have the queue send somebody a request, once, and bring the answer; returns its message id. Raises as `emit`.

        Args:
            url: whose it is.
            headers: of the request; the queue shows them to nobody.
            body: of the request.
            answer_to: our endpoint that the answer is brought to.
            label: the job.
            timeout_seconds: so long the queue waits for the answer.
            deduplication_id: a second request with it is not sent.
        """
        message = message_to(
            self._settings,
            answer_to,
            body,
            deduplication_id,
            url=url,
            headers=headers,
            callback=self._settings.endpoint_url(answer_to),
            callback_flow=_flow(self._settings, answer_to),
            flow=Flow(),
            retries=0,
            label=label,
            timeout_seconds=timeout_seconds,
        )
        return (await self._queue.publish([message]))[0]

    async def send(self, event: AppEvent, *, not_before_ms: int = 0, deduplication_id: str = "") -> str:
        """Publish an app event; returns its message id. Raises as `emit`."""
        await self._sealing.ready()
        return (await self._queue.publish([self.message_of_app_event(event, deduplication_id, not_before_ms)]))[0]

    def message_of_app_event(self, event: AppEvent, deduplication_id: str = "", not_before_ms: int = 0) -> Outgoing:
        """Return the message that brings an app event; a dead letter is delivered once, and nobody is called back.

        What is for the endpoint alone, and no other subscriber of the topic, goes to its URL.
        """
        settings = self._settings
        body = self._sealing.sealed_message(encode_event(event))
        is_copy = event.dead_letter is not None or event.closes is not None or event.meets is not None
        by_topic = settings.publish_by == "topic" and not is_copy
        once = {} if event.dead_letter is None else {"retries": 0, "failure_callback": ""}
        return message_to(
            settings,
            endpoint_of(event.name),
            body,
            deduplication_id,
            topic=f"{settings.topic_prefix}.{topic_suffix(event.name)}" if by_topic else "",
            not_before_ms=not_before_ms,
            headers={"x-event-id": event.id, "x-event-type": event.name},
            lane=event.tenant,
            **once,
        )

    async def message_of(self, event: Event) -> Outgoing:
        """Return the message that would bring this event, for a schedule of the queue."""
        await self._sealing.ready()
        return message_of(self._settings, Delivery(event))

    async def close(self) -> None:
        await self._queue.close()


def sealing_in(settings: QueueSettings) -> Sealing:
    """Return what seals and opens payloads by these settings.

    Raises SettingsError: the codec is not there, or an extra is missing.
    """
    return sealing_of(settings.payload_keys, settings.payload_codec)


def message_of(settings: QueueSettings, delivery: Delivery) -> Outgoing:
    """Return the message that brings an event, as the settings address it."""
    event, kind = delivery.event, event_type(delivery.event)
    return message_to(
        settings,
        ENDPOINTS[kind],
        sealing_in(settings).sealed_message(encode_event(event)),
        delivery.deduplication_id,
        topic=settings.topic(kind) if settings.publish_by == "topic" else "",
        headers={
            "x-event-id": event.id,
            "x-event-type": event.type,
            "x-session-id": header_value(event.session_id),
            "x-job-id": event.job_id,
        },
        not_before_ms=delivery.not_before_ms,
        label=event.job_id,
        lane=delivery.lane,
    )


def message_to(
    settings: QueueSettings, endpoint: str, body: str, deduplication_id: str = "", **others: Any
) -> Outgoing:
    """Return a message to one of our endpoints, with the settings' options: waits, limits, failure callback.

    `others`: instead of these.
    """
    options: dict[str, Any] = {
        "url": "" if others.get("topic") else settings.endpoint_url(endpoint),
        "failure_callback": settings.failure_callback_url if settings.worker_base_url else "",
        "waits": waits_at(settings, endpoint).spread(deduplication_id or body),
        "timeout_seconds": delivery_seconds(endpoint, settings.message_timeout_seconds),
        "flow": _flow(settings, endpoint),
        "callback_flow": _flow(settings, DELIVERY_FAILED_ENDPOINT),
    }
    return Outgoing(body, deduplication_id=deduplication_id, **options | others)


def waits_at(settings: QueueSettings, endpoint: str) -> RetryWaits:
    """Return the waits before the retries of a message to one of our endpoints, before they are spread."""
    return CALLBACK_WAITS if endpoint == DELIVERY_FAILED_ENDPOINT else RetryWaits(settings.message_retry_delay_ms)


def _flow(settings: QueueSettings, endpoint: str) -> Flow:
    """Return the flow key: the endpoint's, however addressed, and the deployment's (QSTASH_TOPIC_PREFIX)."""
    at_once = settings.at_once(endpoint)
    name = function_of(endpoint).rpartition("/")[2]
    return Flow(f"{settings.topic_prefix}.{name}", at_once) if at_once else Flow()


def header_value(text: str) -> str:
    """Return a session id as a header value: what a header cannot carry is percent-encoded.

    That is all but printable ASCII, and a space at either end, which no HTTP library sends. The body has it as it is.
    """
    return text if text.isascii() and text.isprintable() and text == text.strip() else quote(text)


class Emit(Protocol):
    """Publishes an app event."""

    async def __call__(self, name: str, data: Any = None, key: str = "", delay_seconds: float = 0) -> str:
        """Publish it; returns its id."""
        ...


OF_CALL: ContextVar[Emit | None] = ContextVar("emit_of_call", default=None)


async def emit(name: str, data: Any = None, key: str = "", delay_seconds: Duration = 0, *, subject_id: str = "") -> str:
    """Publish an app event; returns its id.

    `asyncio.run(emit("order.created", {"number": "A-7"}, key="A-7"))` in a program that is not async. Many events go
    faster by an `Emitter`, which keeps its connection.

    Args:
        name: such as "order.created".
        data: any JSON, at most 256 KB; handlers check it against their schema.
        key: what it is about, such as an order's number: handlers may take events of one key in order.
        delay_seconds: it is not delivered before; at most 7 days.
        subject_id: the person whose data it has, for a later erasure. Inside a call it is always the job's.

    Raises:
        AppEventError, TooLargeError: it cannot be sent.
        SettingsError: QSTASH_TOKEN or WORKER_BASE_URL is missing.
        PublishError: the queue did not accept it.
    """
    of_call = OF_CALL.get()
    if of_call is not None:
        return await of_call(name, data, key, plain_seconds(delay_seconds))
    return await _emit_by_environment(name, data, key, delay_seconds, subject_id)


async def _emit_by_environment(name: str, data: Any, key: str, delay_seconds: Duration, subject_id: str) -> str:
    """Publish it over a connection of its own, as the environment's tenant."""
    from baton_events.emitter_settings import EmitterSettings  # noqa: PLC0415 - functions have settings of their own

    settings = EmitterSettings.from_environment()
    now_ms = int(time.time() * 1000)  # noqa: TID251 - a program that only publishes has no clock of ours
    delayed_ms, event_id = delay_ms(delay_seconds), f"evt_{secrets.token_hex(12)}"
    digest = subject_digest(settings.tenant, subject_id)
    of_whom = {"tenant": settings.tenant, "subject": sealing_in(settings).keyed(digest) if digest else ""}
    event = app_event(name, data, key, event_id=event_id, now_ms=now_ms, **of_whom)
    emitter = Emitter.from_settings(settings)
    try:
        await emitter.send(event, not_before_ms=now_ms + delayed_ms if delayed_ms else 0)
    finally:
        await emitter.close()
    return event_id
