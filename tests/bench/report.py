"""The tables of a run: medians over its rounds, the ratios to the peers, and which aims are met.

Pure: takes what `run` has written.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.bench.aims import AT_ONCE, Results, aims, loaded_aim

FLOORS = "floor-"  # rows that no table shows: only the project's own aims compare with them


@dataclass(frozen=True, slots=True)
class Report:
    """The tables as Markdown: what was aimed at, the rows, and two tests with places of their own, empty if not run."""

    aims: str
    text: str
    loaded: str
    network: str
    is_of_rows: bool


def counter(value: object) -> str:
    """A number with three digits that count."""
    if value is None:
        return "-"
    if not isinstance(value, float | int) or isinstance(value, bool):
        return str(value)
    size = abs(value)
    return f"{value:.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---", *("--:" for _ in head[1:])], *([counter(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _three(value: Callable[[int], float | None]) -> str:
    return "/".join(counter(value(at_once)) for at_once in AT_ONCE)


def _cells(results: Results, variant: str) -> str:
    def row(peer: str) -> list[object]:
        times = ("job_p50_ms", "job_p99_ms") if variant == "fan" else ("p50_ms", "p99_ms", "job_p50_ms")
        names = ("steps_s", *times, "cpu_s_per_1000_steps", "memory_mb")
        return [peer, *(_three(partial(results.median, peer, variant, name)) for name in names)]

    peers = (peer for peer in results.peers() if not peer.startswith(FLOORS))
    head = ["row (1/16/64 at once)", "steps/s"]
    head += ["job p50 ms", "job p99 ms"] if variant == "fan" else ["step p50 ms", "step p99 ms", "job p50 ms"]
    return table([*head, "CPU s per 1,000 steps", "memory MB"], map(row, peers))


def _network(results: Results, run: str) -> str:
    """The rows that keep a job's state elsewhere than where its steps run."""
    found = results.of("network")
    if not found:
        return ""
    trips = sorted({row["round_trip_ms"] for row in found})
    times = {(row["peer"], row["round_trip_ms"]): row for row in found}
    rows = [
        [peer, *(times.get((peer, trip), {}).get(name) for name in ("p50_ms", "job_p50_ms") for trip in trips)]
        for peer in dict.fromkeys(row["peer"] for row in found)
    ]
    head = ["row", *(f"{what} p50 ms, {trip:g} ms away" for what in ("step", "job") for trip in trips)]
    return f"{run}\n\n{table(head, rows)}\n"


def _listed(results: Results, test: str, head: Mapping[str, str]) -> str:
    rows = (row for row in results.of(test) if not row.get("peer", "").startswith(FLOORS))
    return table(list(head.values()), [[row.get(name) for name in head] for row in rows])


def _counters(results: Results) -> str:
    rows = [
        [
            row["peer"],
            row["job"]["messages"],
            row["job"]["requests"],
            row["job"]["commands"],
            row["job"]["size_bytes"] / 1000,
            row["step_p50_ms"],
            row["sdk_round_trip_p50_ms"],
            row["accepted_to_first_part_p50_ms"],
            1_000_000 * row["list_price_usd"]["totalUsd"],
        ]
        for row in results.of("counters")
    ]
    head = ["row", "messages", "Redis requests", "Redis commands", "kB at Redis"]
    return table(
        [*head, "step p50 ms", "SDK round trip p50 ms", "202 → first part p50 ms", "USD per million jobs"], rows
    )


def _flat(results: Results) -> str:
    names = ("ms", "requests", "commands", "size_bytes")
    rows = [[row["peer"], row["tool_calls"], *(row["ratio"][name] for name in names)] for row in results.of("flat")]
    return table(["row", "tool calls", "latency", "requests", "commands", "bytes"], rows)


def _pydantic_ai(results: Results) -> str:
    names = {"requests": "requests", "commands": "commands", "size_bytes": "bytes"}
    names |= {"cpu_ms": "CPU ms", "run_cpu_ms": "CPU ms of `agent.run`"}
    rows = [
        [f"{row['peer']}, {title}", *(row[window][name] for name in names)]
        for row in results.of("pydantic_ai")
        for window, title in (("first", "first ten"), ("last", "last ten"), ("ratio", "ratio"))
    ]
    return table(["a call with its turn", *names.values()], rows)


CRASH = {
    "peer": "row",
    "finished": "jobs ended of 10",
    "calls_repeated": "finished tool calls run again",
    "recorded_calls_repeated": "recorded ones of these",
    "turns_repeated": "finished turns run again",
    "steps_cut_off": "steps cut off",
    "seconds_to_last_end": "s until all ended",
}
LONG = {
    "peer": "row",
    "variant": "job",
    "steps": "steps",
    "first_p50_ms": "first 50, p50 ms",
    "last_p50_ms": "last 50, p50 ms",
    "ratio_p50": "ratio",
    "cpu_s_per_1000_steps": "CPU s per 1,000 steps",
}
STARTUP = {
    "case": "imports",
    "import_ms": "CPU ms",
    "ratio": "to the bare libraries",
    "memory_mb": "memory MB",
    "memory_ratio": "to the bare libraries ",
    "modules": "modules",
}
LOADED = {
    "waiting": "jobs in line",
    "running": "jobs at work",
    "claims": "with a living claim",
    "empty_p50_ms": "empty, p50 ms",
    "full_p50_ms": "full, p50 ms",
    "beside_p50_ms": "empty beside the full one, p50 ms",
    "empty_p99_ms": "empty, p99 ms",
    "full_p99_ms": "full, p99 ms",
}


def _loaded(results: Results, run: str) -> str:
    found = results.of("loaded")
    if not found:
        return ""
    tables = [table(["what", "measured", "aim", "met"], [loaded_aim(row).row for row in found])]
    tables.append(_listed(results, "loaded", LOADED))
    extents = [
        f"{row['rounds']} rounds of {row['posts']} submissions each way, medians of the rounds' medians; load "
        f"{row['load']} meanwhile, what was measured included. The jobs at work were submitted in "
        f"{row['seconds_to_run']:.0f} s, those in line written in {row['seconds_to_wait']:.0f} s."
        for row in found
    ]
    return "\n\n".join((run, *extents, *tables)) + "\n"


def _notes(results: Results) -> list[str]:
    found = (row for row in results.of("crash") if row.get("note"))
    return list(dict.fromkeys(f"- {row['peer'].partition('-')[0]}: {row['note']}" for row in found))


def report(found: Mapping[str, Any]) -> Report:
    results, about = Results(found["results"]), found["about"]
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    machine = f"{about['processors']} processors, {about['system']}, Python {about['python']}"
    run = f"Run of {about['at']}"
    parts = [f"{run}: {machine}, load {about['load_before']:.1f} before. {versions}."]
    parts += [f"Left out: {name}: {why}." for name, why in about["left_out"].items()]
    sections = (
        ("Five tool calls, one after another (11 steps)", _cells(results, "seq") if results.of("cell") else ""),
        ("Ten tool calls at once (12 steps)", _cells(results, "fan") if results.of("cell") else ""),
        ("A job of five calls, alone, by the servers' meters", _counters(results) if results.of("counters") else ""),
        ("A long job: the last fifty calls to the first fifty", _flat(results) if results.of("flat") else ""),
        ("A hundred tool calls of a pydantic-ai agent", _pydantic_ai(results) if results.of("pydantic_ai") else ""),
        ("A long job beside the peers", _listed(results, "long", LONG) if results.of("long") else ""),
        ("kill -9 in a fan-out of ten", _listed(results, "crash", CRASH) if results.of("crash") else ""),
        ("Start-up", _listed(results, "startup", STARTUP) if results.of("startup") else ""),
    )
    parts += [f"### {title}\n\n{text}" for title, text in sections if text]
    if notes := _notes(results):
        parts.append("Settings and help of the rows to recover from kill -9 in this test:\n\n" + "\n".join(notes))
    rows = any(result["test"] not in ("loaded", "network") for result in found["results"])
    aimed = table(["what", "measured", "aim", "met"], met) + "\n\n" if (met := aims(results)) else ""
    return Report(
        aimed, "\n\n".join(parts) + "\n", _loaded(results, f"{run}."), _network(results, f"{run}: {machine}."), rows
    )
