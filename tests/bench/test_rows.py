"""The benchmark runs: Baton's row and what is measured of our own code, as small as can be. Nothing is timed here."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.bench.durable_runs import CALLS, measured
from tests.bench.own_time import recorded_job
from tests.bench.peers import work

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 600


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("mode", "store"),
    [
        ("inline", "rest"),
        *(pytest.param(*row, marks=pytest.mark.long) for row in (("queue", "rest"), ("inline", "resp"))),
    ],
)
def test_batons_row_runs_jobs_of_both_kinds(mode: str, store: str) -> None:
    command = [sys.executable, "-m", "tests.bench.peers.baton_row", "--mode", mode, "--jobs", "1", "--concurrency", "1"]
    command += ["--store", store]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT, timeout=PATIENCE_SECONDS)
    found: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["peer"], row["variant"], row["jobs"]) for row in found] == [
        (f"baton-{mode}{'-resp' if store == 'resp' else ''}", variant, 1) for variant in work.VARIANTS
    ]
    parts = {"app", "qstash", "redis", "vector", "supervisor"} | ({"redis_rest"} if store == "rest" else set())
    assert found[0]["cpu_by_process"].keys() <= parts, "each process of the bill is known by its part"


@pytest.mark.e2e
@pytest.mark.long
def test_batons_row_runs_a_job_whose_store_is_far_away() -> None:
    """Each step waits for it: none is faster than a round trip."""
    command = [sys.executable, "-m", "tests.bench.peers.baton_row", "--network", "20"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT, timeout=PATIENCE_SECONDS)
    found = json.loads(done.stdout)
    assert (found["peer"], found["test"], found["round_trip_ms"]) == ("baton-inline", "network", 20.0)
    assert found["p50_ms"] >= 20


@pytest.mark.e2e
async def test_a_recorded_job_is_played_back_as_often_as_one_likes() -> None:
    """Our own code does the job anew each time, to its end, from the same answers of the store."""
    job = await recorded_job()
    await job.run(2)
    assert job.answered == 2 * job.recorded_answers


@pytest.mark.e2e
@pytest.mark.long
async def test_a_long_run_is_measured_as_a_job_and_by_agent_run() -> None:
    """Of a call with its turn in place: a request each."""
    found = await measured(1)
    assert (found["tool_calls"], found["first"]["requests"], found["last"]["requests"]) == (CALLS, 2, 2)
    assert min(found["first"].values()) > 0
