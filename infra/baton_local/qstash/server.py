"""Puts the parts together, and serves them in the foreground until a signal, or until the disk refuses.

The only module that builds real adapters: settings in, a running application out.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import uvloop

from baton_local.qstash.clock import Clock, random_text
from baton_local.qstash.core.machine import resume
from baton_local.qstash.core.queues import Capacity
from baton_local.qstash.core.state import RunIds, SigningKeys, State, Tenant
from baton_local.qstash.delivery.http_delivery import HttpDelivery
from baton_local.qstash.engine import Engine, Send
from baton_local.qstash.faults import FaultPlan, FaultyDelivery
from baton_local.qstash.settings import Settings
from baton_local.qstash.storage import Storage
from baton_local.qstash.wire.app import Api
from baton_local.stand_in.http_server import listen, serve_until

_RUN_NAME_LENGTH = 12


@asynccontextmanager
async def running_engine(
    settings: Settings, *, clock: Clock | None = None, send: Send | None = None, run_name: str | None = None
) -> AsyncIterator[Engine]:
    """Yield an engine over the data folder; clock, delivery function and run name may be given for tests."""
    clock = clock or Clock()
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
    plan = FaultPlan() if settings.faults else None
    if plan is not None:
        delivery = FaultyDelivery(delivery, plan)
    engine = Engine(state, storage, clock, delivery, plan)
    engine.take(recovered)
    try:
        yield engine
    finally:
        await engine.stop(settings.stop_grace_seconds)
        if http is not None:
            await http.close()


_log = logging.getLogger(__name__)

Ready = Callable[[str, SigningKeys], None]


def serve(settings: Settings, on_ready: Ready) -> int:
    """Run until SIGTERM or SIGINT (0), or until the data folder cannot be written (1).

    `on_ready` is called with the URL and the first user's signing keys, which a rotation may have changed.
    """
    return uvloop.run(_serve(settings, on_ready))


async def _serve(settings: Settings, on_ready: Ready) -> int:
    listener, url = listen(settings.host, settings.port)
    async with running_engine(settings) as engine:
        stopped = asyncio.Event()
        engine.commits.on_broken = stopped.set
        keys = engine.state.tenant(settings.users[0].id).keys
        await serve_until(stopped, Api(engine, settings), listener, lambda: on_ready(url, keys))
        if engine.commits.broken is not None:
            _log.critical("%s", engine.commits.broken)
        return 0 if engine.commits.broken is None else 1
