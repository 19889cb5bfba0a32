"""One cell: jobs of one kind from so many callers at once, for some seconds or so many jobs."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count, pairwise
from typing import Any

from tests.bench.peers import work
from tests.bench.peers.bill import CLIENT, memory_mb, used
from tests.bench.peers.peer import Peer

WARM_UP_SECONDS = 1.5
WORTH_SHOWING = 0.001  # seconds in 1,000 steps


@dataclass(frozen=True, slots=True)
class Size:
    """How much a cell runs: `seconds`, or `jobs` where that is not 0."""

    seconds: float
    jobs: int = 0


@dataclass(slots=True)
class Seen:
    jobs: int = 0
    job_ms: list[float] = field(default_factory=list)
    gap_ms: list[float] = field(default_factory=list)


def share(values: list[float], part: float) -> float | None:
    """The value below which that part of them lies."""
    if not values:
        return None
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(part * len(ordered)))], 3)


async def cell(peer: Peer, variant: str, callers: int, size: Size) -> dict[str, Any]:
    numbers = count()
    warm_until = time.monotonic() + min(WARM_UP_SECONDS, size.seconds / 3)
    if size.jobs:
        await _all(peer, variant, callers, numbers, _so_many(1))
    else:
        await _all(peer, variant, callers, numbers, lambda: time.monotonic() > warm_until)
    before, began = used(peer), time.monotonic()
    over = _so_many(size.jobs) if size.jobs else lambda: time.monotonic() > began + size.seconds
    seen = await _all(peer, variant, callers, numbers, over)
    seconds = time.monotonic() - began
    spent = used(peer).since(before)
    if peer.in_process:
        spent["worker"] = spent.pop(CLIENT)
    client = spent.pop(CLIENT, 0.0)
    steps = seen.jobs * work.steps_of(variant)
    a_thousand = 1000 / max(1, steps)
    return {
        "peer": peer.name,
        "test": "cell",
        "variant": variant,
        "concurrency": callers,
        "jobs": seen.jobs,
        "jobs_s": round(seen.jobs / seconds, 2),
        "steps_s": round(steps / seconds, 1),
        "p50_ms": share(seen.gap_ms, 0.5),
        "p99_ms": share(seen.gap_ms, 0.99),
        "job_p50_ms": share(seen.job_ms, 0.5),
        "job_p99_ms": share(seen.job_ms, 0.99),
        "cpu_s_per_1000_steps": round(sum(spent.values()) * a_thousand, 3),
        "client_cpu_s_per_1000_steps": round(client * a_thousand, 3),
        "cpu_by_process": {
            name: round(value * a_thousand, 3) for name, value in spent.items() if value * a_thousand >= WORTH_SHOWING
        },
        "memory_mb": round(memory_mb(peer), 1),
    }


def _so_many(jobs: int) -> Callable[[], bool]:
    left = iter(range(jobs))
    return lambda: next(left, None) is None


async def _all(peer: Peer, variant: str, callers: int, numbers: "count[int]", over: Callable[[], bool]) -> Seen:
    seen = Seen()
    await asyncio.gather(*(_caller(peer, variant, numbers, over, seen) for _ in range(callers)))
    return seen


async def _caller(peer: Peer, variant: str, numbers: "count[int]", over: Callable[[], bool], seen: Seen) -> None:
    wanted = work.steps_of(variant)
    while not over():
        began = time.monotonic_ns()
        times = await peer.run_job(variant, f"{variant}-{began}-{next(numbers)}")
        seen.job_ms.append((time.monotonic_ns() - began) / 1e6)
        if len(times) != wanted:
            raise ValueError(f"{peer.name}: a job had {len(times)} steps, not {wanted}")
        if variant == "seq":
            seen.gap_ms += [(later - earlier) / 1e6 for earlier, later in pairwise(times)]
        seen.jobs += 1
