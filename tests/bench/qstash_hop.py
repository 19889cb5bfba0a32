"""What a hop through the local QStash costs (publish → deliver → 2xx), beside the smallest hop that is as durable.

    python -m tests.bench.qstash_hop [--rounds 5] [--seconds 2] [--in-flight 1 16 64] [--no-sync] [--json FILE]

Not a test. Both servers run in processes of their own and are measured in turn (A B A B ...), so that whatever else
the machine does hits both; what is said is medians over the rounds, and ratios of what was measured one after the
other. The load (tests/bench/qstash_load.py) shares this process.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import uvloop

from tests.bench.qstash_load import Load

SERVERS = {"ours": ["baton_local.qstash", "--port", "0"], "floor": ["tests.bench.qstash_floor"]}
_WARM_UP_SECONDS = 0.3


@dataclass(frozen=True)
class Server:
    """A running server."""

    port: int
    pid: int


@dataclass(frozen=True)
class Counters:
    """One measurement of one server; costs are for each message."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    load_cpu_us: float  # what the load took itself: it should be less than the server, and it is the same for both


Rounds = dict[str, list[Counters]]


@contextmanager
def running(name: str, *, synced: bool) -> Iterator[Server]:
    """One of the servers, over a folder of its own."""
    with tempfile.TemporaryDirectory() as data:
        command = [sys.executable, "-m", *SERVERS[name], "--data", data, *([] if synced else ["--no-sync"])]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield Server(int(process.stdout.readline().strip().rpartition(":")[2]), process.pid)
            finally:
                process.terminate()


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(load: Load, server: Server, in_flight: int, seconds: float) -> Counters:
    """One server, warmed up, for so long."""
    await load.run(server.port, in_flight, _WARM_UP_SECONDS)
    before, own_before = cpu_seconds(server.pid), time.process_time()
    run = await load.run(server.port, in_flight, seconds)
    used, own_used = cpu_seconds(server.pid) - before, time.process_time() - own_before
    latencies, count = run.latencies_ms, run.delivered
    return Counters(
        count / run.seconds,
        latencies[count // 2],
        latencies[count * 99 // 100],
        used / count * 1e6,
        own_used / count * 1e6,
    )


async def measure_all(servers: dict[str, Server], options: argparse.Namespace) -> dict[int, Rounds]:
    """All rounds of all numbers in flight."""
    load = Load()
    found: dict[int, Rounds] = {in_flight: {name: [] for name in servers} for in_flight in options.in_flight}
    async with await load.listen():
        for number in range(options.rounds):
            for in_flight, rounds in found.items():
                for name, server in servers.items():
                    rounds[name].append(await measure(load, server, in_flight, options.seconds))
            _say(f"round {number + 1} of {options.rounds} is done", file=sys.stderr)
    return found


def summary(rounds: Rounds) -> dict[str, Any]:
    """Medians of each server, and medians of the ratios of what was measured one after the other."""

    def of(counters: Iterable[Counters]) -> dict[str, float]:
        listed = list(counters)
        return {name: round(median(getattr(each, name) for each in listed), 2) for name in Counters.__annotations__}

    def ratio(value: Callable[[Counters], float]) -> dict[str, float]:
        pairs = sorted(value(ours) / value(floor) for ours, floor in zip(rounds["ours"], rounds["floor"], strict=True))
        return {"median": round(median(pairs), 2), "lowest": round(pairs[0], 2), "highest": round(pairs[-1], 2)}

    return {
        **{name: of(counters) for name, counters in rounds.items()},
        "ratios": {
            "time_each": ratio(lambda counters: 1 / counters.per_second),
            "p50": ratio(lambda counters: counters.p50_ms),
            "cpu_each": ratio(lambda counters: counters.cpu_us),
        },
    }


def _say(line: str, file: Any = None) -> None:
    print(line, file=file, flush=True)


def show(found: dict[int, dict[str, Any]]) -> None:
    """The tables that a person reads."""
    _say("in flight  server  per second   p50 ms   p99 ms  CPU µs each  (load's)")
    for in_flight, each in found.items():
        for name in SERVERS:
            of = each[name]
            _say(
                f"{in_flight:>9}  {name:<6}  {of['per_second']:>10.0f}  {of['p50_ms']:>7.2f}  {of['p99_ms']:>7.2f}"
                f"  {of['cpu_us']:>11.0f}  {of['load_cpu_us']:>8.0f}"
            )
    _say("\nours ÷ floor, median of the rounds (lowest to highest)")
    _say("in flight            time each                  p50             CPU each")
    for in_flight, each in found.items():
        cells = [f"{of['median']:.2f} ({of['lowest']:.2f} to {of['highest']:.2f})" for of in each["ratios"].values()]
        _say(f"{in_flight:>9}" + "".join(f"  {cell:>19}" for cell in cells))


def main() -> None:
    """Start both, measure in turn, stop them, say what was found."""
    parser = argparse.ArgumentParser(description="the hop of the local QStash beside the smallest durable hop")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement (default %(default)s)")
    parser.add_argument("--in-flight", type=int, nargs="+", default=[1, 16, 64], metavar="N")
    parser.add_argument("--no-sync", action="store_true", help="do not wait for the disk")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the counters there as well")
    options = parser.parse_args()
    synced = not options.no_sync
    with (
        running("ours", synced=synced) as ours,
        running("floor", synced=synced) as floor,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        rounds = runner.run(measure_all({"ours": ours, "floor": floor}, options))
    found = {in_flight: summary(each) for in_flight, each in rounds.items()}
    show(found)
    if options.json is not None:
        options.json.write_text(json.dumps({"synced": synced, "in_flight": found}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
