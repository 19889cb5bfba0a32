"""The queue through the official QStash SDK: one message by publish, several by batch, errors by name.

Nothing is tried again here: whoever publishes is repeated by the queue instead.
"""

import contextlib
import math
from collections.abc import Sequence
from typing import Any

from qstash.message import BatchRequest, prepare_batch_message_body

from events.adapters.clock import SystemClock
from events.adapters.qstash_client import QStashClient
from events.errors import MessageNotFoundError, PartialPublishError, PublishError
from events.ports import Clock, Outgoing
from events.settings import Settings

# Milliseconds: 10 s, 1 min, 6 min. By default it would be 12 s, 2.5 min, half an hour: longer than most outages.
_CALLBACK_RETRY_DELAY = "10000 * pow(6, retried)"


class QStashQueue:
    """`Queue` over one SDK client, made on first use."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._client = QStashClient(settings)

    async def publish(self, messages: Sequence[Outgoing]) -> list[str]:
        """Publish all in one request; returns message ids in order.

        Raises:
            TopicNotFoundError, QueueUnauthorizedError, QueueUnreachableError: none was accepted.
            PartialPublishError: some were accepted.
        """
        if not messages:
            return []
        if len(messages) == 1:
            return [await self._publish_one(messages[0])]
        # Not `message.batch`: it fails with a KeyError on an item that was refused, and drops the others' ids.
        body = prepare_batch_message_body([self._request(message) for message in messages])
        answers = await self._client.ask(
            self._client.sdk.http.request(
                path="/v2/batch", method="POST", headers={"Content-Type": "application/json"}, body=body
            ),
            messages[0].topic,
        )
        return _message_ids(messages, answers)

    async def _publish_one(self, message: Outgoing) -> str:
        options: dict[str, Any] = {**self._request(message)}
        return str((await self._client.ask(self._first_of(options), message.topic)).message_id)

    async def _first_of(self, options: dict[str, Any]) -> Any:
        """A topic answers with a list, one for each of its endpoints."""
        answer = await self._client.sdk.message.publish(**options)
        return answer[0] if isinstance(answer, list) else answer

    def _request(self, message: Outgoing) -> BatchRequest:
        request = _request(message)
        if message.not_before_ms:
            # What is due later than the queue keeps a message comes early, and is published again: in hops.
            latest_seconds = self._clock.now_ms() // 1000 + self._settings.message_max_delay_seconds
            request["not_before"] = min(math.ceil(message.not_before_ms / 1000), latest_seconds)
        return request

    async def cancel(self, message_id: str) -> None:
        """Take a message back; an unknown or delivered one is no error."""
        with contextlib.suppress(MessageNotFoundError):
            await self._client.ask(self._client.sdk.message.cancel(message_id))

    async def close(self) -> None:
        """Close connections; a later use opens them again."""
        await self._client.close()


def _request(message: Outgoing) -> BatchRequest:
    request: BatchRequest = {
        "body": message.body,
        "content_type": "application/json",
        "method": "POST",
        "headers": dict(message.headers),
        "retries": message.retries,
        "retry_delay": str(message.retry_delay_ms),
        "timeout": message.timeout_seconds,
    }
    if message.topic:
        request["url_group"] = message.topic
    else:
        request["url"] = message.url
    if message.deduplication_id:
        request["deduplication_id"] = message.deduplication_id
    if message.label:
        request["label"] = message.label
    if message.failure_callback:
        request["failure_callback"] = message.failure_callback
        request["failure_callback_headers"] = {"Upstash-Failure-Callback-Retry-Delay": _CALLBACK_RETRY_DELAY}
    return request


def _message_ids(messages: Sequence[Outgoing], answers: Any) -> list[str]:
    if not isinstance(answers, list) or len(answers) != len(messages):
        raise PublishError(f"the queue answered a batch of {len(messages)} with {str(answers)[:200]!r}")
    accepted: dict[int, str] = {}
    failed: dict[int, str] = {}
    for position, answer in enumerate(answers):
        first = answer[0] if isinstance(answer, list) and answer else answer
        if isinstance(first, dict) and "messageId" in first:
            accepted[position] = str(first["messageId"])
        else:
            failed[position] = str(first.get("error", first) if isinstance(first, dict) else first)[:200]
    if failed:
        raise PartialPublishError(accepted, failed)
    return [accepted[position] for position in range(len(messages))]
