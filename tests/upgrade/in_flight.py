"""The queue of the corpus: what is published stays in flight until it is acknowledged, and can be written down.

Invariant: at least once: a message leaves it by a 2xx, by being taken back, or by going to the failure callback after
its retries; what died with its process is delivered again.
"""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from baton.clock import Clock, SystemClock
from baton_events.messages import Outgoing
from baton_events.schema import DELIVERY_FAILED_ENDPOINT, SWEEP_ENDPOINT

BASE = "https://fn.example.com"
RETRY_DELAY_MS = 10_000
NOT_RETRYABLE = 489


@dataclass(frozen=True, slots=True)
class Message:
    """One message: to which of our paths, with what; `due_ms`: not before; `retried`: deliveries that failed."""

    id: str
    path: str
    body: str
    headers: dict[str, str] = field(default_factory=dict[str, str])
    due_ms: int = 0
    retried: int = 0
    retries: int = 3


class InFlight:
    """`Queue` that keeps what is in flight.

    `prefix`: of the ids that it gives, so that two of them never meet. `ahead_ms`: how far the queue's clock is ahead
    of the store's, by which sweeps are armed.
    """

    def __init__(
        self, messages: Sequence[Message] = (), prefix: str = "msg", ahead_ms: Callable[[], int] = lambda: 0
    ) -> None:
        self.messages = {message.id: message for message in messages}
        self._prefix = prefix
        self._ahead_ms = ahead_ms
        self._count = 0

    async def publish(self, messages: Sequence[Outgoing]) -> list[str]:
        return [self.put(message.url.removeprefix(BASE), message.body, message) for message in messages]

    def put(self, path: str, body: str, outgoing: Outgoing | None = None) -> str:
        self._count += 1
        name = f"{self._prefix}_{self._count}"
        if outgoing is None:
            self.messages[name] = Message(name, path, body)
            return name
        due_ms, retries = outgoing.not_before_ms, outgoing.retries
        if due_ms and path == SWEEP_ENDPOINT:
            due_ms += self._ahead_ms()
        self.messages[name] = Message(name, path, body, dict(outgoing.headers), due_ms, retries=retries)
        return name

    async def cancel(self, message_id: str) -> None:
        self.messages.pop(message_id, None)

    async def close(self) -> None:
        pass

    def next(self) -> Message | None:
        return min(self.messages.values(), key=lambda message: message.due_ms, default=None)

    def answered(self, message: Message, status: int, answer: bytes, now_ms: int) -> None:
        """A delivery ended: acknowledged, to be tried again, or given up."""
        current = self.messages.pop(message.id, None)
        if current is None or status < 300:
            return
        if status != NOT_RETRYABLE and message.retried < message.retries:
            self.messages[message.id] = replace(message, retried=message.retried + 1, due_ms=now_ms + RETRY_DELAY_MS)
        elif message.path != DELIVERY_FAILED_ENDPOINT:
            self.put(DELIVERY_FAILED_ENDPOINT, callback_of(message, status, answer))

    def died(self, message: Message, now_ms: int) -> None:
        self.messages[message.id] = replace(message, retried=message.retried + 1, due_ms=now_ms + RETRY_DELAY_MS)


def ahead_of_redis(clock: Clock) -> Callable[[], int]:
    """How far this clock is ahead of a real Redis's, at each moment."""
    redis = SystemClock()
    return lambda: clock.now_ms() - redis.now_ms()


def callback_of(message: Message, status: int, answer: bytes) -> str:
    """What the queue tells the failure callback of a message that it gives up (docs/spec/qstash.md 11)."""
    found = {
        "sourceMessageId": message.id,
        "url": BASE + message.path,
        "sourceBody": base64.b64encode(message.body.encode()).decode(),
        "status": status,
        "body": base64.b64encode(answer).decode(),
        "retried": message.retried,
        "maxRetries": message.retries,
    }
    return json.dumps(found, separators=(",", ":"))
