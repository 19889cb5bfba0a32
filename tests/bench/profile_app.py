"""Where the app's time goes: `python -m tests.bench.profile_app [--mode inline] [--concurrency 1,16]`; needs py-spy.

Samples the app process while jobs run; self time by library and function, in microseconds of processor time a step.
"""

import argparse
import asyncio
import shutil
import sys
from typing import Any

from tests.bench.peers.baton_row import Baton
from tests.bench.peers.cells import Size, cell
from tests.bench.stacks import Sampled, sampled

RATE = 500
SHOWN = 30


async def _profiled(peer: Baton, variant: str, callers: int, seconds: float) -> tuple[dict[str, Any], Sampled]:
    program = shutil.which("py-spy")
    if program is None:
        raise SystemExit("py-spy is not on the path: pip install py-spy")
    await cell(peer, variant, callers, Size(1.0))
    raw = peer.folder / "stacks.txt"
    where = ["--output", str(raw), "--pid", str(peer.worker_id)]
    how = ["--format", "raw", "--full-filenames", "--rate", str(RATE), "--duration", str(max(1, round(seconds)))]
    running = asyncio.create_task(cell(peer, variant, callers, Size(seconds + 1)))
    sampler = await asyncio.create_subprocess_exec(
        program, "record", *how, *where, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    await sampler.wait()
    return await running, sampled(raw.read_text().splitlines())


def _shown(found: dict[str, Any], samples: Sampled) -> list[str]:
    step_us = found["cpu_by_process"]["app"] * 1000
    share = step_us / max(1, samples.total)
    title = f"{found['peer']}, {found['variant']}, {found['concurrency']} at once"
    lines = [f"\n## {title}: {found['steps_s']} steps/s, app {step_us:.0f} us a step, p50 {found['p50_ms']} ms\n"]
    lines += ["| self time of | us a step | % |", "| --- | --: | --: |"]
    lines += [
        f"| {name} | {count * share:.0f} | {100 * count / samples.total:.1f} |"
        for name, count in samples.groups.most_common()
    ]
    lines += ["", "| function, alone | us a step |", "| --- | --: |"]
    lines += [f"| {place} | {count * share:.1f} |" for place, count in samples.places.most_common(SHOWN)]
    lines += ["", "| function, with all below it | us a step |", "| --- | --: |"]
    own = [(place, count) for place, count in samples.below.most_common() if not place.startswith(("asyncio", "uvi"))]
    lines += [f"| {place} | {count * share:.1f} |" for place, count in own[: 2 * SHOWN]]
    return lines


async def _main(chosen: argparse.Namespace) -> None:
    Baton.mode, Baton.name = chosen.mode, f"baton-{chosen.mode}"
    peer = Baton()
    try:
        await peer.setup()
        for callers in map(int, chosen.concurrency.split(",")):
            found, samples = await _profiled(peer, chosen.variant, callers, chosen.seconds)
            sys.stdout.write("\n".join(_shown(found, samples)) + "\n")
    finally:
        await peer.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", choices=("queue", "inline"), default="inline")
    parser.add_argument("--variant", default="seq")
    parser.add_argument("--concurrency", default="1,16")
    parser.add_argument("--seconds", type=float, default=8.0)
    asyncio.run(_main(parser.parse_args()))
