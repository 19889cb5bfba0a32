"""What is aimed at, and whether a run met it: each aim is a ratio of two rows of the same run, or a count."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

Result = Mapping[str, Any]

AT_ONCE = (1, 16, 64)
JOBS = {"seq": "five calls in a row", "fan": "ten at once"}
INLINE_TO_RESTATE = (1.2, 1.1, 1.1)
FAN_TO_RESTATE = (0.85, 0.85, 0.85)
RESP_TO_RESTATE = (1.2, 1.1, 1.1)
QUEUE_TO_FAST_HOP = (0.25, 0.3, 0.4)
REDIS_TO_QUEUE, REDIS_TO_CELERY = (None, 1.2, 1.2), (None, 1.0, 1.0)
CPU_TO_RESTATE = (0.85, 0.85, 0.85)
STEP_TO_ROUND_TRIP = 2.0
OWN_US = 60.0
FLAT, READING_HISTORY = 1.1, 1.3
CPU_TO_RUN, CPU_GROWTH_TO_RUN = 1.5, 1.2
FIRST_PART_MS = 25.0
FULL_TO_EMPTY = 1.5
MESSAGES, REQUESTS, COMMANDS = 2, 15, 80


class Results:
    def __init__(self, results: Iterable[Result]) -> None:
        self._all = list(results)

    def of(self, test: str) -> list[Result]:
        return [result for result in self._all if result.get("test") == test]

    def median(self, peer: str, variant: str, name: str, at_once: int) -> float | None:
        values = [
            cell[name]
            for cell in self.of("cell")
            if (cell["peer"], cell["variant"], cell["concurrency"]) == (peer, variant, at_once)
            and cell.get(name) is not None
        ]
        return median(values) if values else None

    def peers(self) -> list[str]:
        return list(dict.fromkeys(cell["peer"] for cell in self.of("cell")))


@dataclass(frozen=True, slots=True)
class Aim:
    """One line: what, how much it is, and how much it may be at most, or must be at least."""

    what: str
    value: float | None
    at_least: float | None = None
    at_most: float | None = None

    @property
    def row(self) -> list[object]:
        """As a line of a table; what was not measured is not met."""
        aim = f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"
        return [self.what, self.value, aim, "yes" if self._met() else "**no**"]

    def _met(self) -> bool:
        if self.value is None:
            return False
        enough = self.at_least is None or self.value >= self.at_least
        return enough and (self.at_most is None or self.value <= self.at_most)


def aims(results: Results) -> list[list[object]]:
    """All aims of which a run has the counters."""
    found = [
        *_speeds(results),
        *_processor(results),
        *_job(results),
        *_own(results),
        *_long(results),
        *_pydantic_ai(results),
    ]
    crashed = [row for row in results.of("crash") if row["peer"].startswith("baton")]
    found += [
        Aim(f"{row['peer']}: recorded calls run again after kill -9", row["recorded_calls_repeated"], at_most=0)
        for row in crashed
    ]
    return [aim.row for aim in found if aim.value is not None]


def loaded_aim(result: Result) -> Aim:
    """How much longer a full deployment takes to answer a submission."""
    return Aim("submission p50, full ÷ empty", result["ratio"], at_most=FULL_TO_EMPTY)


def _ratio(value: float | None, base: float | None) -> float | None:
    return value / base if value is not None and base else None


def _speeds(results: Results) -> list[Aim]:
    pairs = (
        ("baton-inline", "restate", "seq", INLINE_TO_RESTATE),
        ("baton-inline", "restate", "fan", FAN_TO_RESTATE),
        ("baton-inline-resp", "restate", "seq", RESP_TO_RESTATE),
        ("baton-queue", "floor-hop-fast", "seq", QUEUE_TO_FAST_HOP),
        ("baton-redis-queue", "baton-queue", "seq", REDIS_TO_QUEUE),
        ("baton-redis-queue", "celery", "seq", REDIS_TO_CELERY),
    )
    return [
        Aim(f"steps/s, {ours} ÷ {theirs}, {JOBS[variant]}, {at_once} at once", _ratio(*speeds), at_least=least)
        for ours, theirs, variant, aimed in pairs
        for at_once, least in zip(AT_ONCE, aimed, strict=True)
        if least is not None
        for speeds in [[results.median(peer, variant, "steps_s", at_once) for peer in (ours, theirs)]]
    ]


def _processor(results: Results) -> list[Aim]:
    name = "cpu_s_per_1000_steps"
    return [
        Aim(f"CPU a step, baton-inline ÷ restate, {at_once} at once", _ratio(*times), at_most=most)
        for at_once, most in zip(AT_ONCE, CPU_TO_RESTATE, strict=True)
        for times in [[results.median(peer, "seq", name, at_once) for peer in ("baton-inline", "restate")]]
    ]


def _job(results: Results) -> list[Aim]:
    inline = next((row for row in results.of("counters") if row["peer"] == "baton-inline"), None)
    if inline is None:
        return []
    return [
        Aim("messages of an inline job of five calls", inline["job"]["messages"], at_most=MESSAGES),
        Aim("its Redis requests", inline["job"]["requests"], at_most=REQUESTS),
        Aim("its Redis commands", inline["job"]["commands"], at_most=COMMANDS),
        Aim("its step p50 ÷ one SDK round trip", inline["step_to_round_trip"], at_most=STEP_TO_ROUND_TRIP),
        Aim("202 → first part, p50 ms", inline["accepted_to_first_part_p50_ms"], at_most=FIRST_PART_MS),
    ]


def _own(results: Results) -> list[Aim]:
    return [Aim("own Python a step, µs", row["median_us_a_step"], at_most=OWN_US) for row in results.of("own")]


def _long(results: Results) -> list[Aim]:
    flat = [
        Aim(f"{row['peer']}: {name} of the last calls of a long job ÷ the first", row["ratio"][name], at_most=FLAT)
        for row in results.of("flat")
        for name in ("ms", "requests", "commands", "size_bytes")
    ]
    reading = [
        Aim(f"{row['peer']}: last ÷ first steps where the model reads all", row["ratio_p50"], at_most=READING_HISTORY)
        for row in results.of("long")
        if row["peer"].startswith("baton") and row["variant"] == "seq"
    ]
    return flat + reading


def _pydantic_ai(results: Results) -> list[Aim]:
    return [
        aim
        for row in results.of("pydantic_ai")
        for ratio, first in [(row["ratio"], row["first"])]
        for aim in (
            Aim(
                f"{row['peer']}: CPU of a call with its turn, job ÷ agent.run",
                _ratio(first["cpu_ms"], first["run_cpu_ms"]),
                at_most=CPU_TO_RUN,
            ),
            *(
                Aim(f"{row['peer']}: {name} of the last calls of a long run ÷ the first", ratio[name], at_most=FLAT)
                for name in ("requests", "commands", "size_bytes")
            ),
            Aim(
                f"{row['peer']}: CPU of the last calls ÷ the first, job ÷ agent.run",
                _ratio(ratio["cpu_ms"], ratio["run_cpu_ms"]),
                at_most=CPU_GROWTH_TO_RUN,
            ),
        )
    ]
