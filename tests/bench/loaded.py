"""How fast submissions are answered by a deployment that is full, to one that is empty.

    python -m tests.bench.loaded [--waiting 100000] [--running 2000] [--rounds 5] [--posts 60]

Two stacks of the local parts, alike in everything, as they come but for MAX_CONCURRENT_JOBS and the queue's places,
which are to hold the running jobs. One is measured empty, before and after; the other one has so many jobs at work,
each in a tool call under a claim that is prolonged, and so many that wait in line behind them. Submissions go one at a
time, with pauses in which an empty deployment ends its job: it is not slowed down by what it has just accepted.

Running jobs are submitted through the API. Those in line are written by the product's own code for submissions, over
its own adapters, from this process: the same requests to the store as the API makes. Left out are the HTTP request and
the backup message, a message that is over a minute after its submission.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.bench.loaded_stack import Loaded, submission
from tests.e2e.dev_stack import ROOT, DevStack

PAUSE_SECONDS = 0.1
WARM_UP = 20
SETTLING_SECONDS = 75.0  # the backup messages of the running jobs are over


async def posted_ms(described: dict[str, Any], posts: int) -> list[float]:
    headers, found = {"Authorization": f"Bearer {described['client_key']}"}, list[float]()
    async with aiohttp.ClientSession(described["app_url"], headers=headers) as http:
        for number in range(posts + 1):
            began = time.perf_counter()
            async with http.post("/api/agent-jobs", json=submission("answers", number)) as answer:
                await answer.read()
                if answer.status != 202:
                    raise RuntimeError(f"the app answered {answer.status}: {await answer.text()}")
            found.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(PAUSE_SECONDS)
    return found[1:]  # the first one has opened the connection


@contextmanager
def started(running: int) -> Iterator[DevStack]:
    places = {"MAX_CONCURRENT_JOBS": str(running), "LOCAL_QSTASH_IN_FLIGHT": str(2 * running + 100)}
    arguments = ("--port", "0", "--app", "tests.bench.loaded_agents:registry")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        stack = DevStack(Path(folder) / "data", places, arguments, working_folder=ROOT)
        with stack.running():
            yield stack


class Rounds:
    def __init__(self, posts: int) -> None:
        self._posts = posts
        self._loads = list[float]()
        self.found: dict[str, list[list[float]]] = {}

    async def one(self, name: str, described: dict[str, Any]) -> None:
        times = await posted_ms(described, self._posts)
        self.found.setdefault(name, []).append(times)
        self._loads.append(os.getloadavg()[0])
        _print(f"{name}: p50 {statistics.median(times):.2f} ms, load {os.getloadavg()[0]:.1f}")

    def median(self, name: str) -> float:
        return round(statistics.median(map(statistics.median, self.found[name])), 3)

    def slowest(self, name: str) -> float:
        """The time below which 99 of 100 lie, of all rounds."""
        return round(statistics.quantiles([each for one in self.found[name] for each in one], n=100)[98], 3)

    def load(self) -> float:
        """The machine's load in the middle of the rounds; what is measured has its share in it."""
        return round(statistics.median(self._loads), 1)


async def measured(chosen: argparse.Namespace) -> dict[str, Any]:
    rounds = Rounds(chosen.posts)
    with started(chosen.running) as empty:
        await posted_ms(empty.described, WARM_UP)
        for _ in range(chosen.rounds):
            await rounds.one("empty", empty.described)
        with started(chosen.running) as full:
            loaded = Loaded(full.folder, full.described)
            await posted_ms(full.described, WARM_UP)
            found = await loaded.fill(chosen.running, chosen.waiting)
            _print(f"{found}")
            await asyncio.sleep(SETTLING_SECONDS)
            before = await loaded.standing()
            for _ in range(chosen.rounds):
                await rounds.one("full", full.described)
                await rounds.one("empty, beside it", empty.described)
            after = await loaded.standing()
            _print(f"{before} {after}")
        for _ in range(chosen.rounds):
            await rounds.one("empty", empty.described)
    p50_ms = {name: rounds.median(name) for name in rounds.found}
    return {
        "test": "loaded",
        "peer": "baton-inline",
        "waiting": min(before["waiting"], after["waiting"]),
        "running": min(before["running"], after["running"]),
        "claims": min(before["claims"], after["claims"]),
        "rounds": chosen.rounds,
        "posts": chosen.posts,
        "empty_p50_ms": p50_ms["empty"],
        "full_p50_ms": p50_ms["full"],
        "beside_p50_ms": p50_ms["empty, beside it"],
        "empty_p99_ms": rounds.slowest("empty"),
        "full_p99_ms": rounds.slowest("full"),
        "ratio": round(p50_ms["full"] / p50_ms["empty"], 3),
        "ratio_beside": round(p50_ms["full"] / p50_ms["empty, beside it"], 3),
        "load": rounds.load(),
        **found,
    }


def _print(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="submissions to a full deployment, and to an empty one")
    parser.add_argument("--waiting", type=int, default=100_000)
    parser.add_argument("--running", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--posts", type=int, default=60)
    sys.stdout.write(json.dumps(asyncio.run(measured(parser.parse_args()))) + "\n")
