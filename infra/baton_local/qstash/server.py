"""Puts the parts together, and serves them in the foreground until a signal, or until the disk refuses.

The only module that builds real adapters: settings in, a running application out.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import uvloop

from baton_local.qstash.clock import Clock, SystemClock, random_text
from baton_local.qstash.core.machine import resume
from baton_local.qstash.core.queues import Capacity
from baton_local.qstash.core.state import RunIds, State
from baton_local.qstash.core.tenant import SigningKeys, Tenant
from baton_local.qstash.delivery.http_delivery import HttpDelivery
from baton_local.qstash.engine import Engine, Send
from baton_local.qstash.faults import FaultPlan, FaultyDelivery, SkewedClock
from baton_local.qstash.settings import Settings
from baton_local.qstash.storage import Storage
from baton_local.qstash.wire.app import Api
from baton_local.stand_in import http_server
from baton_local.stand_in.http_server import listen, serve_until

_RUN_NAME_LENGTH = 12


@asynccontextmanager
async def running_engine(
    settings: Settings, *, clock: Clock | None = None, send: Send | None = None, run_name: str | None = None
) -> AsyncIterator[Engine]:
    """Yield an engine over the data folder; clock, delivery function and run name may be given for tests."""
    clock = clock or SystemClock()
    storage = Storage(
        settings.data,
        synced=settings.synced,
        keep_finished_ms=settings.keep_finished_seconds * 1_000,
        keep_finished_bytes=settings.keep_finished_bytes,
    )
    ids = RunIds(run_name or random_text(_RUN_NAME_LENGTH))
    configured = {user.id: (user.current_signing_key, user.next_signing_key) for user in settings.users}
    tenants = {user: Tenant(user, SigningKeys(*keys, keys)) for user, keys in configured.items()}
    last_seq, unfinished = storage.load(tenants)
    state = State(settings.limits, ids, tenants, Capacity(settings.limits.max_in_flight), last_seq=last_seq)
    recovered = resume(state, clock.now_ms(), unfinished)
    http = None if send else HttpDelivery(max_response_bytes=settings.limits.max_response_bytes)
    delivery: Send | None = send or http
    assert delivery is not None
    wall_clock: Clock = SystemClock()
    plan = FaultPlan() if settings.faults else None
    if plan is not None:
        delivery, wall_clock = FaultyDelivery(delivery, plan), SkewedClock(wall_clock, plan)
    engine = Engine(state, storage, clock, delivery, wall_clock=wall_clock)
    engine.faults = plan
    engine.take(recovered)
    try:
        yield engine
    finally:
        await engine.stop(settings.stop_grace_seconds)
        if http is not None:
            await http.close()


class App:
    """An ASGI application that starts its engine with the server's lifespan, or by `async with app.running()`."""

    def __init__(self, settings: Settings, *, clock: Clock | None = None, send: Send | None = None) -> None:
        self.settings, self._clock, self._send = settings, clock, send
        self._api: Api | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Engine]:
        """Serve requests inside this block."""
        async with running_engine(self.settings, clock=self._clock, send=self._send) as engine:
            self._api = Api(engine, self.settings)
            try:
                yield engine
            finally:
                self._api = None

    async def __call__(self, scope: http_server.Event, receive: http_server.Receive, send: http_server.Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http" and self._api is not None:
            await self._api(scope, receive, send)
        else:
            raise RuntimeError("the application is not running; use its lifespan, or `async with app.running()`")

    async def _lifespan(self, receive: http_server.Receive, send: http_server.Send) -> None:
        await receive()
        try:
            async with self.running():
                await send({"type": "lifespan.startup.complete"})
                await receive()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            raise
        await send({"type": "lifespan.shutdown.complete"})


def create_app(settings: Settings, *, clock: Clock | None = None, send: Send | None = None) -> App:
    """Return the server as an ASGI application; nothing is opened before it runs."""
    return App(settings, clock=clock, send=send)


_log = logging.getLogger(__name__)

Ready = Callable[[str, SigningKeys], None]


def serve(settings: Settings, on_ready: Ready) -> int:
    """Run until SIGTERM or SIGINT (0), or until the data folder cannot be written (1).

    `on_ready` is called with the URL and the first user's signing keys, which a rotation may have changed.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(settings, on_ready))


async def _serve(settings: Settings, on_ready: Ready) -> int:
    listener, url = listen(settings.host, settings.port)
    app = create_app(settings)
    async with app.running() as engine:
        stopped = asyncio.Event()
        engine.commits.on_broken = stopped.set
        keys = engine.state.tenant(settings.users[0].id).keys
        await serve_until(stopped, app, listener, lambda: on_ready(url, keys))
        if engine.commits.broken is not None:
            _log.critical("%s", engine.commits.broken)
        return 0 if engine.commits.broken is None else 1
