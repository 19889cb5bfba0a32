"""Our own Python a step, both stores in turns in one process: `python -m spike.own_time [--rounds N] [--profile]`."""

import argparse
import asyncio
import cProfile
import json
import pstats
import statistics
import time

import tests.bench.own_time as bench
from events.adapters.store import RedisStore
from spike.store import SpikeStore

STORES = {"today": RedisStore, "spike": SpikeStore}


async def main(rounds: int, *, profile: bool) -> None:
    jobs = {}
    for name, kind in STORES.items():
        bench.RedisStore = kind  # type: ignore[misc,assignment]
        jobs[name] = await bench.recorded_job()
        await jobs[name].run(50)
    found: dict[str, list[float]] = {name: [] for name in STORES}
    for _ in range(rounds):
        for name, job in jobs.items():
            found[name].append(await job.a_step_us(10))
    for name, each in found.items():
        print(json.dumps({"own µs a step": name, "best": round(min(each), 1), "median": round(statistics.median(each), 1),
                          "answers": jobs[name].recorded_answers}))
    print("ratio of medians", round(statistics.median(found["spike"]) / statistics.median(found["today"]), 3),
          "ratio of bests", round(min(found["spike"]) / min(found["today"]), 3))
    if profile:
        for name, job in jobs.items():
            profiler = cProfile.Profile(time.process_time)
            profiler.enable()
            await job.run(50)
            profiler.disable()
            print(name)
            pstats.Stats(profiler).sort_stats("tottime").print_stats(22)


parser = argparse.ArgumentParser()
parser.add_argument("--rounds", type=int, default=60)
parser.add_argument("--profile", action="store_true")
chosen = parser.parse_args()
asyncio.run(main(chosen.rounds, profile=chosen.profile))
