"""Puts the parts together: settings in, a running application out. The only module that builds real adapters."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from baton_local.qstash.clock import Clock, SystemClock, random_text
from baton_local.qstash.core.fault_plan import FaultPlan
from baton_local.qstash.delivery.http_delivery import HttpDelivery
from baton_local.qstash.engine import Engine, Send
from baton_local.qstash.faults import FaultyDelivery, SkewedClock
from baton_local.qstash.ids import RunIds
from baton_local.qstash.settings import Settings
from baton_local.qstash.storage.database import Database
from baton_local.qstash.wire.app import Api
from baton_local.stand_in import asgi

_RUN_NAME_LENGTH = 12


@asynccontextmanager
async def running_engine(
    settings: Settings, *, clock: Clock | None = None, send: Send | None = None, run_name: str | None = None
) -> AsyncIterator[Engine]:
    """An engine over the data folder; clock, delivery function and run name may be given for tests."""
    clock = clock or SystemClock()
    database = Database(
        settings.data,
        synced=settings.synced,
        keep_finished_ms=settings.keep_finished_seconds * 1_000,
        keep_finished_bytes=settings.keep_finished_bytes,
    )
    ids = RunIds(run_name or random_text(_RUN_NAME_LENGTH))
    state, recovered = database.load(settings.users, settings.limits, ids, clock.now_ms())
    http = None if send else HttpDelivery(max_response_bytes=settings.limits.max_response_bytes)
    delivery: Send | None = send or http
    assert delivery is not None
    wall_clock: Clock = SystemClock()
    plan = FaultPlan() if settings.faults else None
    if plan is not None:
        delivery, wall_clock = FaultyDelivery(delivery, plan), SkewedClock(wall_clock, plan)
    engine = Engine(state, database, clock, delivery, wall_clock=wall_clock)
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
        self.settings = settings
        self._clock = clock
        self._send = send
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

    async def __call__(self, scope: asgi.Event, receive: asgi.Receive, send: asgi.Send) -> None:
        """ASGI entry point."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http" and self._api is not None:
            await self._api(scope, receive, send)
        else:
            raise RuntimeError("the application is not running; use its lifespan, or `async with app.running()`")

    async def _lifespan(self, receive: asgi.Receive, send: asgi.Send) -> None:
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
    """The server as an ASGI application; nothing is opened before it runs."""
    return App(settings, clock=clock, send=send)
