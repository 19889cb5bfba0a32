"""What a request to the store costs: one shared client of the official SDK beside ours, which batches.

Run: `python -m tests.bench.transport [--seconds 2] [--rounds 3] [--json]`. One script as a COMMIT is, at 1, 16 and 64
at once, in one process, on the local bridge and a real server. Rows take turns in rounds, and the table shows medians:
on a busy machine ratios hold better than counters. CPU is the client process's alone. `2 in flight` is what is used.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast

import httpx
import uvloop
from upstash_redis.asyncio import Redis

from baton.settings.settings import Settings
from baton.store.redis.connection import RedisConnection, counted
from baton.store.transport.http_transport import http_transport
from baton.store.transport.redis_rest import RedisCommands
from tests.contract.redis_rest.local_redis import TOKEN, LocalRedis

AT_ONCE = (1, 16, 64)
PLAIN = "plain SDK client"
# As large as our own, and writes as much.
TEXT = counted(
    f"""--[[{"x" * 18_000}]]
redis.call('HMGET', KEYS[1], 'owner', 'sequence', 'state')
redis.call('HSET', KEYS[1], 'state', ARGV[1], 'owner', ARGV[2])
redis.call('RPUSH', KEYS[2], ARGV[3])
redis.call('LTRIM', KEYS[2], -100, -1)
return {{'committed', {{ARGV[3]}}}}"""
)
STATE, LINE = json.dumps({"text": "x" * 750}), json.dumps({"text": "y" * 400})


class Bounded(RedisConnection):
    def __init__(self, settings: Settings, in_flight: int) -> None:
        super().__init__(settings)
        self._in_flight = in_flight

    def _commands(self) -> RedisCommands:
        url = self._settings.redis_url
        return RedisCommands(url, TOKEN, http_transport(self._settings, url), 10, self._in_flight)


Commit = Callable[[list[str], list[str | int]], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Cell:
    row: str
    at_once: int
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


async def measure(row: str, commit: Commit, at_once: int, seconds: float) -> Cell:
    latencies: list[float] = []
    until = time.perf_counter() + seconds

    async def caller(number: int) -> None:
        keys = [f"{{bench-{number}}}:state", f"{{bench-{number}}}:lines"]
        while (requested := time.perf_counter()) < until:
            assert (await commit(keys, [STATE, "owner", LINE]))[0] == "committed"
            latencies.append(time.perf_counter() - requested)

    began, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*[caller(number) for number in range(at_once)])
    elapsed, used = time.perf_counter() - began, time.process_time() - used
    ordered = sorted(latencies)
    p50, p99 = ordered[len(ordered) // 2] * 1e3, ordered[int(len(ordered) * 0.99)] * 1e3
    return Cell(row, at_once, len(ordered) / elapsed, p50, p99, used / len(ordered) * 1e6)


async def plain(url: str, stack: AsyncExitStack) -> Commit:
    """The SDK as its documentation shows it, one client for all; only its retries are off."""
    client = await stack.enter_async_context(Redis(url, TOKEN, rest_retries=0, allow_telemetry=False))

    async def commit(keys: list[str], args: list[str | int]) -> Any:
        _commands, _size_bytes, answer = await client.eval(TEXT, keys, cast("list[str]", args))
        return answer

    return commit


async def ours(url: str, stack: AsyncExitStack, transport: Literal["httpx", "httptools"], in_flight: int) -> Commit:
    connection = Bounded(Settings(redis_url=url, redis_token=TOKEN, http_transport=transport), in_flight)
    stack.push_async_callback(connection.close)
    return lambda keys, args: connection.run(TEXT, keys, args)


async def bench(url: str, rounds: int, seconds: float) -> list[Cell]:
    cells = []
    async with AsyncExitStack() as stack:
        rows = {
            PLAIN: await plain(url, stack),
            "2 in flight": await ours(url, stack, "httpx", 2),
            "1 in flight": await ours(url, stack, "httpx", 1),
            "4 in flight": await ours(url, stack, "httpx", 4),
            "2 in flight, httptools": await ours(url, stack, "httptools", 2),
        }
        for commit in rows.values():
            await measure("warm", commit, 4, 0.2)
        for _ in range(rounds):
            for at_once in AT_ONCE:
                cells += [await measure(row, commit, at_once, seconds) for row, commit in rows.items()]
    return cells


def table(cells: list[Cell]) -> str:
    lines = [
        "| row | at once | scripts/s | p50 ms | p99 ms | CPU µs | scripts/s ÷ plain | CPU ÷ plain |",
        "| --- | --: | --: | --: | --: | --: | --: | --: |",
    ]
    rows = list(dict.fromkeys(cell.row for cell in cells))
    for at_once in AT_ONCE:
        found = {row: _medians([cell for cell in cells if (cell.row, cell.at_once) == (row, at_once)]) for row in rows}
        base = found[PLAIN]
        lines += [
            f"| {row} | {at_once} | {rate:.0f} | {p50:.2f} | {p99:.2f} | {cpu:.0f} "
            f"| {rate / base[0]:.2f} | {cpu / base[3]:.2f} |"
            for row, (rate, p50, p99, cpu) in found.items()
        ]
    return "\n".join(lines)


def _medians(cells: list[Cell]) -> tuple[float, float, float, float]:
    rate, p50, p99, cpu = (
        statistics.median(getattr(cell, name) for cell in cells)
        for name in ("per_second", "p50_ms", "p99_ms", "cpu_us")
    )
    return rate, p50, p99, cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="of a cell")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="each measurement as a line, instead of the table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, LocalRedis(Path(folder) / "data") as redis:
        cells = uvloop.run(bench(redis.url, options.rounds, options.seconds))
    if options.json:
        for cell in cells:
            print(json.dumps(asdict(cell)))  # noqa: T201 - printing is its purpose
    else:
        print(f"httpx {httpx.__version__}\n\n{table(cells)}")  # noqa: T201 - printing is its purpose


if __name__ == "__main__":
    main()
