"""Messages as the official QStash SDK takes them, its answers and errors by name, and a publisher over it.

The SDK's own retries are off: they take up to half a minute. Must not: publish again what may have been accepted.
"""

import asyncio
import contextlib
import math
import re
import time
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

import httpx
from qstash import AsyncQStash
from qstash.asyncio.dlq import AsyncDlqApi
from qstash.asyncio.flow_control import AsyncFlowControlApi
from qstash.asyncio.http import AsyncHttpClient
from qstash.asyncio.log import AsyncLogApi
from qstash.asyncio.message import AsyncMessageApi
from qstash.asyncio.queue import AsyncQueueApi
from qstash.asyncio.schedule import AsyncScheduleApi
from qstash.asyncio.signing_key import AsyncSigningKeyApi
from qstash.asyncio.url_group import AsyncUrlGroupApi
from qstash.errors import QStashError
from qstash.http import NO_RETRY
from qstash.message import BatchRequest, FlowControl, Redact, prepare_batch_message_body

from baton_events.errors import (
    MessageNotFoundError,
    PartialPublishError,
    PublishError,
    QueueRefusedError,
    QueueUnauthorizedError,
    QueueUnreachableError,
    TopicNotFoundError,
)
from baton_events.messages import (
    ANSWER_RETRIES,
    CALLBACK_SECONDS,
    CALLBACK_WAITS,
    FUNCTION_TIMEOUT_SECONDS,
    Flow,
    Outgoing,
)
from baton_events.proxies import AsyncEnvironmentTransport, reason_of, through
from baton_events.settings import QueueSettings

_Answer = TypeVar("_Answer")
_NO_FLOW = Flow()


class SdkHttp(AsyncHttpClient):
    """The SDK's HTTP client over a transport that it is given: its constructor would choose a proxy by itself."""

    def __init__(self, token: str, base_url: str, transport: httpx.AsyncBaseTransport) -> None:
        self._token = f"Bearer {token}"
        self._retry = NO_RETRY
        self._client = httpx.AsyncClient(transport=transport, timeout=None)  # noqa: S113 - callers set the limit
        self._base_url = base_url


class Sdk(AsyncQStash):
    """The SDK's client, over that."""

    def __init__(self, http: AsyncHttpClient) -> None:
        self.http = http
        self.message = AsyncMessageApi(http)
        self.url_group = AsyncUrlGroupApi(http)
        self.queue = AsyncQueueApi(http)
        self.schedule = AsyncScheduleApi(http)
        self.signing_key = AsyncSigningKeyApi(http)
        self.log = AsyncLogApi(http)
        self.dlq = AsyncDlqApi(http)
        self.flow_control = AsyncFlowControlApi(http)


class SdkPublisher:
    """`Queue` over the SDK's own client, for programs that only emit."""

    def __init__(self, settings: QueueSettings) -> None:
        self._settings = settings
        self._client: AsyncQStash | None = None

    async def publish(self, messages: Sequence[Outgoing]) -> list[str]:
        """Publish all in one request; returns message ids in order. Raises as `Queue` says."""
        if not messages:
            return []
        requests = [batch_request(each, self._delay_seconds(each)) for each in messages]
        if len(requests) == 1:
            return [await self._request(publish_one(self._sdk, requests[0]), messages[0].topic)]
        return message_ids(await self._request(publish_batch(self._sdk, requests), messages[0].topic))

    async def cancel(self, message_id: str) -> None:
        """Take a message back; an unknown or delivered one is no error."""
        with contextlib.suppress(MessageNotFoundError):
            await self._request(self._sdk.message.cancel(message_id))

    async def close(self) -> None:
        """Close connections; a later use opens them again."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.http._client.aclose()  # noqa: SLF001 - the SDK has no way to close it

    @property
    def _sdk(self) -> AsyncQStash:
        if self._client is None:
            http = SdkHttp(self._settings.qstash_token, self._settings.qstash_url, AsyncEnvironmentTransport())
            self._client = Sdk(http)
        return self._client

    async def _request(self, request: Awaitable[_Answer], topic: str = "") -> _Answer:
        return await answer_of(request, self._settings.qstash_url, self._settings.queue_timeout_seconds, topic)

    def _delay_seconds(self, message: Outgoing) -> int:
        now_ms = time.time() * 1000  # noqa: TID251 - a program that only publishes has no clock of ours
        return delay_seconds(message, now_ms, self._settings)


async def answer_of(request: Awaitable[_Answer], queue_url: str, limit_seconds: float, topic: str = "") -> _Answer:
    """Wait for the answer of a request of the SDK; `topic`: what a 404 is about.

    Raises TopicNotFoundError, MessageNotFoundError, QueueUnauthorizedError, QueueUnreachableError, PublishError.
    """
    try:
        async with asyncio.timeout(limit_seconds):
            return await request
    except TimeoutError as error:
        raise QueueUnreachableError(queue_url, f"nothing within {limit_seconds} s{through(queue_url)}") from error
    except (httpx.HTTPError, OSError) as error:
        raise QueueUnreachableError(queue_url, reason_of(error)) from error
    except QStashError as error:
        raise _named(error, topic, queue_url) from error
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        # What the SDK raises when the answer is not what the queue's API promises.
        raise PublishError(f"no usable answer from the queue at {queue_url} ({type(error).__name__})") from error


# Malformed, over a limit of the account, too large, not what its headers say: the next time, too.
_FOR_GOOD = (400, 412, 413, 422)


def _named(error: QStashError, topic: str, where: str) -> PublishError:
    found = re.search(r"status: (\d{3})", str(error))
    status = int(found.group(1)) if found else 0
    if status == httpx.codes.UNAUTHORIZED:
        return QueueUnauthorizedError(where)
    if status == httpx.codes.NOT_FOUND and topic:
        return TopicNotFoundError(topic)
    if status == httpx.codes.NOT_FOUND:
        return MessageNotFoundError(f"the queue at {where} knows no such thing: {str(error)[:300]}")
    if status in _FOR_GOOD:
        return QueueRefusedError(f"the queue at {where} refused the message: {str(error)[:300]}")
    return PublishError(f"the queue at {where} refused the message: {str(error)[:300]}")


async def publish_one(sdk: AsyncQStash, request: BatchRequest) -> str:
    """Publish one message; returns its id. A topic answers with a list, one for each of its endpoints."""
    options: dict[str, Any] = {**request}
    answer = await sdk.message.publish(**options)
    first = answer[0] if isinstance(answer, list) else answer
    if not _is_id(first.message_id):
        raise ValueError("a message without an id")
    return first.message_id


async def publish_batch(sdk: AsyncQStash, requests: Sequence[BatchRequest]) -> list[Any]:
    """Publish all by one request; returns an answer for each, in order.

    Not `message.batch`: it fails with a KeyError on an item that was refused, and drops the others' ids.
    """
    body = prepare_batch_message_body(list(requests))
    headers = {"Content-Type": "application/json"}
    answers = await sdk.http.request(path="/v2/batch", method="POST", headers=headers, body=body)
    if not isinstance(answers, list) or len(answers) != len(requests):
        raise PublishError(f"the queue answered a batch of {len(requests)} with {str(answers)[:200]!r}")
    return answers


def _is_id(given: Any) -> bool:
    return isinstance(given, str) and given != ""


def message_ids(answers: Sequence[Any]) -> list[str]:
    """Return the ids in the answers of a batch; a topic answers with a list, one for each of its endpoints.

    Raises PartialPublishError: some messages were refused.
    """
    accepted: dict[int, str] = {}
    failed: dict[int, str] = {}
    for position, answer in enumerate(answers):
        first = answer[0] if isinstance(answer, list) and answer else answer
        if isinstance(first, dict) and _is_id(first.get("messageId")):
            accepted[position] = first["messageId"]
        else:
            failed[position] = str(first.get("error", first) if isinstance(first, dict) else first)[:200]
    if failed:
        raise PartialPublishError(accepted, failed)
    return list(accepted.values())


def delay_seconds(message: Outgoing, now_ms: float, settings: QueueSettings) -> int:
    """Return the delay that a message asks for; 0: none.

    A delay needs no clock in common with the queue's: a time would come at once, and again, where this one is behind.
    A message that is due later than the queue keeps it comes early, and is published again: in hops.
    """
    wait_seconds = math.ceil((message.not_before_ms - now_ms) / 1000) if message.not_before_ms else 0
    return min(max(0, wait_seconds), settings.message_max_delay_seconds)


def batch_request(message: Outgoing, wait_seconds: int = 0) -> BatchRequest:
    """Return a message as the SDK takes it."""
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
    if wait_seconds:
        request["delay"] = wait_seconds
    if message.deduplication_id:
        request["deduplication_id"] = message.deduplication_id
    if flow := flow_control(message.flow):
        request["flow_control"] = flow
    if message.label:
        request["label"] = message.label
    if message.callback:
        request |= answered_at(message)
    elif message.failure_callback:
        request["failure_callback"] = message.failure_callback
        request["failure_callback_headers"] = failure_callback_headers(message.callback_flow)
    return request


# What a callback may hold of somebody else's answer is no more for the queue's log than their request is.
_HIDDEN: Redact = {"body": True, "header": True}


def answered_at(message: Outgoing) -> BatchRequest:
    """Return what has the queue bring the answer of a request to us, and show nobody its keys and texts.

    Both callbacks go there: the queue makes the failure callback alone where it could not send the request.
    """
    return {
        "redact": _HIDDEN,
        "callback": message.callback,
        "callback_headers": _answer_headers("Upstash-Callback", message),
        "failure_callback": message.callback,
        "failure_callback_headers": _answer_headers("Upstash-Failure-Callback", message),
    }


def _answer_headers(prefix: str, message: Outgoing) -> dict[str, str]:
    flow, seconds = message.callback_flow, FUNCTION_TIMEOUT_SECONDS
    headers = {
        f"{prefix}-Retries": str(ANSWER_RETRIES),  # else those of the request, which has none
        f"{prefix}-Retry-Delay": message.waits.expression,
        f"{prefix}-Timeout": f"{seconds}s",
        f"{prefix}-Label": message.label,
        f"{prefix}-Redact-Fields": "body",
    }
    if flow.key:
        headers[f"{prefix}-Flow-Control-Key"] = flow.key
        headers[f"{prefix}-Flow-Control-Value"] = f"parallelism={flow.parallelism}"
    if message.failure_callback:  # what the answer's message carries is dispatched also where it dies
        failed = {"Upstash-Failure-Callback": message.failure_callback, **failure_callback_headers()}
        headers |= {f"{prefix}-{name.removeprefix('Upstash-')}": text for name, text in failed.items()}
    return headers


def flow_control(flow: Flow) -> FlowControl | None:
    """Return flow control as the SDK takes it; None: there is no limit."""
    return FlowControl(key=flow.key, parallelism=flow.parallelism) if flow.key else None


def failure_callback_headers(flow: Flow = _NO_FLOW) -> dict[str, str]:
    """Return how the queue delivers failure callbacks, which the SDK has no arguments for (qstash.md 4, 18).

    A callback is as the message that it is about in everything that these do not say.
    """
    prefix = "Upstash-Failure-Callback"
    headers = {
        f"{prefix}-Retry-Delay": CALLBACK_WAITS.expression,
        # It has no other setting, and by default the queue would wait as long as its plan allows.
        f"{prefix}-Timeout": f"{CALLBACK_SECONDS}s",
    }
    if flow.key:
        headers |= {
            f"{prefix}-Flow-Control-Key": flow.key,
            f"{prefix}-Flow-Control-Value": f"parallelism={flow.parallelism}",
        }
    return headers
