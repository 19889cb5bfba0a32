"""The edge of a webhook: raw body → verify the signature → parse → pipeline → status code (DESIGN 3).

Invariant: nothing of a request is read before its signature is verified against the public URL; there is no switch that
turns this off. Errors are mapped to a status by their attributes, and a client never sees a traceback.
"""

import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from events.errors import BatonError, MalformedEventError, SignatureError, TooLargeError
from events.ports import Verifier
from functions.delivery import Outcome
from functions.lambda_url import lambda_url
from functions.probe import is_probe, probe_answer
from functions.source_budget import SourceBudget

_log = logging.getLogger("baton.edge")

BODY_LIMIT_BYTES = 4 * 1024 * 1024
_RETRIED_DIGITS = 9
NON_RETRYABLE_HEADER = "Upstash-NonRetryable-Error"


@dataclass(frozen=True, slots=True)
class Signed:
    """A verified request of the queue."""

    body: bytes
    message_id: str
    retried: int


Handler = Callable[[Signed], Awaitable[Outcome]]


class SignedEndpoint:
    """The ASGI app of one webhook. `url` is the public one: what the queue signed, or else the function's own URL.

    `failures` limits a source by what fails verification, and by nothing else: a 429 to the queue's own messages would
    burn their retries, so even a source that is over its budget is heard when its signature is valid.
    """

    def __init__(self, path: str, url: str, verifier: Verifier, handler: Handler, failures: SourceBudget) -> None:
        self._path = path
        self._url = url
        self._verifier = verifier
        self._handler = handler
        self._failures = failures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method != "POST":
            return _problem(405, f"{request.method} is not served here: the queue delivers by POST", {"Allow": "POST"})
        try:
            body = await self._verified(request)
            if is_probe(body):
                return JSONResponse(probe_answer())
            outcome = await self._handler(_signed(request, body))
        except SignatureError as error:
            return self._forged(request, error)
        except BatonError as error:
            return _refused(error)
        except Exception:  # noqa: BLE001 - the last line: logged, and answered without a traceback
            _log.exception("the message %s failed", request.headers.get("upstash-message-id"))
            return _problem(500, "internal error; the queue will try again")
        return JSONResponse({"outcome": outcome.word, "handedOn": outcome.handed_on})

    async def _verified(self, request: Request) -> bytes:
        signature = request.headers.get("upstash-signature", "")
        if not signature:  # the body of somebody who does not even try is not read
            raise SignatureError("the request has no signature")
        body = await read_body(request, BODY_LIMIT_BYTES)
        self._verify(signature, body, lambda_url(request.scope))
        return body

    def _verify(self, signature: str, body: bytes, own_url: str) -> None:
        if own_url:
            with contextlib.suppress(SignatureError):
                self._verifier.verify(signature, body, own_url + self._path)
                return
        self._verifier.verify(signature, body, self._url)

    def _forged(self, request: Request, error: SignatureError) -> Response:
        source = request.client.host if request.client else ""
        if self._failures.wait_seconds(source):  # and not a line more in the log
            return _problem(429, "too many requests without a valid signature from here", {"Retry-After": "60"})
        self._failures.spend(source)
        return _refused(error)


async def read_body(request: Request, limit_bytes: int) -> bytes:
    """The request's body.

    Raises:
        TooLargeError: it is larger than the limit; no more than that is read.
    """
    chunks, size_bytes = list[bytes](), 0
    async for chunk in request.stream():
        size_bytes += len(chunk)
        if size_bytes > limit_bytes:
            raise TooLargeError(f"the body is larger than {limit_bytes} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _signed(request: Request, body: bytes) -> Signed:
    message_id, retried = request.headers.get("upstash-message-id", ""), request.headers.get("upstash-retried", "0")
    if not message_id or not retried.isdecimal() or len(retried) > _RETRIED_DIGITS:
        raise MalformedEventError(f"Upstash-Message-Id {message_id!r}, Upstash-Retried {retried!r}: not a delivery")
    return Signed(body, message_id, int(retried))


def _refused(error: BatonError) -> Response:
    level = logging.INFO if error.retryable else logging.WARNING
    _log.log(level, "answered %d: %s", error.status, error)
    headers = {NON_RETRYABLE_HEADER: "true"} if isinstance(error, MalformedEventError) else {}
    return _problem(error.status, str(error), headers)


def _problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    body = {"type": "about:blank", "title": "webhook refused", "status": status, "detail": detail}
    return JSONResponse(body, status, headers, media_type="application/problem+json")
