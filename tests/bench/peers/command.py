"""The command line of a row: which of its tests to run; a line of JSON for each goes to standard output."""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tests.bench.peers.cells import Size, cell
from tests.bench.peers.crash import crash
from tests.bench.peers.environment import set_for_children
from tests.bench.peers.long_job import long_job
from tests.bench.peers.network import network
from tests.bench.peers.peer import Peer


def options(description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--variants", default="", help="comma list (default: seq,fan; of a long job: seq)")
    parser.add_argument("--concurrency", default="1,16,64", help="jobs at once; comma list (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=4.0, help="of a cell (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=0, help="so many jobs a cell, instead of --seconds")
    parser.add_argument("--crash", action="store_true", help="instead: kill -9 in the middle of jobs")
    parser.add_argument("--network", default="", metavar="MS,...", help="instead: a job whose state is so far away")
    parser.add_argument("--long", type=int, default=0, metavar="CALLS", help="instead: one job of so many calls")
    return parser


def run(make: type[Peer], chosen: argparse.Namespace) -> None:

    async def show() -> None:
        async for found in _results(make, chosen):
            sys.stdout.write(json.dumps(found) + "\n")
            sys.stdout.flush()

    asyncio.run(show())


async def _results(make: type[Peer], chosen: argparse.Namespace) -> AsyncIterator[dict[str, Any]]:
    variants = (chosen.variants or ("seq" if chosen.long else "seq,fan")).split(",")
    if chosen.crash:
        for variant in variants:
            with tempfile.TemporaryDirectory() as folder:
                yield await crash(make, variant, Path(folder) / "notes")
        return
    if chosen.network:
        for round_trip in chosen.network.split(","):
            yield await network(make, float(round_trip))
        return
    if chosen.long:
        set_for_children({"BENCH_CALLS": str(chosen.long)})
    peer = make()
    try:
        await peer.setup()
        await peer.start_worker()
        if chosen.long:
            for variant in variants:
                yield await long_job(peer, variant)
            return
        for variant in variants:
            for callers in map(int, chosen.concurrency.split(",")):
                yield await cell(peer, variant, callers, Size(chosen.seconds, chosen.jobs))
    finally:
        await peer.close()
