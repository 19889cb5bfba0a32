"""Steps a second, both stores side by side in interleaved cells: `python -m spike.rates --rounds 3 --seconds 2`."""

import argparse
import asyncio
import json
import statistics
import time

from spike.rows import Row, steps_of
from tests.bench.peers.bill import CLIENT, used


async def cell(row: Row, variant: str, callers: int, seconds: float) -> tuple[float, float, dict[str, float]]:
    """Steps a second, by process, and processor seconds of all but the client a thousand steps."""
    jobs, over, before, began = 0, time.monotonic() + seconds, used(row), time.monotonic()

    async def caller(me: int) -> None:
        nonlocal jobs
        while time.monotonic() < over:
            stamps = await row.one(variant, f"{variant}-{me}-{time.monotonic_ns()}", 90)
            assert len(stamps) == steps_of(variant), (row.name, len(stamps))
            jobs += 1

    await asyncio.gather(*(caller(number) for number in range(callers)))
    lasted = time.monotonic() - began
    spent = used(row).since(before)
    spent.pop(CLIENT, None)
    steps = jobs * steps_of(variant)
    return steps / lasted, sum(spent.values()) * 1000 / steps, {name: value * 1000 / steps for name, value in spent.items()}


async def main(mode: str, transport: str, variants: list[str], rounds: int, seconds: float) -> None:
    rows = {store: Row(store, mode, transport) for store in ("today", "spike")}
    found: dict[tuple[str, int, str], list[tuple[float, float]]] = {}
    try:
        for row in rows.values():
            await row.setup()
            for variant in variants:
                await cell(row, variant, 8, 1.0)
        for _ in range(rounds):
            for variant in variants:
                for callers in (1, 16, 64):
                    for store, row in rows.items():
                        found.setdefault((variant, callers, store), []).append(await cell(row, variant, callers, seconds))
        for variant in variants:
            for callers in (1, 16, 64):
                today, spike = found[variant, callers, "today"], found[variant, callers, "spike"]
                ratios = [b[0] / a[0] for a, b in zip(today, spike, strict=True)]
                cpu = [b[1] / a[1] for a, b in zip(today, spike, strict=True)]
                print(json.dumps({
                    "mode": mode, "transport": transport, "variant": variant, "at_once": callers,
                    "today_steps_s": round(statistics.median(a[0] for a in today)),
                    "spike_steps_s": round(statistics.median(b[0] for b in spike)),
                    "ratio": round(statistics.median(ratios), 2), "ratios": [round(r, 2) for r in ratios],
                    "today_cpu_s_per_1000": round(statistics.median(a[1] for a in today), 2),
                    "spike_cpu_s_per_1000": round(statistics.median(b[1] for b in spike), 2),
                    "cpu_ratio": round(statistics.median(cpu), 2),
                    **{f"{store}_by_process": {name: round(statistics.median(each[2].get(name, 0.0) for each in found[variant, callers, store]), 2)
                                               for name in sorted(found[variant, callers, store][0][2])} for store in rows},
                }), flush=True)
        print("noted:", mode, rows["spike"].stats(), flush=True)
    finally:
        for row in rows.values():
            await row.close()


parser = argparse.ArgumentParser()
parser.add_argument("--modes", default="inline,queue")
parser.add_argument("--transport", default="httpx")
parser.add_argument("--variants", default="seq,fan10")
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--seconds", type=float, default=2.0)
chosen = parser.parse_args()
for mode in chosen.modes.split(","):
    asyncio.run(main(mode, chosen.transport, chosen.variants.split(","), chosen.rounds, chosen.seconds))
