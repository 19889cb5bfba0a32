"""A store over RESP on Lambda: its connections outlive an invocation, and are renewed when they died meanwhile."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from baton.entry import LambdaHandler
from baton.settings.settings import Settings
from baton.storage.redis.connection import RedisConnection
from baton_local.redis.link.resp import Status
from tests.unit.baton.kit.lambda_url import Invoker, url_event
from tests.unit.baton.transport.resp_server import RespServer

PATIENCE_SECONDS = 10


@contextmanager
def served_elsewhere() -> Iterator[tuple[RespServer, asyncio.AbstractEventLoop]]:
    """A server in a thread of its own: it hangs up while no invocation runs, as over a freeze."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
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


def test_connections_survive_the_invocation_and_are_renewed_when_the_server_hung_up() -> None:
    """One connection for three invocations; the one after a hang-up opens a new one and does not fail."""
    with served_elsewhere() as (server, loop), Invoker() as invoker:
        redis = RedisConnection(Settings(resp_url=server.address))

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] == "/close":
                await redis.close()
            answers = [] if scope["path"] == "/close" else [await redis.execute("PING"), await redis.execute("PING")]
            await JSONResponse(answers)(scope, receive, send)

        handler = LambdaHandler(app)
        for invocation in range(6):
            if invocation == 3:
                asyncio.run_coroutine_threadsafe(server.hang_up(), loop).result(PATIENCE_SECONDS)
            answer = invoker.invoke(handler, url_event("/", b"", {}))
            assert json.loads(answer["body"]) == ["PONG", "PONG"], answer
            assert server.connections == (1 if invocation < 3 else 2)
        invoker.invoke(handler, url_event("/close", b"", {}))
