"""The queue through the official QStash SDK: one message by publish, several by batch, errors by name.

What is published at the same time in one process goes in one batch; each publisher has its own ids, or its own error.
Nothing is tried again here that may have been accepted: whoever publishes is repeated by the queue instead.
"""

import asyncio
import contextlib
import math
from collections.abc import Sequence
from typing import Any

from qstash.message import BatchRequest, prepare_batch_message_body

from baton.adapters.batching import Batcher, Bounds
from baton.adapters.clock import SystemClock
from baton.adapters.flow_headers import callback_flow_headers, flow_control
from baton.adapters.qstash_client import QStashClient
from baton.configuration.settings import Settings
from baton.configuration.time_limits import CALLBACK_SECONDS
from baton.core.retry_waits import CALLBACK_WAITS
from baton.ports import Clock, Flow, Outgoing
from baton_events.errors import (
    MessageNotFoundError,
    PartialPublishError,
    PublishError,
    QueueRefusedError,
    TopicNotFoundError,
)

# As for the store. A batch may have 100 MB (qstash.md 5); the headers of a message take less than 2 kB.
_REQUESTS, _ENTRIES, _SIZE_BYTES = 2, 100, 1_000_000
_HEADERS_BYTES = 2_000


class _AloneError(Exception):
    """Refused in company, and not accepted: only asked alone the queue says why."""


class QStashQueue:
    """`Queue` over one SDK client, made on first use."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._client = QStashClient(settings)
        self._batcher: Batcher[Sequence[Outgoing], list[str]] | None = None

    async def publish(self, messages: Sequence[Outgoing]) -> list[str]:
        """Publish all in one request; returns message ids in order.

        Raises:
            TopicNotFoundError, QueueUnauthorizedError, QueueUnreachableError: none was accepted.
            PartialPublishError: some were accepted.
        """
        if not messages:
            return []
        size_bytes = sum(len(message.body) + _HEADERS_BYTES for message in messages)
        together = self._together().ask(messages, len(messages), size_bytes)
        try:
            return await self._client.ask(together, messages[0].topic)
        except _AloneError:
            return await self._publish_alone(messages)

    def _together(self) -> Batcher[Sequence[Outgoing], list[str]]:
        if self._batcher is None or self._batcher.loop is not asyncio.get_running_loop():
            bounds = Bounds(_REQUESTS, _ENTRIES, _SIZE_BYTES, self._settings.queue_timeout_seconds)
            self._batcher = Batcher(self._publish_all, bounds)
        return self._batcher

    async def _publish_all(self, asks: list[Sequence[Outgoing]]) -> list[list[str] | Exception]:
        if len(asks) == 1:
            return [await self._publish_alone(asks[0])]
        everything = [message for messages in asks for message in messages]
        try:
            answers = iter(await self._batch(everything))
        except (QueueRefusedError, MessageNotFoundError, TopicNotFoundError):
            # Refused as a whole, so nothing was accepted; as likely as not because of one of them.
            return [_AloneError() for _ in asks]
        return [_ids([next(answers) for _ in messages]) for messages in asks]

    async def _publish_alone(self, messages: Sequence[Outgoing]) -> list[str]:
        if len(messages) == 1:
            return [await self._publish_one(messages[0])]
        return _message_ids(await self._batch(messages))

    async def _batch(self, messages: Sequence[Outgoing]) -> list[Any]:
        # Not `message.batch`: it fails with a KeyError on an item that was refused, and drops the others' ids.
        body = prepare_batch_message_body([self._request(message) for message in messages])
        answers = await self._client.ask(
            self._client.sdk.http.request(
                path="/v2/batch", method="POST", headers={"Content-Type": "application/json"}, body=body
            ),
            messages[0].topic,
        )
        if not isinstance(answers, list) or len(answers) != len(messages):
            raise PublishError(f"the queue answered a batch of {len(messages)} with {str(answers)[:200]!r}")
        return answers

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
            # A delay needs no clock in common with the queue's: a time would come at once, and again, where this one is
            # behind. What is due later than the queue keeps a message comes early, and is published again: in hops.
            seconds = math.ceil((message.not_before_ms - self._clock.now_ms()) / 1000)
            if seconds > 0:
                request["delay"] = min(seconds, self._settings.message_max_delay_seconds)
        return request

    async def cancel(self, message_id: str) -> None:
        """Take a message back; an unknown or delivered one is no error."""
        with contextlib.suppress(MessageNotFoundError):
            await self._client.ask(self._client.sdk.message.cancel(message_id))

    async def close(self) -> None:
        """Close connections; a later use opens them again."""
        if self._batcher is not None:
            await self._batcher.close()
        await self._client.close()


def _request(message: Outgoing) -> BatchRequest:
    request: BatchRequest = {
        "body": message.body,
        "content_type": "application/json",
        "method": "POST",
        "headers": dict(message.headers),
        "retries": message.retries,
        "retry_delay": message.waits.expression,
        "timeout": message.timeout_seconds,
    }
    if message.topic:
        request["url_group"] = message.topic
    else:
        request["url"] = message.url
    if message.deduplication_id:
        request["deduplication_id"] = message.deduplication_id
    if flow := flow_control(message.flow):
        request["flow_control"] = flow
    if message.label:
        request["label"] = message.label
    if message.failure_callback:
        request["failure_callback"] = message.failure_callback
        request["failure_callback_headers"] = failure_callback_headers(message.callback_flow)
    return request


def failure_callback_headers(flow: Flow | None = None) -> dict[str, str]:
    """Say how the queue delivers failure callbacks: what they do not say is as for the message that they are about."""
    return {
        "Upstash-Failure-Callback-Retry-Delay": CALLBACK_WAITS.expression,
        # It has no other setting, and by default the queue would wait as long as its plan allows.
        "Upstash-Failure-Callback-Timeout": f"{CALLBACK_SECONDS}s",
        **callback_flow_headers(flow or Flow()),
    }


def _ids(answers: Sequence[Any]) -> list[str] | Exception:
    try:
        return _message_ids(answers)
    except PartialPublishError as error:
        return error if len(answers) > 1 else _AloneError()


def _message_ids(answers: Sequence[Any]) -> list[str]:
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
    return list(accepted.values())
