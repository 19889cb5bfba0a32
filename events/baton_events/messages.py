"""A message of the queue: what it asks for, how long its deliveries may take, how long the queue waits between them.

Pure. Invariant: a function ends before the queue stops waiting for it.
"""

from collections.abc import Sequence
from math import ceil
from typing import Protocol
from zlib import crc32

from msgspec import Struct, field

from baton_events.schema import DELIVERY_FAILED_ENDPOINT, ENDPOINTS, EVENTS_ENDPOINT, EventType, function_of

# The waits of two messages differ by up to a quarter in each direction: refused messages do not return together.
# The queue has no randomness of its own (qstash.md 10), so the spread follows from the message.
SPREAD = 0.25
_PARTS = 1000
# Beyond this many doublings a wait is the longest one, whatever number a header says.
_MOST_DOUBLINGS = 64

# The limit of a function that works for a job: model calls, tool runs, a sweep.
FUNCTION_TIMEOUT_SECONDS = 240
# The other functions store results. Behind an HTTP API a request ends after 30 s.
_WITHOUT_WORK = {
    ENDPOINTS[EventType.TOOL_COMPLETE]: 60,
    ENDPOINTS[EventType.TOOL_FAILED]: 60,
    DELIVERY_FAILED_ENDPOINT: 29,
    EVENTS_ENDPOINT: 60,
}
_MARGIN_SECONDS = 10
# How long the queue waits for the answer to a failure callback.
CALLBACK_SECONDS = _WITHOUT_WORK[DELIVERY_FAILED_ENDPOINT] + _MARGIN_SECONDS

# Delivery attempts after the first; each plan of the queue allows as many.
RETRIES = 3
# How often the queue brings a model's answer again that was not taken in.
ANSWER_RETRIES = 5


class RetryWaits(Struct, frozen=True):
    """`first_ms` before the first retry, `factor` times as long before each further one, `longest_ms` at most."""

    first_ms: int
    factor: int = 2
    longest_ms: int = 600_000

    @property
    def expression(self) -> str:
        """The value of `Upstash-Retry-Delay`; its variable `retried` is 0 for the first retry."""
        return f"min({self.longest_ms}, {self.first_ms} * pow({self.factor}, retried))"

    def wait_ms(self, retried: int) -> int:
        """Compute the wait after this many retries."""
        return int(min(self.longest_ms, self.first_ms * self.factor ** min(retried, _MOST_DOUBLINGS)))

    def requested_seconds(self, name: str, retried: int) -> int:
        """Compute `Retry-After` for an endpoint that cannot work now; `name`: the message's.

        The queue prefers it to the expression, so it is no shorter than the wait of any message of these, and spread.
        """
        part = crc32(f"{name}.{retried}".encode()) % _PARTS / _PARTS
        return max(1, ceil(self.wait_ms(retried) * (1 + SPREAD + SPREAD * part) / 1000))

    def spread(self, name: str) -> "RetryWaits":
        part = crc32(name.encode()) % _PARTS / _PARTS
        first_ms = round(self.first_ms * (1 - SPREAD + 2 * SPREAD * part))
        return RetryWaits(first_ms, self.factor, max(first_ms, self.longest_ms))


# Of failure callbacks: 10 s, 1 min, 6 min. The queue's default would be 12 s, 2.5 min, half an hour.
CALLBACK_WAITS = RetryWaits(10_000, 6, 360_000)


class Flow(Struct, frozen=True):
    """How many messages with this key are delivered at once (qstash.md 18); without a key there is no limit."""

    key: str = ""
    parallelism: int = 0


_NO_FLOW = Flow()
_DEFAULT_WAITS = RetryWaits(10_000)


class Outgoing(Struct, frozen=True):
    """One message for the queue: to `url` or to `topic`, exactly one of them.

    `not_before_ms`: earliest delivery, 0: at once; one later than the queue's longest delay comes early.
    `deduplication_id`: a second message with it, within ten minutes, is accepted and never delivered; empty: none.
    `waits`: before its retries. `flow`: how many like it are delivered at once; `callback_flow`: the same of its
    failure callback. `callback`: where the queue brings the answer of each attempt; such a message is somebody else's
    request, whose headers and body the queue is to show nobody, and its failure callback is the answer's. `lane`: the
    tenant whose turn it takes among others, where the queue knows turns; empty: its job is one of its own.
    """

    body: str
    url: str = ""
    topic: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    not_before_ms: int = 0
    deduplication_id: str = ""
    label: str = ""
    failure_callback: str = ""
    callback: str = ""
    retries: int = RETRIES
    waits: RetryWaits = _DEFAULT_WAITS
    timeout_seconds: int = 300
    flow: Flow = _NO_FLOW
    callback_flow: Flow = _NO_FLOW
    lane: str = ""


class Queue(Protocol):
    """The message queue: at least once, any order."""

    async def publish(self, messages: Sequence[Outgoing]) -> list[str]:
        """Publish all in one request; returns message ids in order.

        Raises TopicNotFoundError, QueueUnauthorizedError, QueueUnreachableError: none was accepted.
        PartialPublishError: some were accepted.
        """
        ...

    async def cancel(self, message_id: str) -> None:
        """Take a message back; an unknown or delivered one is no error."""
        ...

    async def close(self) -> None:
        """Close connections; a later use opens them again."""
        ...


def function_seconds(endpoint: str) -> int:
    """Return the limit of the function at one of our endpoints."""
    return _WITHOUT_WORK.get(function_of(endpoint), FUNCTION_TIMEOUT_SECONDS)


def delivery_seconds(endpoint: str, longest_seconds: int) -> int:
    """Return how long the queue waits for an answer of one of our endpoints (`Upstash-Timeout`).

    For a function that works it is `longest_seconds`, the setting: it goes with the work's own limit.
    """
    without_work_seconds = _WITHOUT_WORK.get(function_of(endpoint))
    if without_work_seconds is None:
        return longest_seconds
    return min(longest_seconds, without_work_seconds + _MARGIN_SECONDS)
