"""How many processes a machine carries: its cores, or the share of a container, and its memory; how they end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from baton.server.processes import processes_here

NOWHERE = "http://127.0.0.1:9"
SET = {
    **dict.fromkeys(("UPSTASH_REDIS_REST_URL", "QSTASH_URL", "WORKER_BASE_URL"), NOWHERE),
    **dict.fromkeys(("UPSTASH_REDIS_REST_TOKEN", "QSTASH_TOKEN"), "t"),
}
LONG = pytest.mark.long
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@pytest.mark.parametrize(
    ("files", "free_kb", "number"),
    [
        ({}, None, CORES),
        ({}, 64_000_000, CORES),
        ({}, 100_000, 1),
        ({"cpu.max": "max 100000"}, None, CORES),
        ({"cpu.max": "100000 100000"}, None, 1),
        ({"cpu.max": "50000 100000"}, None, 1),
        ({"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, None, 1),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None, CORES),
        ({"memory.max": "max"}, 64_000_000, CORES),
        ({"memory.max": "300000000"}, 64_000_000, 1),
        ({"memory/memory.limit_in_bytes": "300000000"}, 64_000_000, 1),
        ({"memory.max": "64000000"}, None, 1),
    ],
)
def test_cores_share_and_memory(tmp_path: Path, files: dict[str, str], free_kb: int | None, number: int) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")
    memory = tmp_path / "meminfo"
    if free_kb is not None:
        memory.write_text(f"MemTotal:       65000000 kB\nMemAvailable:   {free_kb} kB\n")
    assert processes_here(tmp_path, memory) == number


def serving(folder: Path, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
    """Start the server in an environment that has only these variables."""
    command = [sys.executable, "-P", "-m", "baton.server", "--host", "127.0.0.1", "--port", "0", "--lifespan", "on"]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join(sys.path), **variables}
    with (folder / "log").open("w") as log:
        return subprocess.Popen([*command, *arguments], env=environment, cwd=folder, stdout=log, stderr=log, text=True)


@pytest.mark.parametrize(
    ("arguments", "variables", "said"),
    [
        pytest.param(("--workers", "1"), {}, "QSTASH_TOKEN is not set", id="one", marks=LONG),
        pytest.param(("--workers", "2"), {}, "QSTASH_TOKEN is not set", id="two"),
        pytest.param((), {"WEB_CONCURRENCY": "2"}, "QSTASH_TOKEN is not set", id="by a variable", marks=LONG),
        pytest.param(
            ("--workers", "2"),
            SET | {"LOG_LEVEL": "loud"},
            "LOG_LEVEL: 'loud' is not",
            id="a wrong setting",
            marks=LONG,
        ),
        pytest.param(("--workers", "2", "--host", "256.0.0.1"), SET, "Errno", id="no such address"),
    ],
)
def test_workers_that_cannot_start_end_with_an_error(
    tmp_path: Path, arguments: tuple[str, ...], variables: dict[str, str], said: str
) -> None:
    """So that a service manager, and a deploy's check, see it."""
    assert serving(tmp_path, *arguments, **variables).wait(60) > 0
    assert said in (tmp_path / "log").read_text()


@pytest.mark.long
def test_workers_that_are_told_to_stop_have_not_failed(tmp_path: Path) -> None:
    """Nor do those that were killed meanwhile, which are started again."""
    with serving(tmp_path, "--workers", "2", **SET) as process:
        log, started = tmp_path / "log", 0
        while started < 3 and process.poll() is None:
            time.sleep(0.05)
            text = log.read_text()
            started = text.count("Application startup complete")
            if started == 2 and "died" not in text:
                os.kill(int(text.partition("Started server process [")[2].partition("]")[0]), signal.SIGKILL)
                time.sleep(1)
        process.terminate()
        assert process.wait(30) == 0, log.read_text()
