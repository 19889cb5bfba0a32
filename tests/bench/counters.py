"""What only Baton is asked: the cost of a job by the servers' meters, the first part, one round trip, flatness.

python -m tests.bench.counters [--mode inline|queue] [--length 200|1000]
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
from upstash_redis.asyncio import Redis

from tests.bench.peers import work
from tests.bench.peers.baton_row import Baton
from tests.bench.peers.cells import share
from tests.e2e.dev_stack import DevStack, stacks
from tests.e2e.long_agents import SEQUENTIAL
from tests.e2e.long_run import LongRun, Window
from tests.e2e.meters import Meters, Units

WARM_UP, REPEATS = 5, 30
TRIPS = 10
SCRIPT = "return redis.call('GET', KEYS[1])"
SETTLING_SECONDS = 1.0


async def _times_ms(times: int, request: Callable[[int], Awaitable[object]]) -> list[float]:
    found: list[float] = []
    for number in range(times):
        began = time.perf_counter()
        await request(number)
        found.append((time.perf_counter() - began) * 1000)
    return found


async def _steps_and_trips(peer: Baton) -> tuple[list[float], list[float]]:
    """Milliseconds between steps, and of one script through the official SDK; in turns, since the machine is shared."""
    gaps, trips = list[float](), list[float]()
    redis = Redis(peer.described["redis_url"], peer.described["redis_token"], allow_telemetry=False)
    try:
        for number in range(REPEATS):
            stamps = await peer.run_job("seq", f"gap-{number}")
            gaps += [(later - earlier) / 1e6 for earlier, later in pairwise(stamps)]
            trips += await _times_ms(TRIPS, lambda _: redis.eval(SCRIPT, ["bench:nothing"]))
    finally:
        await redis.close()
    return gaps, trips


async def _first_part(peer: Baton, number: int) -> tuple[float, float]:
    """Milliseconds from the request, and from its 202, to the first part of the stream."""
    began = time.perf_counter()
    async with aiohttp.ClientSession(headers=peer.headers) as http:
        job_id = await peer.post(http, "seq", f"part-{number}")
        accepted = time.perf_counter()
        async with http.get(f"{peer.described['app_url']}/api/agent-jobs/{job_id}/stream") as stream:
            async for line in stream.content:
                if line.startswith(b"data:"):
                    break
            now = time.perf_counter()
    return (now - began) * 1000, (now - accepted) * 1000


async def _list_price(peer: Baton) -> dict[str, float]:
    """What a job of five calls costs by list prices, by its usage ledger, once nothing more is written into it."""
    async with aiohttp.ClientSession(headers=peer.headers) as http:
        job_id = await peer.post(http, "seq", "price")
        await asyncio.sleep(2 * SETTLING_SECONDS)
        async with http.get(f"{peer.described['app_url']}/api/agent-jobs/{job_id}") as answer:
            job = await answer.json()
    if job["status"] != "completed":
        raise RuntimeError(f"job {job_id} is {job['status']}")
    cost: dict[str, float] = job["cost"]
    return cost


async def _job_cost(peer: Baton) -> dict[str, float]:
    """What a job of five calls costs, alone, from its POST to its last word with the admission.

    Without what the benchmark itself reads of the store to know when each step was done: once a job.
    """
    meters = Meters(DevStack(peer.folder / "data", described=peer.described))
    before, own_bytes = meters.read(), peer.own_bytes
    for number in range(REPEATS):
        await peer.run_job("seq", f"cost-{number}")
        await asyncio.sleep(0.05)  # its last word with the admission comes after its end
    await asyncio.sleep(SETTLING_SECONDS)
    used = meters.read() - before - Units(0, 0, 0, REPEATS, peer.own_bytes - own_bytes)
    return {name: round(value / REPEATS, 2) for name, value in vars_of(used).items()}


def vars_of(reading: Any) -> dict[str, int]:
    return {name: getattr(reading, name) for name in ("messages", "requests", "commands", "size_bytes")}


async def measured(mode: str) -> dict[str, Any]:
    Baton.mode, Baton.name = mode, f"baton-{mode}"
    peer = Baton()
    try:
        await peer.setup()
        for number in range(WARM_UP):
            await peer.run_job("seq", f"warm-{number}")
            await _first_part(peer, -1 - number)
        await asyncio.sleep(SETTLING_SECONDS)
        cost = await _job_cost(peer)
        gaps, trips = await _steps_and_trips(peer)
        price = await _list_price(peer)
        parts = [await _first_part(peer, number) for number in range(REPEATS)]
    finally:
        await peer.close()
    gap_ms, trip_ms = statistics.median(gaps), statistics.median(trips)
    return {
        "peer": peer.name,
        "test": "counters",
        "steps": work.steps_of("seq"),
        "job": cost,
        "list_price_usd": price,
        "step_p50_ms": round(gap_ms, 3),
        "sdk_round_trip_p50_ms": round(trip_ms, 3),
        "step_to_round_trip": round(gap_ms / trip_ms, 2),
        "post_to_first_part_p50_ms": share([whole for whole, _ in parts], 0.5),
        "accepted_to_first_part_p50_ms": share([after for _, after in parts], 0.5),
    }


def flatness(mode: str, length: int) -> dict[str, Any]:
    """What the last fifty calls of a long job cost, to the first fifty."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, stacks(Path(folder)) as make:
        compared = LongRun(make("long_agents", CONTINUATION=mode).start()).sequential(length)
    first, last = _a_call(compared.first), _a_call(compared.last)
    return {
        "peer": f"baton-{mode}",
        "test": "flat",
        "tool_calls": length,
        "first": first,
        "last": last,
        "ratio": {name: round(last[name] / value, 3) if value else None for name, value in first.items()},
    }


def _a_call(window: Window) -> dict[str, float]:
    counts = vars_of(window.cost)
    return {"ms": round(window.seconds * 1000 / window.steps, 3)} | {
        name: round(count / window.steps, 3) for name, count in counts.items()
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", choices=("queue", "inline"), default="inline")
    parser.add_argument("--length", type=int, choices=SEQUENTIAL, default=max(SEQUENTIAL))
    chosen = parser.parse_args()
    for found in (asyncio.run(measured(chosen.mode)), flatness(chosen.mode, chosen.length)):
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()
