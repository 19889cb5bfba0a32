"""One long job of sequential tool calls: whether a step costs more late in the job than early."""

import asyncio
import time
from collections.abc import Sequence
from itertools import pairwise
from statistics import mean
from typing import Any

from tests.bench.peers import work
from tests.bench.peers.bill import memory_mb, used
from tests.bench.peers.cells import share
from tests.bench.peers.peer import Peer

WINDOW = 50
WARM_UP_JOBS = 3
PATIENCE_SECONDS = 300.0


async def long_job(peer: Peer, variant: str = "seq") -> dict[str, Any]:
    for number in range(WARM_UP_JOBS):
        await asyncio.wait_for(peer.run_job("fan", f"warm-{number}"), PATIENCE_SECONDS)
    before = used(peer)
    times = await asyncio.wait_for(peer.run_job(variant, f"long-{time.monotonic_ns()}"), PATIENCE_SECONDS)
    spent = sum(used(peer).since(before).values())
    if len(times) != work.steps_of("seq"):
        raise ValueError(f"{peer.name}: the job had {len(times)} steps, not {work.steps_of('seq')}")
    gaps = [(later - earlier) / 1e6 for earlier, later in pairwise(times)]
    first, last = gaps[:WINDOW], gaps[-WINDOW:]
    return {
        "peer": peer.name,
        "test": "long",
        "variant": variant,
        "steps": len(times),
        "first_p50_ms": share(first, 0.5),
        "last_p50_ms": share(last, 0.5),
        "ratio_p50": _ratio(share(last, 0.5), share(first, 0.5)),
        "first_mean_ms": _round(first),
        "last_mean_ms": _round(last),
        "total_s": round((times[-1] - times[0]) / 1e9, 2),
        "cpu_s_per_1000_steps": round(spent * 1000 / len(times), 3),
        "memory_mb": round(memory_mb(peer), 1),
    }


def _round(values: Sequence[float]) -> float:
    return round(mean(values), 3)


def _ratio(value: float | None, base: float | None) -> float | None:
    return round(value / base, 2) if value and base else None
