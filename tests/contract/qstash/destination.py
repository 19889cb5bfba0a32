"""A web server in a thread that keeps what it is sent and answers by path."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Self

from tests.fakes.http_server import ThreadingServer

_LIMIT_SECONDS = 120


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: bytes = b"ok"
    headers: tuple[tuple[str, str], ...] = ()


class _Server(ThreadingServer):
    daemon_threads = False


class Destination:
    """`url("/x")` is a URL of it; `wait("/x", n)` returns the first n requests there."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.replies: dict[str, Callable[[Received], Reply]] = {}
        self._news = threading.Condition()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}{path}"

    def reply(self, path: str, status: int, body: bytes = b"", **headers: str) -> None:
        pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
        self.replies[path] = lambda _request: Reply(status, body, pairs)

    def wait(self, path: str, count: int = 1) -> list[Received]:
        with self._news:
            came = self._news.wait_for(lambda: len(self.at(path)) >= count, _LIMIT_SECONDS)
        assert came, f"{len(self.at(path))} of {count} requests at {path}"
        return self.at(path)

    def at(self, path: str) -> list[Received]:
        return [request for request in self.received if request.path == path]

    def _take(self, request: Received) -> Reply:
        with self._news:
            self.received.append(request)
            self._news.notify_all()
        answer = self.replies.get(request.path.partition("?")[0])
        return Reply() if answer is None else answer(request)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        destination = self

        class Handler(BaseHTTPRequestHandler):
            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65_537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                headers = {name.lower(): value for name, value in self.headers.items()}
                reply = destination._take(Received(self.command, self.path, headers, body))
                self.send_response(reply.status)
                for name, value in (*reply.headers, ("Content-Length", str(len(reply.body)))):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
                pass

        return Handler

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
