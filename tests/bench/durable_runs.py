"""What a long run of a pydantic-ai agent costs as a job, beside `agent.run`: its first ten calls, and its last ten.

    python -m tests.bench.durable_runs [--repeats 5]

A hundred tool calls, one a turn, continued in place, over a real store and a queue in memory. Of one call with its
turn: requests, commands and bytes by the job's usage ledger, and processor time of this process between two calls. The
same agent runs by `agent.run` in the same process: that is pydantic-ai's own time, which a job has, too.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.usage import UsageLimits

from baton import Limits, Registry
from baton.pydantic_ai import durable
from baton.store.redis.connection import RedisConnection
from tests.contract.store.real_stage import RealStage
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.side import side_over
from tests.unit.baton.sdk.pydantic_ai.played import PlayedStage, call, scripted

CALLS, WINDOW = 100, 10
COUNTED = {"requests": "redisRequests", "commands": "redisCommands", "size_bytes": "redisBytes"}
UNLIMITED = UsageLimits(request_limit=None)


class Stage(PlayedStage, RealStage):
    """A real store, and jobs as a submission makes them."""


class Stamped:
    """An agent whose tool notes the processor time at which it runs."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        turns = [[call("add", f"call-{n}", a=n, b=n)] for n in range(CALLS)]
        self.agent = Agent(scripted(*turns, "done"), name="long", tools=[self.add])

    def add(self, a: int, b: int) -> int:
        """Add two numbers."""
        self.seconds.append(time.process_time())
        return a + b

    def taken_ms(self) -> list[float]:
        """Milliseconds from each call to the next; the list begins anew."""
        taken = [(later - earlier) * 1000 for earlier, later in pairwise(self.seconds)]
        self.seconds.clear()
        return taken


async def as_job(stamped: Stamped, process: RedisProcess) -> list[dict[str, Any]]:
    """What each event of the job said that it used."""
    process.request("FLUSHALL")
    agent = durable(stamped.agent, limits=Limits(turns=2 * CALLS, tool_calls=2 * CALLS), usage_limits=UNLIMITED)
    connection = RedisConnection(process.settings())
    try:
        stage = Stage(side_over(connection), CALLS, continuation="inline", registry=Registry([agent]))
        await stage.play(agent.name)
        parts = [json.loads(text) for text in (await stage.ports.reader.parts("job_a", 0)).parts]
    finally:
        await connection.close()
    return [part["data"]["used"] for part in parts if part["type"] == "data-event" and "used" in part["data"]]


def windows(values: Sequence[float]) -> tuple[float, float]:
    """The middle one of the first ones and of the last: the garbage collector's turn is in one of them."""
    return median(values[:WINDOW]), median(values[-WINDOW:])


def both(rows: Iterable[Sequence[float]]) -> tuple[float, float]:
    """The same, the middle one of all repeats."""
    first, last = zip(*map(windows, rows), strict=True)
    return round(median(first), 3), round(median(last), 3)


async def measured(repeats: int) -> Mapping[str, Any]:
    """Both ways, in turns, since the machine is shared."""
    stamped = Stamped()
    events, job_ms, run_ms = list[dict[str, Any]](), list[list[float]](), list[list[float]]()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        process = RedisProcess(Path(folder) / "redis")
        try:
            for _ in range(1 + repeats):  # the first one warms up
                events = await as_job(stamped, process)
                job_ms.append(stamped.taken_ms())
                await stamped.agent.run("do it", usage_limits=UNLIMITED)
                run_ms.append(stamped.taken_ms())
        finally:
            process.stop()
    pairs = [(turn, made) for turn, made in zip(events[2:-1:2], events[3:-1:2], strict=True)]
    costs = {name: both([[a.get(key, 0) + b.get(key, 0) for a, b in pairs]]) for name, key in COUNTED.items()}
    costs |= {"cpu_ms": both(job_ms[1:]), "run_cpu_ms": both(run_ms[1:])}
    first, last = ({name: pair[at] for name, pair in costs.items()} for at in (0, 1))
    ratio = {name: round(last[name] / value, 3) for name, value in first.items()}
    return {
        "peer": "pydantic-ai",
        "test": "pydantic_ai",
        "tool_calls": CALLS,
        "first": first,
        "last": last,
        "ratio": ratio,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    sys.stdout.write(json.dumps(asyncio.run(measured(parser.parse_args().repeats))) + "\n")
