"""Both sides of the contract of memory: the fakes, and the real adapters on the local servers."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from baton.sdk.memory import LongTermMemory, MemoryEntry, SessionMemory
from baton.settings.settings import Settings
from baton.storage.ports.chats import Chats
from baton.storage.redis.agent_memory import RedisChats, RedisSessionMemory
from baton.storage.redis.connection import RedisConnection
from baton.vector import UpstashLongTermMemory
from baton_local.fixtures.servers import RedisServer, VectorServer
from tests.fakes import FakeChats, FakeLongTermMemory, FakeSessionMemory

RETENTION_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Real:
    memory: RedisSessionMemory
    chats: RedisChats
    server: RedisServer


def an_entry(
    name: str = "job_a", text: str = "the lamp is red", *, session: str = "s", at_ms: int = 1000
) -> MemoryEntry:
    return MemoryEntry(name, "exchange", text, session, "agent_a", "job_a", at_ms)


@pytest.fixture
async def real_session(redis_server: RedisServer) -> AsyncIterator[Real]:
    connection = RedisConnection(Settings(redis_url=redis_server.url, redis_token=redis_server.token))
    yield Real(RedisSessionMemory(connection, RETENTION_MS), RedisChats(connection, RETENTION_MS), redis_server)
    await connection.close()


@pytest.fixture
async def real_long_term(vector_server: VectorServer) -> AsyncIterator[UpstashLongTermMemory]:
    memory = UpstashLongTermMemory(Settings(vector_url=vector_server.url, vector_token=vector_server.token))
    yield memory
    await memory.close()


@pytest.fixture(params=["fake", "real"])
def session_memory(request: pytest.FixtureRequest) -> SessionMemory:
    if request.param == "fake":
        return FakeSessionMemory()
    real: Real = request.getfixturevalue("real_session")
    return real.memory


@pytest.fixture(params=["fake", "real"])
def chats(request: pytest.FixtureRequest) -> Chats:
    if request.param == "fake":
        return FakeChats()
    real: Real = request.getfixturevalue("real_session")
    return real.chats


@pytest.fixture(params=["fake", "real"])
def long_term(request: pytest.FixtureRequest) -> LongTermMemory:
    if request.param == "fake":
        return FakeLongTermMemory()
    real: UpstashLongTermMemory = request.getfixturevalue("real_long_term")
    return real
