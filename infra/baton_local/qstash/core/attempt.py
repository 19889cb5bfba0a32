"""One delivery attempt: the request that goes out and what came back (qstash.md 8)."""

from dataclasses import dataclass, field

from baton_local.qstash.core.headers import HeaderMap
from baton_local.qstash.core.message import Message
from baton_local.qstash.core.signature import sign

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
        said = self.headers.get("Upstash-Nonretryable-Error", [""])[0].strip().lower()
        return self.status == _NON_RETRYABLE_STATUS and said == "true"


def build_request(
    message: Message, retried: int, signing_key: str, *, now_seconds: int, jwt_id: str, default_timeout_ms: int
) -> OutgoingRequest:
    """The request of one attempt; a new signature each time."""
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
