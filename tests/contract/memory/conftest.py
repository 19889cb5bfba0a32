"""The contract of memory: the adapters over a Redis in this process and on the local servers; and the fake index."""

from collections.abc import AsyncIterator

import pytest

from baton.sdk.records.memory import LongTermMemory, MemoryEntry, SessionMemory
from baton.settings.settings import Settings
from baton.store.redis.agent_memory import Chats, RedisSessionMemory
from baton.store.redis.connection import RedisConnection
from baton.store.vector import UpstashLongTermMemory
from baton_local.fixtures.servers import RedisServer, VectorServer
from tests.fakes import FakeLongTermMemory
from tests.fakes.stored import FakeConnection

RETENTION_MS = 1_000_000


def an_entry(
    name: str = "job_a", text: str = "the lamp is red", *, session: str = "s", at_ms: int = 1000
) -> MemoryEntry:
    return MemoryEntry(name, "exchange", text, session, "agent_a", "job_a", at_ms)


@pytest.fixture
async def connection(redis_server: RedisServer) -> AsyncIterator[RedisConnection]:
    made = RedisConnection(Settings(redis_url=redis_server.url, redis_token=redis_server.token))
    yield made
    await made.close()


@pytest.fixture
async def real_long_term(vector_server: VectorServer) -> AsyncIterator[UpstashLongTermMemory]:
    memory = UpstashLongTermMemory(Settings(vector_url=vector_server.url, vector_token=vector_server.token))
    yield memory
    await memory.close()


@pytest.fixture(params=["in-process", "real"])
def redis(request: pytest.FixtureRequest) -> RedisConnection:
    return request.getfixturevalue("connection") if request.param == "real" else FakeConnection()


@pytest.fixture
def session_memory(redis: RedisConnection) -> SessionMemory:
    return RedisSessionMemory(redis, RETENTION_MS)


@pytest.fixture
def chats(redis: RedisConnection) -> Chats:
    return Chats(redis, RETENTION_MS)


@pytest.fixture(params=["fake", "real"])
def long_term(request: pytest.FixtureRequest) -> LongTermMemory:
    return request.getfixturevalue("real_long_term") if request.param == "real" else FakeLongTermMemory()
