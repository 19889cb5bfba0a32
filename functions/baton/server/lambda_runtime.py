"""A runtime of Lambda that streams answers. lambda_runtime.sh calls it with an address and the name of a handler.

Lambda's own Python runtime returns whole answers only (decisions/0022-streaming-on-lambda). This one streams in a
function URL's format: a prelude in JSON, eight NUL bytes, then the body as it comes. Events of an HTTP API, which
cannot stream, go to the handler unchanged. Invariant: there is one invocation at a time, so a blocking write delays no
other. No event ends the process: what cannot be answered is reported as the invocation's error. Must not: run tools,
whose hung calls only `LambdaHandler` handles.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html#runtime-wrapper
"""

import asyncio
import base64
import json
import logging
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import Message as Headers
from http.client import HTTPConnection
from importlib import import_module
from typing import Any

from mangum.types import LambdaConfig
from starlette.types import ASGIApp, Message

from baton.worker.entry import UNTIL_MS, LambdaHandler
from baton.worker.lambda_requests import BroughtRequest, brought_request
from baton.worker.runtime.webhook import lambda_url
from baton_events.values.text import text_of

_log = logging.getLogger("baton.lambda")

_API = "/2018-06-01/runtime"
_STREAMED = {
    "Content-Type": "application/vnd.awslambda.http-integration-response",
    "Lambda-Runtime-Function-Response-Mode": "streaming",
    "Transfer-Encoding": "chunked",
    "Trailer": "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
}
_DELIMITER = bytes(8)
_ERROR_TRAILERS = b"Lambda-Runtime-Function-Error-Type: %b\r\nLambda-Runtime-Function-Error-Body: %b\r\n"
_CONFIG = LambdaConfig(api_gateway_base_path="/", text_mime_types=[], exclude_headers=[])
_OK, _ACCEPTED = 200, 202
_SHOWN_CHARS = 2_000
# An answer ends this long before its function's time: a stream checks once a second, after a request to the store.
_MARGIN_MS = 5_000


@dataclass(frozen=True, slots=True)
class Invocation:
    """One event, with the attributes of Lambda's context that handlers read."""

    event: Any
    aws_request_id: str
    deadline_ms: int


class RuntimeApiError(Exception):
    """The Runtime API gives no event, or takes no answer."""


class StreamedAnswer:
    """The answer of an ASGI app to one event's request, on its way to the Runtime API at `address`."""

    def __init__(self, address: str, invocation: Invocation, request: BroughtRequest) -> None:
        self._invocation, self._request = invocation, request
        self._connection = HTTPConnection(address)
        self._start: Message | None = None
        self._body_given, self._begun, self._over, self._gone = False, False, asyncio.Event(), False

    async def of(self, app: ASGIApp) -> None:
        """Run the app for this event. A failure is logged, and ends the answer."""
        scope = self._request.scope
        scope["asgi"] = {"version": "3.0", "spec_version": "2.4"}  # a `send` may fail if its receiver is gone
        scope[UNTIL_MS] = self._invocation.deadline_ms - _MARGIN_MS
        try:
            await app(scope, self._receive, self._send)
            self._check_over()
        except (Exception, SystemExit, asyncio.CancelledError) as error:  # noqa: BLE001 - the last resort: it is answered
            if self._gone:
                _log.info("nobody takes the answer to %s %s any more", scope["method"], scope["path"])
                return
            _log.exception("the answer to %s %s failed", scope["method"], scope["path"])
            if not self._over.is_set():
                self._break_off(type(error).__name__)
        finally:
            self._connection.close()

    def _check_over(self) -> None:
        """Refuse half an answer, for whose end Lambda would wait until its function's time is up."""
        if not self._over.is_set():
            raise RuntimeError("the app ended before its answer did")

    async def _receive(self) -> Message:
        """Return the request's body once; then wait for the answer's end."""
        if not self._body_given:
            self._body_given = True
            return {"type": "http.request", "body": self._request.body, "more_body": False}
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        try:
            if self._start is not None and not self._begun:
                self._begin(self._start["status"], self._start.get("headers", []))
            self._write(message.get("body", b""))
            if not message.get("more_body"):
                self._end()
        except OSError:
            self._gone = True
            self._over.set()
            raise

    def _begin(self, status: int, headers: Iterable[Any]) -> None:
        answer = self._request({"status": status, "headers": list(headers), "body": b""})
        prelude = {name: answer[name] for name in ("statusCode", "headers", "cookies") if name in answer}
        self._begun = True
        self._connection.putrequest("POST", f"{_API}/invocation/{self._invocation.aws_request_id}/response")
        for name, value in _STREAMED.items():
            self._connection.putheader(name, value)
        self._connection.endheaders()
        self._write(json.dumps(prelude).encode() + _DELIMITER)

    def _write(self, data: bytes) -> None:
        if data:  # an empty chunk would be the end
            self._connection.send(b"%x\r\n%b\r\n" % (len(data), data))

    def _end(self, trailers: bytes = b"") -> None:
        self._connection.send(b"0\r\n%b\r\n" % trailers)
        self._over.set()
        if (status := self._connection.getresponse().status) != _ACCEPTED:
            _log.warning("Lambda answered %d to the answer of %s", status, self._invocation.aws_request_id)

    def _break_off(self, error_type: str) -> None:
        """End with 500 if nothing was sent yet; else with an error behind the sent part."""
        if not self._begun:
            self._begin(500, [(b"content-type", b"text/plain; charset=utf-8")])
            self._write(b"Internal Server Error")
            self._end()
            return
        error = json.dumps(_error(error_type, "the answer was broken off: the log has the reason")).encode()
        self._end(_ERROR_TRAILERS % (error_type.encode(), base64.b64encode(error)))


def serve_next(address: str, handler: LambdaHandler) -> None:
    """Wait for an event, and answer it or report why it has no answer.

    Raises RuntimeApiError: Lambda gives no event, which is the end of the process.
    """
    status, headers, event = _request(address, "invocation/next")
    if status != _OK:
        raise RuntimeApiError(f"Lambda answered {status} where the next event was due: {event[:_SHOWN_CHARS]!r}")
    request_id = headers["Lambda-Runtime-Aws-Request-Id"]
    try:
        _answer(address, handler, Invocation(json.loads(event), request_id, int(headers["Lambda-Runtime-Deadline-Ms"])))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the last resort: it is reported
        _log.exception("the event %s has no answer", request_id)
        _request(address, f"invocation/{request_id}/error", _error(type(error).__name__, text_of(error)))


def _answer(address: str, handler: LambdaHandler, invocation: Invocation) -> None:
    """Answer one event, as a stream where it came by a function URL."""
    request = brought_request(invocation.event, invocation, _CONFIG)
    if lambda_url(request.scope):
        handler.loop.run_until_complete(StreamedAnswer(address, invocation, request).of(handler.app))
        return
    answer = handler(invocation.event, invocation)
    status, _, body = _request(address, f"invocation/{invocation.aws_request_id}/response", answer)
    if status != _ACCEPTED:
        raise RuntimeApiError(f"Lambda answered {status} to the answer: {body[:_SHOWN_CHARS]!r}")


def run(address: str, handler_name: str) -> None:
    """Serve events until the process is ended.

    `address`: host and port of the Runtime API. `handler_name`: a `LambdaHandler` as serverless.yml names it:
    `functions/handlers/site.handler`.
    """
    try:
        handler = _load(handler_name)
    except Exception as error:
        _request(address, "init/error", _error(type(error).__name__, text_of(error)))
        raise
    while True:
        serve_next(address, handler)


def _load(name: str) -> LambdaHandler:
    module, _, attribute = name.rpartition(".")
    handler = getattr(import_module(module.replace("/", ".")), attribute)
    if not isinstance(handler, LambdaHandler):
        raise TypeError(
            f"{name} is no LambdaHandler of baton.worker.entry and cannot stream: unset AWS_LAMBDA_EXEC_WRAPPER"
        )
    return handler


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"errorType": kind, "errorMessage": message[:_SHOWN_CHARS], "stackTrace": []}


def _request(address: str, path: str, document: Any = None) -> tuple[int, Headers, bytes]:
    """Send one request to the Runtime API; without a time limit, since the next event may be hours away."""
    connection = HTTPConnection(address)
    try:
        method, body = ("GET", None) if document is None else ("POST", json.dumps(document))
        connection.request(method, f"{_API}/{path}", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


if __name__ == "__main__":
    run(*sys.argv[1:])
