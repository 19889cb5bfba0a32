"""A message and its life in records: progress, attempts, events of the log, dead letter (qstash.md 7-9, 13).

Invariants: a Message never changes after it was accepted; everything that changes is in Live. Events are written, never
changed. A dead letter keeps the original message, so a retry sends what the caller published. In a signature (HS256
over claims that name the URL and the body) `iat` and `nbf` are never in the future. Pure.
"""

import enum
import hmac
import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256

from baton_local.qstash.core.flow_control import FlowSpec
from baton_local.qstash.core.headers import NOTHING_REDACTED, HeaderMap, Redaction
from baton_local.qstash.core.options import CallbackSpec

DEFAULT_RETRIES = 3


@dataclass(frozen=True, slots=True)
class Message:
    """What will be sent, where, and how; `seq` orders all messages of a server."""

    seq: int
    id: str
    user: str
    url: str
    created_at_ms: int
    not_before_ms: int
    method: str = "POST"
    header: HeaderMap = field(default_factory=dict)
    body: bytes | None = None
    max_retries: int = DEFAULT_RETRIES
    retry_delay: str | None = None
    timeout_ms: int | None = None
    topic: str | None = None
    endpoint: str | None = None
    queue: str | None = None
    schedule_id: str | None = None
    caller_ip: str | None = None
    labels: tuple[str, ...] = ()
    flow: FlowSpec | None = None
    callback: CallbackSpec | None = None
    failure_callback: CallbackSpec | None = None
    redaction: Redaction = NOTHING_REDACTED
    # A callback keeps the queue's turn of the message that it reports on (qstash.md 11).
    holds_queue: str | None = None
    holds_turn_of: str | None = None


class Phase(enum.Enum):
    """Where a message that is not finished stands."""

    TIMED = "waits for a time"
    QUEUED = "waits for its turn in a queue"
    PARKED = "waits for flow control, a paused queue or a free slot"
    ACTIVE = "is being delivered"


@dataclass(slots=True)
class Live:
    """An unfinished message; the only mutable thing about it."""

    message: Message
    due_ms: int
    retried: int = 0
    cancel_requested: bool = False
    phase: Phase = Phase.QUEUED
    response_bytes: int = 0
    turn: int = 0  # drawn when it became due; a lower one goes first

    def __reduce__(self) -> tuple[type, tuple[tuple[int, int, bool]]]:
        """Keep on disk what follows the message in a new one of these; the message is kept by itself."""
        return tuple, ((self.due_ms, self.retried, self.cancel_requested),)


LIFETIME_SECONDS = 300


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


_dump = json.JSONEncoder(separators=(",", ":")).encode
_HEADER = _base64url(b'{"alg":"HS256","typ":"JWT"}')


def sign(key: str, url: str, body: bytes, *, now_seconds: int, jwt_id: str) -> str:
    """Return a token for exactly this URL and body, valid for five minutes from now."""
    claims = {
        "iss": "Upstash",
        "sub": url,
        "exp": now_seconds + LIFETIME_SECONDS,
        "nbf": now_seconds,
        "iat": now_seconds,
        "jti": jwt_id,
        "body": urlsafe_b64encode(sha256(body).digest()).decode(),  # padding kept; verifiers strip it
    }
    signed = f"{_HEADER}.{_base64url(_dump(claims).encode())}"
    return f"{signed}.{_base64url(hmac.digest(key.encode(), signed.encode(), 'sha256'))}"


USER_AGENT = "Upstash-QStash"
_SUCCESS = range(200, 300)
_NON_RETRYABLE_STATUS = 489


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """What is put on the wire, byte for byte."""

    method: str
    url: str
    headers: list[tuple[str, str]]
    body: bytes
    timeout_ms: int


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """What came back: a response, or an error text and no status."""

    status: int = 0
    headers: HeaderMap = field(default_factory=dict)
    body: bytes = b""
    error: str | None = None

    @property
    def succeeded(self) -> bool:
        """Only 2xx is success; a redirect is a failure (qstash.md 7)."""
        return self.error is None and self.status in _SUCCESS

    @property
    def forbids_retry(self) -> bool:
        """Status 489 together with its header means: never again (qstash.md 10)."""
        value = self.headers.get("Upstash-Nonretryable-Error", [""])[0].strip().lower()
        return self.status == _NON_RETRYABLE_STATUS and value == "true"


def build_request(
    message: Message, retried: int, signing_key: str, *, now_seconds: int, jwt_id: str, default_timeout_ms: int
) -> OutgoingRequest:
    """Return the request of one attempt; a new signature each time."""
    body = message.body or b""
    own = {
        "Upstash-Message-Id": message.id,
        "Upstash-Retried": str(retried),
        "Upstash-Signature": sign(signing_key, message.url, body, now_seconds=now_seconds, jwt_id=jwt_id),
    }
    if message.topic:
        own["Upstash-Topic-Name"] = message.topic
    if message.schedule_id:
        own["Upstash-Schedule-Id"] = message.schedule_id
    if message.caller_ip:
        own["Upstash-Caller-Ip"] = message.caller_ip
    headers = [] if "User-Agent" in message.header else [("User-Agent", USER_AGENT)]
    headers += [(name, value) for name, values in message.header.items() if name not in own for value in values]
    headers += own.items()
    timeout_ms = default_timeout_ms if message.timeout_ms is None else message.timeout_ms
    return OutgoingRequest(message.method, message.url, headers, body, timeout_ms)


class EventState(enum.StrEnum):
    """The states of qstash.md 7, spelt as the SDKs parse them."""

    CREATED = "CREATED"
    ACTIVE = "ACTIVE"
    RETRY = "RETRY"
    ERROR = "ERROR"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    CANCEL_REQUESTED = "CANCEL_REQUESTED"
    CANCELED = "CANCELED"


IN_PROGRESS = (EventState.ACTIVE, EventState.RETRY, EventState.ERROR)


@dataclass(frozen=True, slots=True)
class Event:
    message: Message
    time_ms: int
    state: EventState
    next_delivery_ms: int | None = None
    result: AttemptResult | None = None


@dataclass(frozen=True, slots=True)
class DlqEntry:
    """One dead letter; `seq` orders entries by the time of failure."""

    seq: int
    id: str
    message: Message
    failed_at_ms: int
    result: AttemptResult
