"""The adapters of the store over a Redis in this process or a real server, through the bridge or straight."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from baton.sdk.clock import SystemClock
from baton.settings.settings import Settings
from baton.store.redis.admission import Admission, AdmissionControl
from baton.store.redis.archive import Archive
from baton.store.redis.connection import RedisConnection
from baton.store.redis.in_process.server import InProcessConnection, InProcessRedis
from baton.store.redis.listing import Listing
from baton.store.redis.reader import Reader
from baton.store.redis.store import Store
from baton.store.redis.totals import Counters, StoredBytes, ToolStatistics
from tests.contract.store.one_slot import OneSlot
from tests.contract.store.redis_process import RedisProcess

Connection = TypeVar("Connection", bound=RedisConnection)
RETENTION_MS = 1_000_000
SLOTS = 3
SWEEP_INTERVAL_MS = 60_000


@dataclass(frozen=True, slots=True)
class Side:
    store: Store
    reader: Reader
    admission: Admission
    tools: ToolStatistics
    counters: Counters
    admission_control: AdmissionControl
    listing: Listing
    archive: Archive
    stored_bytes: StoredBytes


def connection_to(process: RedisProcess) -> RedisConnection:
    return OneSlot(process.settings())


class InProcess(OneSlot, InProcessConnection):
    """A connection to an empty Redis in this process."""


def in_process() -> RedisConnection:
    return InProcess(InProcessRedis(SystemClock().now_ms))


@asynccontextmanager
async def several(
    process: RedisProcess | None, count: int, kind: Callable[[Settings], Connection]
) -> AsyncIterator[list[Connection]]:
    """Connections of as many processes to the emptied server; None: one in this process."""
    if process is None:
        server = InProcessRedis(SystemClock().now_ms)
        here = cast("Any", type)("Here", (kind, InProcessConnection), {})
        yield [here(server) for _ in range(count)]
        return
    process.request("FLUSHALL")
    made = [kind(process.settings()) for _ in range(count)]
    try:
        yield made
    finally:
        for connection in made:
            await connection.close()


@asynccontextmanager
async def connected(process: RedisProcess, kind: Callable[[Settings], Connection]) -> AsyncIterator[Connection]:
    """A connection to the emptied server."""
    async with several(process, 1, kind) as made:
        yield made[0]


def side_over(connection: RedisConnection, store: Store | None = None) -> Side:
    return Side(
        store or Store(connection, RETENTION_MS),
        Reader(connection),
        Admission(connection, SLOTS, SWEEP_INTERVAL_MS, store_clock=False),
        ToolStatistics(connection),
        Counters(connection),
        AdmissionControl(connection, SLOTS, SWEEP_INTERVAL_MS, store_clock=False),
        Listing(connection),
        Archive(connection, RETENTION_MS),
        StoredBytes(connection),
    )


@asynccontextmanager
async def real_side(process: RedisProcess) -> AsyncIterator[Side]:
    async with connected(process, OneSlot) as connection:
        yield side_over(connection)
