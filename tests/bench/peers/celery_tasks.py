"""The agent job as a chain of Celery's tasks over Redis; the conversation is a Redis list.

A worker loads `tests.bench.peers.celery_tasks`; `BENCH_REDIS` is its Redis.
"""

import json
from typing import Any

import redis
from celery import Celery

from tests.bench.peers import work
from tests.bench.peers.environment import setting

KEEP_SECONDS = 60
URL = setting("BENCH_REDIS", "redis://127.0.0.1:1/0")
app = Celery("bench", broker=URL)
app.conf.update(
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=4,
    broker_transport_options={"visibility_timeout": int(setting("BENCH_IDLE_SECONDS", "3600"))},
    task_serializer="json",
    accept_content=["json"],
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
)
db = redis.Redis.from_url(URL)


@app.task(name="bench.model")
def model(job: str, variant: str) -> None:
    key = f"job:{job}"
    messages: list[dict[str, Any]] = [json.loads(text) for text in db.lrange(key, 0, -1)]
    work.pause_in_thread(job)
    turn = work.model_step(job, variant, messages)
    db.rpush(key, json.dumps(turn))
    calls = turn["tool_calls"]
    if not calls:
        db.rpush("done", f"{job}|{json.dumps(work.stamps([*messages, turn]))}")
        db.expire(key, KEEP_SECONDS)
    for call in calls:
        tool.delay(job, variant, call, len(calls))


@app.task(name="bench.tool")
def tool(job: str, variant: str, call: dict[str, Any], width: int) -> None:
    """One call; the last one of a turn starts the next."""
    key = f"job:{job}"
    work.pause_in_thread(job)
    pipeline = db.pipeline()
    pipeline.rpush(key, json.dumps(work.tool_step(job, call)))
    pipeline.incr(f"{key}:n{width}")
    if pipeline.execute()[1] % width == 0:
        model.delay(job, variant)
