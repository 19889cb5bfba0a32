"""The queue through the official QStash SDK: one message by publish, several by batch, errors by name.

Messages that are published at the same time in one process go in one batch; each publisher gets its own ids, or its own
error. A message that may have been accepted is not sent again here: the queue repeats the delivery that publishes
instead.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

from qstash.message import BatchRequest

from baton.queue.qstash.client import QStashClient
from baton.sdk.clock import Clock, SystemClock
from baton.settings.settings import Settings
from baton.store.transport.batching import Batcher, Bounds
from baton_events.errors import MessageNotFoundError, PartialPublishError, QueueRefusedError, TopicNotFoundError
from baton_events.messages import Outgoing
from baton_events.publisher import batch_request, delay_seconds, message_ids, publish_batch, publish_one

# As for the store. A batch may have 100 MB (qstash.md 5); the headers of a message take less than 2 kB.
_REQUESTS, _ENTRIES, _SIZE_BYTES = 2, 100, 1_000_000
_HEADERS_BYTES = 2_000


class _AloneError(Exception):
    """Refused in a batch, and not accepted: the queue gives the reason only for a single request."""


class QStashQueue:
    """`Queue` over one SDK client, made on first use."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._client = QStashClient(settings)
        self._batcher: Batcher[Sequence[Outgoing], list[str]] | None = None

    async def publish(self, messages: Sequence[Outgoing]) -> list[str]:
        """Publish all in one request; return message ids in order.

        Raises TopicNotFoundError, QueueUnauthorizedError, QueueUnreachableError: none was accepted.
        PartialPublishError: some were accepted.
        """
        if not messages:
            return []
        size_bytes = sum(len(message.body) + _HEADERS_BYTES for message in messages)
        together = self._together().send(messages, len(messages), size_bytes)
        try:
            return await self._client.request(together, messages[0].topic)
        except _AloneError:
            return await self._publish_alone(messages)

    def _together(self) -> Batcher[Sequence[Outgoing], list[str]]:
        if self._batcher is None or self._batcher.loop is not asyncio.get_running_loop():
            bounds = Bounds(_REQUESTS, _ENTRIES, _SIZE_BYTES, self._settings.queue_timeout_seconds)
            self._batcher = Batcher(self._publish_all, bounds)
        return self._batcher

    async def _publish_all(self, requests: list[Sequence[Outgoing]]) -> list[list[str] | Exception]:
        if len(requests) == 1:
            return [await self._publish_alone(requests[0])]
        everything = [message for messages in requests for message in messages]
        try:
            answers = iter(await self._batch(everything))
        except (QueueRefusedError, MessageNotFoundError, TopicNotFoundError):
            # Refused as a whole, so nothing was accepted; probably because of one message.
            return [_AloneError() for _ in requests]
        return [_ids([next(answers) for _ in messages]) for messages in requests]

    async def _publish_alone(self, messages: Sequence[Outgoing]) -> list[str]:
        if len(messages) == 1:
            publishing = publish_one(self._client.sdk, self._request(messages[0]))
            return [await self._client.request(publishing, messages[0].topic)]
        return message_ids(await self._batch(messages))

    async def _batch(self, messages: Sequence[Outgoing]) -> list[Any]:
        requests = [self._request(message) for message in messages]
        return await self._client.request(publish_batch(self._client.sdk, requests), messages[0].topic)

    def _request(self, message: Outgoing) -> BatchRequest:
        return batch_request(message, delay_seconds(message, self._clock.now_ms(), self._settings))

    async def cancel(self, message_id: str) -> None:
        """Cancel a message; an unknown or delivered one is no error."""
        with contextlib.suppress(MessageNotFoundError):
            await self._client.request(self._client.sdk.message.cancel(message_id))

    async def close(self) -> None:
        """Close connections; a later use opens them again."""
        if self._batcher is not None:
            await self._batcher.close()
        await self._client.close()


def _ids(answers: Sequence[Any]) -> list[str] | Exception:
    try:
        return message_ids(answers)
    except PartialPublishError as error:
        return error if len(answers) > 1 else _AloneError()
