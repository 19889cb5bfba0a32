"""What memory costs does not grow with what is remembered: so many requests, of so many bytes."""

from collections import Counter

import httpx

from baton.sdk.clock import SystemClock
from baton.sdk.memory.keeper import MemoryKeeper
from baton.sdk.memory.policy import Memory
from baton.sdk.records.memory import SESSION_ENTRIES
from baton.store.redis.agent_memory import RedisSessionMemory
from baton.store.redis.connection import RedisConnection
from baton.store.transport.meter import Meter, metered
from baton.store.vector import UpstashLongTermMemory
from baton_local.fixtures.servers import VectorServer
from tests.contract.memory.conftest import RETENTION_MS, an_entry

POLICY = Memory(minimum_score=0)
FEW, MANY, AT_ONCE = 10, 10_000, 1_000


def fill(server: VectorServer, tenant: str, count: int) -> None:
    """Let a tenant have so many long-term entries."""
    metadata = {
        "session": "other",
        "sessionDigest": "other",
        "agent": "a",
        "kind": "exchange",
        "job": "j",
        "created": 1,
    }
    records = [
        {"id": f"job_{number:05}", "data": f"lamp {number:05} is red", "metadata": metadata} for number in range(count)
    ]
    for first in range(0, count, AT_ONCE):
        server.call("POST", f"/upsert-data/tenant-{tenant}", records[first : first + AT_ONCE])


async def cost(memory: RedisSessionMemory, index: UpstashLongTermMemory, tenant: str) -> dict[str, Counter[str]]:
    """Count what a job's reading costs, and its writing; of the index also the bytes sent and the entries received."""
    keeper, counts = MemoryKeeper(memory, index), {"read": Counter[str](), "write": Counter[str]()}
    doing = counts["read"]

    async def sent(request: httpx.Request) -> None:
        doing.update(index=1, index_bytes=len(request.content))

    async def received(response: httpx.Response) -> None:
        doing.update(entries=(await response.aread()).count(b'"score"'))

    for number in range(SESSION_ENTRIES):
        await memory.add(tenant, an_entry(f"own_{number:05}", "a lamp is red", at_ms=number + 1))
    index._index()._client.event_hooks = {"request": [sent], "response": [received]}
    with metered(meter := Meter(SystemClock(), 128)):
        await keeper.retrieve(POLICY, tenant, "s", "lamp is red", "")
    doing.update(redis=meter.take().requests)
    doing = counts["write"]
    with metered(meter):
        await keeper.store(tenant, an_entry("job_new", "the new lamp is red", at_ms=MANY))
    doing.update(redis=meter.take().requests)
    return counts


async def test_reading_and_writing_costs_the_same_for_ten_entries_and_for_ten_thousand(
    connection: RedisConnection, real_long_term: UpstashLongTermMemory, vector_server: VectorServer
) -> None:
    """One request to the index, and one or two to Redis; an answer has no more than was asked for."""
    for tenant, count in (("few", FEW), ("many", MANY)):
        fill(vector_server, tenant, count)
    few, many = [
        await cost(RedisSessionMemory(connection, RETENTION_MS), real_long_term, tenant) for tenant in ("few", "many")
    ]
    assert few == many
    assert [(one["redis"], one["index"], one["entries"]) for one in many.values()] == [
        (1, 1, POLICY.similar),
        (2, 1, 0),
    ]
