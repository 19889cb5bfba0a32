"""The report of a run says what was measured, and which aims were missed."""

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.bench.installing import Installed
from tests.bench.report import report
from tests.bench.rows import ROWS
from tests.bench.run import FULL, TESTS, Bench

ABOUT = {
    "at": "2026-01-01 10:00",
    "processors": 2,
    "load_before": 0.1,
    "python": "3.11",
    "system": "Linux x86_64",
    "versions": {"httpx": "0.28.1"},
    "left_out": {"restate": "not installed"},
}


def _cell(peer: str, at_once: int, steps_s: float, round_: int = 0) -> dict[str, Any]:
    return {
        "test": "cell",
        "peer": peer,
        "variant": "seq",
        "concurrency": at_once,
        "round": round_,
        "steps_s": steps_s,
        "cpu_s_per_1000_steps": 1.0,
        "p50_ms": 1.0,
        "p99_ms": 2.0,
        "job_p50_ms": 10.0,
        "memory_mb": 100.0,
    }


def _lines(*results: dict[str, Any]) -> list[str]:
    made = report({"about": ABOUT, "results": list(results)})
    return (made.aims + made.text + made.network).splitlines()


def test_a_row_shows_the_median_of_its_rounds() -> None:
    cells = [_cell("baton-inline", 16, speed, round_) for round_, speed in enumerate((900.0, 100.0, 1000.0))]
    found = next(line for line in _lines(*cells) if line.startswith("| baton-inline"))
    assert found.startswith("| baton-inline | -/900/- |")


def test_aims_are_ratios_of_the_same_run() -> None:
    lines = _lines(
        _cell("baton-inline", 1, 1400.0),
        _cell("restate", 1, 1000.0),
        _cell("baton-inline", 16, 1000.0),
        _cell("restate", 16, 1000.0),
    )
    speeds = [line for line in lines if line.startswith("| steps/s")]
    assert speeds == [
        "| steps/s, baton-inline ÷ restate, five calls in a row, 1 at once | 1.40 | ≥ 1.2 | yes |",
        "| steps/s, baton-inline ÷ restate, five calls in a row, 16 at once | 1.00 | ≥ 1.1 | **no** |",
    ]


def test_the_load_test_has_a_table_of_its_own() -> None:
    loaded = {
        "test": "loaded",
        "waiting": 100_000,
        "running": 2_000,
        "claims": 1_999,
        "rounds": 5,
        "posts": 60,
        "empty_p50_ms": 10.0,
        "full_p50_ms": 16.0,
        "beside_p50_ms": 12.0,
        "empty_p99_ms": 20.0,
        "full_p99_ms": 40.0,
        "ratio": 1.6,
        "load": 1.2,
        "seconds_to_run": 20.0,
        "seconds_to_wait": 200.0,
    }
    made = report({"about": ABOUT, "results": [loaded]})
    assert "| submission p50, full ÷ empty | 1.60 | ≤ 1.5 | **no** |" in made.loaded
    assert "| 100000 | 2000 | 1999 | 10.0 | 16.0 | 12.0 | 20.0 | 40.0 |" in made.loaded
    assert not made.is_of_rows
    others = report({"about": ABOUT, "results": [_cell("restate", 1, 1.0)]})
    assert (others.loaded, others.network, others.is_of_rows) == ("", "", True)


def test_times_of_a_state_that_is_far_away_stand_by_distance() -> None:
    """A row that a run has only in part has a dash for the rest."""

    def found(peer: str, away: float, step: float) -> dict[str, Any]:
        return {"test": "network", "peer": peer, "round_trip_ms": away, "p50_ms": step, "job_p50_ms": 11 * step}

    lines = _lines(found("baton-inline", 10.0, 12.0), found("baton-inline", 1.0, 2.0), found("dbos", 10.0, 200.0))
    assert "| row | step p50 ms, 1 ms away | step p50 ms, 10 ms away |" in "\n".join(lines)
    assert "| baton-inline | 2.00 | 12.0 | 22.0 | 132 |" in lines
    assert "| dbos | - | 200 | - | 2200 |" in lines


def test_what_was_not_measured_is_not_claimed() -> None:
    lines = _lines(_cell("baton-inline", 1, 1000.0))
    assert not [line for line in lines if line.startswith("| steps/s")]
    assert "Left out: restate: not installed." in lines


def test_a_call_that_ran_again_after_a_crash_misses_the_aim() -> None:
    crashed = {"test": "crash", "peer": "baton-inline", "calls_repeated": 3, "recorded_calls_repeated": 1}
    assert "| baton-inline: recorded calls run again after kill -9 | 1.00 | ≤ 0 | **no** |" in _lines(crashed)


def test_a_long_run_may_grow_as_much_as_agent_run_grows() -> None:
    """In processor time; in what the store counts it may not."""
    ratio = {"requests": 1.0, "commands": 1.2, "size_bytes": 1.0, "cpu_ms": 3.0, "run_cpu_ms": 2.0}
    lines = _lines({"test": "pydantic_ai", "peer": "pydantic-ai", "first": ratio, "last": ratio, "ratio": ratio})
    assert "| pydantic-ai: commands of the last calls of a long run ÷ the first | 1.20 | ≤ 1.1 | **no** |" in lines
    assert "| pydantic-ai: CPU of the last calls ÷ the first, job ÷ agent.run | 1.50 | ≤ 1.2 | **no** |" in lines
    assert "| pydantic-ai, last ten | 1.00 | 1.20 | 1.00 | 3.00 | 2.00 |" in lines


@pytest.mark.parametrize("name", TESTS)
def test_each_part_of_a_run_can_be_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    modules: list[str] = []

    def noted(_self: Bench, _title: str, command: Sequence[str], *_limit: int) -> Iterator[dict[str, Any]]:
        modules.append(command[2])
        return iter(())

    monkeypatch.setattr(Bench, "_lines", noted)
    assert not list(getattr(Bench(FULL, ROWS, Installed(Path("python"), Path(), restate=True)), name)())
    assert modules
    assert all(find_spec(module) for module in modules)
