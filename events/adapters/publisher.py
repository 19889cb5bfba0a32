"""The queue through the official QStash SDK: one message by publish, several by batch, errors by name.

The SDK's own retries are off (they take up to half a minute); whoever publishes is repeated by the queue instead.
"""

import asyncio
import contextlib
import math
import re
from collections.abc import Sequence
from typing import Any

import httpx
from qstash import AsyncQStash
from qstash.errors import QStashError
from qstash.message import BatchRequest, prepare_batch_message_body

from events.adapters.clock import SystemClock
from events.errors import (
    MessageNotFoundError,
    PartialPublishError,
    PublishError,
    QueueUnauthorizedError,
    QueueUnreachableError,
    TopicNotFoundError,
)
from events.ports import Clock, Outgoing
from events.settings import Settings, require

# Milliseconds: 10 s, 1 min, 6 min. By default it would be 12 s, 2.5 min, half an hour: longer than most outages.
_CALLBACK_RETRY_DELAY = "10000 * pow(6, retried)"
_STATUS = re.compile(r"status: (\d{3})")


class QStashQueue:
    """`Queue` over one SDK client, made on first use."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._client: AsyncQStash | None = None

    def _qstash(self) -> AsyncQStash:
        if self._client is None:
            require(self._settings, "QSTASH_TOKEN")
            self._client = AsyncQStash(self._settings.qstash_token, retry=False, base_url=self._settings.qstash_url)
        return self._client

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
        answers = await self._ask(
            messages[0],
            self._qstash().http.request(
                path="/v2/batch", method="POST", headers={"Content-Type": "application/json"}, body=body
            ),
        )
        return _message_ids(messages, answers)

    async def _publish_one(self, message: Outgoing) -> str:
        options: dict[str, Any] = {**self._request(message)}
        return str((await self._ask(message, self._first_of(options))).message_id)

    async def _first_of(self, options: dict[str, Any]) -> Any:
        """A topic answers with a list, one for each of its endpoints."""
        answer = await self._qstash().message.publish(**options)
        return answer[0] if isinstance(answer, list) else answer

    def _request(self, message: Outgoing) -> BatchRequest:
        request = _request(message)
        if message.not_before_ms:
            # What is due later than the queue keeps a message comes early, and is published again: in hops.
            latest_seconds = self._clock.now_ms() // 1000 + self._settings.message_max_delay_seconds
            request["not_before"] = min(math.ceil(message.not_before_ms / 1000), latest_seconds)
        return request

    async def _ask(self, message: Outgoing, request: Any) -> Any:
        where = self._settings.qstash_url
        try:
            async with asyncio.timeout(self._settings.queue_timeout_seconds):
                return await request
        except TimeoutError as error:
            reason = f"nothing within {self._settings.queue_timeout_seconds} s"
            raise QueueUnreachableError(where, reason) from error
        except httpx.HTTPError as error:
            raise QueueUnreachableError(where, type(error).__name__) from error
        except QStashError as error:
            raise _named(error, message, where) from error
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            # What the SDK raises when the answer is not what the queue's API promises.
            raise PublishError(f"no usable answer from the queue at {where} ({type(error).__name__})") from error

    async def cancel(self, message_id: str) -> None:
        """Take a message back; an unknown or delivered one is no error."""
        with contextlib.suppress(MessageNotFoundError):
            await self._ask(Outgoing(body=""), self._qstash().message.cancel(message_id))

    async def close(self) -> None:
        """Close connections; a later use opens them again."""
        if self._client is not None:
            client, self._client = self._client, None
            # The SDK has no close of its own; without this each client leaks its connection pool.
            await client.http._client.aclose()  # noqa: SLF001


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


def _named(error: QStashError, message: Outgoing, where: str) -> PublishError:
    found = _STATUS.search(str(error))
    status = int(found.group(1)) if found else 0
    if status == httpx.codes.UNAUTHORIZED:
        return QueueUnauthorizedError(where)
    if status == httpx.codes.NOT_FOUND and message.topic:
        return TopicNotFoundError(message.topic)
    if status == httpx.codes.NOT_FOUND:
        return MessageNotFoundError(f"the queue at {where} knows no such thing: {str(error)[:300]}")
    return PublishError(f"the queue at {where} refused the message: {str(error)[:300]}")
