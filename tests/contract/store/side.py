"""One side of the contract: the fakes, or the real adapters through the bridge on a real server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from events.adapters.admission import RedisAdmission
from events.adapters.figures import RedisFigures
from events.adapters.reader import RedisReader
from events.adapters.redis import RedisConnection
from events.adapters.store import RedisStore
from events.adapters.tool_statistics import RedisToolStatistics
from events.ports import Admission, Figures, Reader, Store, ToolStatistics
from events.settings import Settings
from tests.contract.store.redis_process import TOKEN, RedisProcess
from tests.fakes import FakeAdmission, FakeReader, FakeStore
from tests.fakes.figures import FakeFigures
from tests.fakes.tool_statistics import FakeToolStatistics

RETENTION_MS = 1_000_000
SLOTS = 3
SWEEP_INTERVAL_MS = 60_000


@dataclass(frozen=True, slots=True)
class Side:
    """The ports that share one memory."""

    name: str
    store: Store
    reader: Reader
    admission: Admission
    tools: ToolStatistics
    figures: Figures


def fake_side() -> Side:
    """The fakes, empty."""
    store = FakeStore(RETENTION_MS)
    return Side(
        "fake",
        store,
        FakeReader(store),
        FakeAdmission(SLOTS, SWEEP_INTERVAL_MS),
        FakeToolStatistics(store),
        FakeFigures(store),
    )


def connection_to(process: RedisProcess) -> RedisConnection:
    """A connection of its own; whoever makes it closes it."""
    return RedisConnection(Settings(redis_url=process.url, redis_token=TOKEN))


@asynccontextmanager
async def real_side(process: RedisProcess) -> AsyncIterator[Side]:
    """The real adapters on an emptied server."""
    process.ask("FLUSHALL")
    connection = connection_to(process)
    try:
        admission = RedisAdmission(connection, SLOTS, SWEEP_INTERVAL_MS)
        store, reader = RedisStore(connection, RETENTION_MS), RedisReader(connection)
        yield Side("real", store, reader, admission, RedisToolStatistics(connection), RedisFigures(connection))
    finally:
        await connection.close()
