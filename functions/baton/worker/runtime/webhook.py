"""The edge of a webhook: verify the signature → read the body → compare its digest → pipeline → status code.

Invariant: a signature is verified against the public URL before anything of the body is read, so a request that the
queue did not sign holds no memory; on Lambda, the function's own URL from its request context counts, too. No switch
turns this off. Errors are mapped to a status by their attributes, and a client never sees a traceback. A probe of
`baton doctor` is answered after the signature was checked and changes nothing. A source that fails too often is refused
by this process alone, without a request to the store.
"""

import contextlib
import logging
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from msgspec import Struct
from pydantic_core import to_json
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from baton.queue.dispatch import Outcome
from baton.queue.ports import Verifier
from baton.sdk.clock import Clock
from baton.sdk.distribution import DISTRIBUTION
from baton.sdk.records.transcript import HttpResponse
from baton.settings.settings import MESSAGE_LIMIT_BYTES
from baton.store.transport.bodies import read_body
from baton_events.errors import BatonError, MalformedEventError, SignatureError
from baton_events.messages import RetryWaits
from baton_events.schema import SCHEMA_VERSION, Event, EventType, parse_event
from baton_events.sealing import Sealing

_MOST_SOURCES = 10_000
# Forged requests of one source: beyond these they are refused without a line in the log.
FORGED_PER_MINUTE = 60
_MINUTE_MS = 60_000


class SourceBudget:
    """A budget of failures for each source: this many a minute, and as many at once at most."""

    def __init__(self, clock: Clock, per_minute: int) -> None:
        self._clock, self._per_minute = clock, per_minute
        self._spent: OrderedDict[str, tuple[float, int]] = OrderedDict()  # source → (spent, at)

    def wait_seconds(self, source: str) -> float:
        """Return how long a source must wait; 0: it may go on."""
        over = self._now_spent(source) - (self._per_minute - 1)
        return max(0.0, over * _MINUTE_MS / self._per_minute / 1000)

    def spend(self, source: str) -> None:
        """Count one more failure."""
        spent = min(self._per_minute, self._now_spent(source) + 1)
        self._spent[source] = (spent, self._clock.now_ms())
        self._spent.move_to_end(source)
        if len(self._spent) > _MOST_SOURCES:
            self._spent.popitem(last=False)

    def _now_spent(self, source: str) -> float:
        spent, at_ms = self._spent.get(source, (0.0, 0))
        return max(0.0, spent - max(0, self._clock.now_ms() - at_ms) * self._per_minute / _MINUTE_MS)


_FUNCTION_URL = r"[a-z0-9]+\.lambda-url\.[a-z0-9-]+\.on\.aws"


def lambda_url(scope: Scope) -> str:
    """Return the called function's `https://….lambda-url.REGION.on.aws`; empty behind anything but a function URL."""
    domain = scope.get("aws.event", {}).get("requestContext", {}).get("domainName", "")
    return f"https://{domain}" if re.fullmatch(_FUNCTION_URL, domain) else ""


PROBE_OUTCOME = "probe"
_START = b'{"type":"baton.probe"'


def probe_body(name: str) -> str:
    """Return the body of a probe; `name` distinguishes it from others."""
    return f'{_START.decode()},"name":"{name}"}}'


def is_probe(body: bytes) -> bool:
    return body.startswith(_START)


def probe_answer(sealing: Sealing) -> dict[str, Any]:
    """Return the answer to a probe: that it was understood, by which version, and which keys open payloads here."""
    keys = {"keyIds": sealing.key_ids, "sealsBy": sealing.first} if sealing.key_ids else {}
    return {"outcome": PROBE_OUTCOME, "version": own_version(), "schemaVersion": SCHEMA_VERSION, **keys}


def own_version() -> str:
    """Return the version of this code; empty where only its files were installed."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - slow, and only probes ask

    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return ""


_log = logging.getLogger("baton.edge")

_RETRIED_DIGITS = 9
LATER = frozenset({429, 503})
NON_RETRYABLE_HEADER = "Upstash-NonRetryable-Error"


class Signed(Struct, frozen=True):
    """A verified request of the queue, from an address. `token`: the signed text, new at each attempt (qstash.md 9).

    `below`: the rest of the path that it came to, and was signed for, after the endpoint's own.
    The signature does not cover `message_id` and `retried`: a captured request may come again with others.
    """

    body: bytes
    message_id: str
    retried: int
    token: str = ""
    source: str = ""
    below: str = ""


def brought(path: str, event_type: EventType | None, signed: Signed) -> tuple[Event, HttpResponse | None]:
    """Read the event that a request brings to the function of this type, or the event of the turn that it answers.

    Raises MalformedEventError: it is none, or another function's.
    """
    if signed.below and event_type is EventType.LOOP_INIT:
        from baton.queue.brought_answers import read_answer  # noqa: PLC0415 - few agents have answers brought

        return read_answer(signed.below, signed.body)
    event = parse_event(signed.body)
    if event.type != event_type:
        raise MalformedEventError(f"{event.type} does not belong to {path}, which takes {event_type}")
    return event, None


Handler = Callable[[Signed], Awaitable[Outcome]]


class SignedEndpoint:
    """The ASGI app of one webhook. `url`: the public one, which the queue signed, or else the function's own URL.

    `failures` limits a source by its requests that fail verification: one over its budget is served when its signature
    is valid. `waits`: of the messages that come here: 429 and 503 request no shorter ones, since the queue would
    accept them (qstash.md 10).
    A request to a path below its own was signed for that path.
    """

    def __init__(
        self,
        path: str,
        url: str,
        verifier: Verifier,
        handler: Handler,
        failures: SourceBudget,
        waits: RetryWaits,
        sealing: Sealing,
    ) -> None:
        self._path, self._url, self._verifier, self._handler = path, url, verifier, handler
        self._failures, self._waits, self._sealing = failures, waits, sealing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = _headers_of(scope)
        try:
            if (method := scope["method"]) != "POST":
                response = _problem(405, f"{method} is not served here: the queue delivers by POST", {"Allow": "POST"})
            elif is_probe(body := await self._verified(scope, headers, receive)):
                response = _json(probe_answer(self._sealing))
            else:
                await self._sealing.ready()
                body = self._sealing.opened_message(body)
                below = _below(self._path, scope.get("path", ""))
                outcome = await self._handler(_signed(headers, body, source_of(scope), below))
                response = _json({"outcome": outcome.label, "handedOn": outcome.dispatched})
        except Exception as error:  # noqa: BLE001 - the last line: what goes wrong is answered
            response = self._failed(scope, headers, error)
        await response(scope, receive, send)

    def _failed(self, scope: Scope, headers: Mapping[str, str], error: Exception) -> Response:
        """Return the answer to a failed request; an unexpected error is logged, and shows no traceback."""
        match error:
            case SignatureError():
                return self._forged(scope, error)
            case BatonError():
                later = self._come_again(headers, error) if error.status in LATER else None
                response = _refused(error, later)
                response.body = self._sealing.sealed_message(bytes(response.body).decode()).encode()
                response.headers["content-length"] = str(len(response.body))
                return response
            case _:
                _log.exception("the message %s failed", headers.get("upstash-message-id"), exc_info=error)
                return _problem(500, "internal error; the queue will try again")

    async def _verified(self, scope: Scope, headers: Mapping[str, str], receive: Receive) -> bytes:
        signature = headers.get("upstash-signature", "")
        if not signature:
            raise SignatureError("the request has no signature")
        if not self._verifier.knows_keys:
            await self._verifier.know_keys()
        digest = self._signed_digest(signature, lambda_url(scope), _below(self._path, scope.get("path", "")))
        body = await read_body(scope, receive, MESSAGE_LIMIT_BYTES)
        self._verifier.check_body(digest, body)
        return body

    def _signed_digest(self, signature: str, own_url: str, below: str) -> str:
        if own_url:
            with contextlib.suppress(SignatureError):
                return self._verifier.signed_digest(signature, own_url + self._path + below)
        return self._verifier.signed_digest(signature, self._url + below)

    def _come_again(self, headers: Mapping[str, str], error: BatonError) -> dict[str, str]:
        own_seconds = self._waits.requested_seconds(headers.get("upstash-message-id", ""), _retried(headers))
        return {"Retry-After": str(max(own_seconds, getattr(error, "wait_seconds", 0)))}

    def _forged(self, scope: Scope, error: SignatureError) -> Response:
        source = source_of(scope)
        if self._failures.wait_seconds(source):  # without another line in the log
            return _problem(429, "too many requests without a valid signature from here", {"Retry-After": "60"})
        self._failures.spend(source)
        return _refused(error)


def source_of(scope: Scope) -> str:
    """Return the address that a request comes from; empty: unknown."""
    return (scope.get("client") or ("",))[0]


def _below(path: str, asked: str) -> str:
    """Return the rest of the requested path after the endpoint's own, whatever a proxy has put before it."""
    _, found, below = asked.rpartition(path)
    return below if found else ""


def _headers_of(scope: Scope) -> dict[str, str]:
    return {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in reversed(scope["headers"])
        if name.startswith(b"upstash-")
    }


def _signed(headers: Mapping[str, str], body: bytes, source: str, below: str) -> Signed:
    message_id, retried = headers.get("upstash-message-id", ""), _retried(headers)
    if not message_id or retried < 0:
        shown = headers.get("upstash-retried")
        raise MalformedEventError(f"Upstash-Message-Id {message_id!r}, Upstash-Retried {shown!r}: not a delivery")
    # Without the signature itself, which can be spelled in several ways.
    return Signed(body, message_id, retried, headers["upstash-signature"].rpartition(".")[0], source, below)


def _retried(headers: Mapping[str, str]) -> int:
    """Return how often the message was delivered before; -1: the header has no such number."""
    retried = headers.get("upstash-retried", "0")
    return int(retried) if retried.isdecimal() and len(retried) <= _RETRIED_DIGITS else -1


def _refused(error: BatonError, headers: Mapping[str, str] | None = None) -> Response:
    level = logging.INFO if error.retryable else logging.WARNING
    _log.log(level, "answered %d: %s", error.status, error)
    final = {NON_RETRYABLE_HEADER: "true"} if isinstance(error, MalformedEventError) else {}
    return _problem(error.status, str(error), {**(headers or {}), **final})


def _problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    body = {"type": "about:blank", "title": "webhook refused", "status": status, "code": "WEBHOOK_REFUSED"}
    body["detail"] = detail
    return _json(body, status, headers, "application/problem+json")


def _json(
    content: Mapping[str, Any], status: int = 200, headers: dict[str, str] | None = None, kind: str = "application/json"
) -> Response:
    return Response(to_json(content), status, headers, kind)
