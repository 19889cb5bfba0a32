"""The agent job as a chain of taskiq's tasks over Redis streams; the conversation is a Redis list.

A worker loads `tests.bench.peers.taskiq_tasks:broker`; `BENCH_REDIS` is its Redis.
"""

import json
from typing import Any

import redis.asyncio as redis
from taskiq_redis import RedisStreamBroker

from tests.bench.peers import work
from tests.bench.peers.environment import setting

KEEP_SECONDS = 60
CLAIM_SECONDS = 5
URL = setting("BENCH_REDIS", "redis://127.0.0.1:1/0")
broker = RedisStreamBroker(
    URL, idle_timeout=int(setting("BENCH_IDLE_SECONDS", "600")) * 1000, unacknowledged_lock_timeout=CLAIM_SECONDS
)
db = redis.from_url(URL)


@broker.task
async def model(job: str, variant: str) -> None:
    key = f"job:{job}"
    messages: list[dict[str, Any]] = [json.loads(text) for text in await db.lrange(key, 0, -1)]
    await work.pause(job)
    turn = work.model_step(job, variant, messages)
    await db.rpush(key, json.dumps(turn))
    calls = turn["tool_calls"]
    if not calls:
        await db.rpush("done", f"{job}|{json.dumps(work.stamps([*messages, turn]))}")
        await db.expire(key, KEEP_SECONDS)
    for call in calls:
        await tool.kiq(job, variant, call, len(calls))


@broker.task
async def tool(job: str, variant: str, call: dict[str, Any], width: int) -> None:
    """One call; the last one of a turn starts the next."""
    key = f"job:{job}"
    await work.pause(job)
    pipeline = db.pipeline()
    pipeline.rpush(key, json.dumps(work.tool_step(job, call)))
    pipeline.incr(f"{key}:n{width}")
    if (await pipeline.execute())[1] % width == 0:
        await model.kiq(job, variant)


@broker.task
async def ping() -> None:
    """Do nothing."""
