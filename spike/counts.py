"""Exact counts of a job alone: `python -m spike.counts [--variants seq,fan10] [--modes inline,queue]`."""

import argparse
import asyncio
import json

from spike.rows import Row, steps_of, vars_of


async def measured(store: str, mode: str, variants: list[str], repeats: int) -> None:
    row = Row(store, mode)
    try:
        await row.setup()
        for variant in variants:
            times = 3 if steps_of(variant) > 60 else repeats
            for number in range(2):
                await row.one(variant, f"warm-{number}")
                await asyncio.sleep(0.3)
            await asyncio.sleep(1.0)
            before, server, noted = row.meters.read(), row.server(), row.stats()
            for number in range(times):
                stamps = await row.one(variant, f"{variant}-{number}")
                if len(stamps) != steps_of(variant):
                    print("!", store, mode, variant, len(stamps), "stamps")
                await asyncio.sleep(0.15)
            await asyncio.sleep(1.0)
            after, then, noted_after = row.meters.read(), row.server(), row.stats()
            found = {name: round(value / times, 2) for name, value in vars_of(after - before).items()}
            usec = sum(then[name][1] - server.get(name, (0, 0))[1] for name in ("evalsha", "eval") if name in then)
            calls = sum(then[name][0] - server.get(name, (0, 0))[0] for name in ("evalsha", "eval") if name in then)
            rare = {name: noted_after[name] - noted.get(name, 0) for name in noted_after}
            if chosen.detail:
                print({name: round((then[name][0] - server.get(name, (0, 0))[0]) / times, 1) for name in then
                       if then[name][0] - server.get(name, (0, 0))[0]})
            print(json.dumps({"store": store, "mode": mode, "variant": variant, **found, "scripts": round(calls / times, 2),
                              "script_us": round(usec / times, 1), "us_a_script": round(usec / max(1, calls), 1),
                              "rare": {n: v for n, v in rare.items() if v}}), flush=True)
    except BaseException:
        print((row.folder / "stack.log").read_text()[-3000:])
        raise
    finally:
        if row.stats():
            print("noted:", row.stats())
        await row.close()


parser = argparse.ArgumentParser()
parser.add_argument("--variants", default="seq")
parser.add_argument("--modes", default="inline")
parser.add_argument("--stores", default="today,spike")
parser.add_argument("--repeats", type=int, default=10)
parser.add_argument("--detail", action="store_true")
chosen = parser.parse_args()
for mode in chosen.modes.split(","):
    for store in chosen.stores.split(","):
        asyncio.run(measured(store, mode, chosen.variants.split(","), chosen.repeats))
