"""Connections to store and queue on Lambda: opened by the first invocation, used by later ones, renewed when gone."""

import asyncio
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from baton_local.redis.link.resp import Status
from tests.deploy.http_event import HttpRequest, function_url_event
from tests.unit.baton.kit.invoker import Invoker
from tests.unit.baton.transport.resp_server import RespServer


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
        super().setup()
        server = cast("Server", self.server)
        server.connections += 1
        server.open.append(self.connection)

    def do_POST(self) -> None:
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
    with Server() as made:
        thread = Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join(5)


def invoked_six_times(
    app: ASGIApp, answer: object, hang_up: Callable[[], object], connections: Callable[[], int]
) -> None:
    """One or some connections serve three invocations; the one after a hang-up opens new ones and does not fail."""
    handler = LambdaHandler(app)
    with Invoker() as invoker:
        opened = list[int]()
        for invocation in range(6):
            if invocation == 3:
                hang_up()
            found = invoker.invoke(handler, function_url_event(HttpRequest("POST", "/")))
            assert json.loads(found["body"]) == answer, found
            opened.append(connections())
        assert opened == [opened[0]] * 3 + [2 * opened[0]] * 3
        invoker.invoke(handler, function_url_event(HttpRequest("POST", "/close")))


@pytest.mark.parametrize("transport", ["httpx", "httptools"])
def test_connections_over_http_survive_the_invocation_and_are_renewed(
    server: Server, transport: Literal["httpx", "httptools"]
) -> None:
    """Store and queue are asked twice at once, as parallel tool calls do: one connection to each."""
    settings = Settings(
        redis_url=server.url, redis_token="t", qstash_url=server.url, qstash_token="t", http_transport=transport
    )
    redis, queue = RedisConnection(settings), QStashQueue(settings)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        answers: list[object] = []
        if scope["path"] == "/close":
            await redis.close()
            await queue.close()
        else:
            message = Outgoing(body="{}", url="https://fn.example.com")
            asked = [redis.execute("PING"), queue.publish([message]), redis.execute("PING"), queue.publish([message])]
            answers = await asyncio.gather(*asked)
        await JSONResponse(answers)(scope, receive, send)

    invoked_six_times(app, [1, ["m"], 1, ["m"]], server.hang_up, lambda: server.connections)


PATIENCE_SECONDS = 10


@contextmanager
def served_elsewhere() -> Iterator[tuple[RespServer, asyncio.AbstractEventLoop]]:
    """A server in a thread of its own: it hangs up while no invocation runs, as over a freeze."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    server = RespServer(lambda _: Status(b"PONG"))
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(PATIENCE_SECONDS)
        yield server, loop
        asyncio.run_coroutine_threadsafe(server.__aexit__(), loop).result(PATIENCE_SECONDS)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE_SECONDS)
        loop.close()


def test_connections_over_resp_survive_the_invocation_and_are_renewed() -> None:
    with served_elsewhere() as (server, loop):
        redis = RedisConnection(Settings(resp_url=server.address))

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] == "/close":
                await redis.close()
            answers = [] if scope["path"] == "/close" else [await redis.execute("PING"), await redis.execute("PING")]
            await JSONResponse(answers)(scope, receive, send)

        def hang_up() -> None:
            asyncio.run_coroutine_threadsafe(server.hang_up(), loop).result(PATIENCE_SECONDS)

        invoked_six_times(app, ["PONG", "PONG"], hang_up, lambda: server.connections)
