"""The Runtime API of Lambda for one process: hands out events, takes answers.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. Written from that page; shares no code with the client.
"""

import json
import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import parse_headers
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.fakes.http_server import ThreadingServer

_PREFIX = "/2018-06-01/runtime/"
_STREAMED = "application/vnd.awslambda.http-integration-response"


class FunctionError(Exception):
    """The handler raised, or could not be loaded."""


@dataclass
class Invocation:
    """One event, and where its answer goes: the kind and the document.

    Kinds are `response`, `error`; or, of one that is streamed, `piece` for each piece, then `end` with the trailers.
    """

    request_id: str
    event: Any  # bytes: as they are
    limit_seconds: float
    answer: "queue.Queue[tuple[str, Any]]" = field(default_factory=queue.Queue)
    deadline_ms: int = 0  # once it was handed out


class RuntimeApi:
    def __init__(self) -> None:
        self.waiting: queue.Queue[Invocation | None] = queue.Queue()
        self.given: dict[str, Invocation] = {}
        self.init_error: Any = None
        self.largest_bytes = 6_291_556  # of an answer that is not streamed
        api = self

        class Handler(_Handler):
            runtime = api

        self._server = ThreadingServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self.waiting.put(None)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    runtime: RuntimeApi

    def do_GET(self) -> None:
        """`invocation/next`: wait for an event."""
        assert self.path == f"{_PREFIX}invocation/next", self.path
        invocation = self.runtime.waiting.get()
        if invocation is None:
            self.close_connection = True
            return
        self.runtime.given[invocation.request_id] = invocation
        invocation.deadline_ms = int((time.time() + invocation.limit_seconds) * 1000)  # noqa: TID251 - the client's clock
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:000000000000:function:test",
            "Lambda-Runtime-Trace-Id": "Root=1-0-0;Sampled=0",
        }
        event = invocation.event if isinstance(invocation.event, bytes) else json.dumps(invocation.event).encode()
        self._answer(200, event, headers)

    def do_POST(self) -> None:
        """An answer, a streamed one, an error, or that the handler could not be loaded."""
        if self.headers.get("transfer-encoding") == "chunked":
            self._streamed()
            return
        body = self.rfile.read(int(self.headers["content-length"]))
        if len(body) > self.runtime.largest_bytes:
            self._answer(413, b'{"errorType":"RequestEntityTooLarge"}', {})
            return
        document = json.loads(body or b"null")
        rest = self.path.removeprefix(_PREFIX)
        if rest == "init/error":
            self.runtime.init_error = document
        else:
            _, request_id, kind = rest.split("/")
            self.runtime.given.pop(request_id).answer.put((kind, document))
        self._answer(202, b'{"status":"OK"}', {})

    def _streamed(self) -> None:
        assert self.headers["lambda-runtime-function-response-mode"] == "streaming"
        assert self.headers["content-type"] == _STREAMED
        _, request_id, kind = self.path.removeprefix(_PREFIX).split("/")
        assert kind == "response"
        answer = self.runtime.given.pop(request_id).answer
        for piece in self._chunks():
            answer.put(("piece", piece))
        answer.put(("end", dict(parse_headers(self.rfile))))
        self._answer(202, b'{"status":"OK"}', {})

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Quietly."""
