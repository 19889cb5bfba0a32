"""How many processes a machine carries: its cores, or the share of a container, and its memory."""

import os
from pathlib import Path

import pytest

from baton.server.processes import processes_here

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
