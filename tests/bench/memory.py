"""How retrieving memory behaves as it grows: latency and recall@10 on the local stack.

    .venv/bin/python -m tests.bench.memory

Prints, for 100, 1,000 and 10,000 long-term entries of one tenant, the time of one search and of one whole retrieval (a
session's newest entries and a search at once), their ratio to the smallest number, and how many of the ten entries
about a topic are among the ten found by a question about it. The local index compares shared words, exactly and one by
one: the growth is its own, and the recall that of its hashing embedder.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path

from baton.memory.keeper import MemoryKeeper
from baton.memory.policy import Memory
from baton.sdk.memory import MemoryEntry
from baton.settings.settings import Settings
from baton.storage.redis.agent_memory import RedisSessionMemory
from baton.storage.redis.connection import RedisConnection
from baton.vector import UpstashLongTermMemory
from tests.contract.store.redis_process import TOKEN as REDIS_TOKEN
from tests.contract.store.redis_process import RedisProcess
from tests.contract.vector_rest.local_vector import TOKEN as VECTOR_TOKEN
from tests.contract.vector_rest.local_vector import LocalVector

COUNTS = (100, 1_000, 10_000)
PER_TOPIC, TOPICS_ASKED, REPEATS = 10, 10, 30
AT_ONCE = 16
TENANT, SESSION = "bench", "session"
NOUNS = ("lamp", "bell", "tower", "rock", "ship", "fog", "lens", "keeper", "storm", "harbour", "engine", "ladder")
VERBS = ("shines", "rings", "stands", "waits", "sails", "falls", "turns", "watches", "blows", "closes")


def entry(number: int) -> MemoryEntry:
    """The ten entries of a topic share its two names and differ in everything else."""
    topic, position = divmod(number, PER_TOPIC)
    noun, verb = NOUNS[(number * 7) % len(NOUNS)], VERBS[position]
    text = (
        f"Asked: what about harbourmaster{topic} and pier{topic * 31}?\nAnswered: the {noun} {verb} at {number} hours."
    )
    return MemoryEntry(f"job_{number}", "exchange", text, SESSION, "keeper", f"job_{number}", number)


def question(topic: int) -> str:
    """What is asked about a topic."""
    return f"Tell me about harbourmaster{topic} and pier{topic * 31}."


async def fill(keeper: MemoryKeeper, first: int, last: int) -> None:
    """Store entries, some at once."""
    for start in range(first, last, AT_ONCE):
        await asyncio.gather(*(keeper.store(TENANT, entry(n)) for n in range(start, min(start + AT_ONCE, last))))


async def median_ms(ask: Callable[[int], Awaitable[object]]) -> float:
    """The middle one of many times."""
    times: list[float] = []
    for repeat in range(REPEATS):
        began = time.perf_counter()
        await ask(repeat % TOPICS_ASKED)
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


async def recall_at_ten(index: UpstashLongTermMemory) -> float:
    """Of the entries about a topic, the share that a question about it finds."""
    found = 0
    for topic in range(TOPICS_ASKED):
        hits = await index.search(TENANT, question(topic), PER_TOPIC, 0)
        found += sum(int(hit.entry.id.removeprefix("job_")) // PER_TOPIC == topic for hit in hits)
    return found / (TOPICS_ASKED * PER_TOPIC)


async def measure(settings: Settings) -> None:
    """Fill, ask, print."""
    connection, index = RedisConnection(settings), UpstashLongTermMemory(settings)
    keeper, policy = MemoryKeeper(RedisSessionMemory(connection, 3_600_000), index), Memory(minimum_score=0)

    async def search(topic: int) -> object:
        return await index.search(TENANT, question(topic), PER_TOPIC, 0)

    async def retrieve(topic: int) -> object:
        found = await keeper.retrieve(policy, TENANT, SESSION, question(topic), "")
        assert not found.warnings, found.warnings
        return found

    base = 0.0
    _say("entries   store/s   search ms   retrieval ms   search, ratio   recall@10")
    for before, count in pairwise((0, *COUNTS)):
        began = time.perf_counter()
        await fill(keeper, before, count)
        stored_per_second = (count - before) / (time.perf_counter() - began)
        searching, retrieving = await median_ms(search), await median_ms(retrieve)
        base = base or searching
        recall = await recall_at_ten(index)
        _say(
            f"{count:7}   {stored_per_second:7.0f}   {searching:9.1f}   {retrieving:12.1f}   {searching / base:13.2f}"
            f"   {recall:9.2f}"
        )
    await index.close()
    await connection.close()


def main() -> None:
    """Start both servers, and stop them."""
    with tempfile.TemporaryDirectory() as folder, LocalVector(Path(folder) / "vector") as vector:
        redis = RedisProcess(Path(folder) / "redis")
        try:
            asyncio.run(
                measure(
                    Settings(
                        redis_url=redis.url,
                        redis_token=REDIS_TOKEN,
                        vector_url=vector.url,
                        vector_token=VECTOR_TOKEN,
                        vector_timeout_seconds=60,
                    )
                )
            )
        finally:
            redis.stop()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
