"""Connections to store and queue on Lambda: opened by the first invocation, used by later ones, renewed when gone."""

import asyncio
import json
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar, Literal, cast

import pytest
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from baton.entry import LambdaHandler
from baton.queue.qstash.publisher import QStashQueue
from baton.settings.settings import Settings
from baton.storage.redis.connection import RedisConnection
from baton_events.messages import Outgoing
from tests.unit.baton.kit.lambda_url import Invoker, url_event

TRANSPORTS: list[Literal["httpx", "httptools"]] = ["httpx", "httptools"]


class Server(ThreadingHTTPServer):
    """Speaks for store and queue, on connections that it keeps open; it counts them."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.open: list[socket.socket] = []
        self.connections = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_port}"

    def hang_up(self) -> None:
        """Close what is idle, as servers and load balancers do."""
        for connection in self.open:
            connection.shutdown(socket.SHUT_RDWR)
        self.open.clear()


class Answers(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    answers: ClassVar[dict[str, object]] = {
        "/": {"result": 1},
        "/pipeline": [{"result": 1}, {"result": 1}],
        "/v2/batch": [{"messageId": "m"}, {"messageId": "m"}],
    }

    def setup(self) -> None:
        """A new one."""
        super().setup()
        server = cast("Server", self.server)
        server.connections += 1
        server.open.append(self.connection)

    def do_POST(self) -> None:
        """One request."""
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps(self.answers[self.path]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that it has there
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    """Nobody has connected yet."""
    with Server() as made:
        thread = Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join(5)


@pytest.fixture
def invoker() -> Iterator[Invoker]:
    """A thread that invokes handlers as the Lambda runtime does."""
    with Invoker() as made:
        yield made


def requesting_app(redis: RedisConnection, queue: QStashQueue) -> ASGIApp:
    """Asks store and queue twice at once, as parallel tool calls do; a path of `/close` closes both."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/close":
            await redis.close()
            await queue.close()
            answers: list[object] = []
        else:
            message = Outgoing(body="{}", url="https://fn.example.com")
            requested = [
                redis.execute("PING"),
                queue.publish([message]),
                redis.execute("PING"),
                queue.publish([message]),
            ]
            answers = await asyncio.gather(*requested)
        await JSONResponse(answers)(scope, receive, send)

    return app


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_connections_survive_the_invocation_and_are_renewed_when_the_other_side_hung_up(
    server: Server, invoker: Invoker, transport: Literal["httpx", "httptools"]
) -> None:
    """One to each for three invocations; the one after a hang-up opens new ones and does not fail."""
    settings = Settings(
        redis_url=server.url, redis_token="t", qstash_url=server.url, qstash_token="t", http_transport=transport
    )
    handler = LambdaHandler(requesting_app(RedisConnection(settings), QStashQueue(settings)))
    for invocation in range(6):
        if invocation == 3:
            server.hang_up()
        answer = invoker.invoke(handler, url_event("/", b"", {}))
        assert json.loads(answer["body"]) == [1, ["m"], 1, ["m"]], answer
        assert server.connections == (2 if invocation < 3 else 4)
    invoker.invoke(handler, url_event("/close", b"", {}))
