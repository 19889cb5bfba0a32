"""Says how many app processes a machine carries: one for each core that it may use, where the memory is there.

A container's share counts (cgroups), not the machine's. Whoever says it with `WEB_CONCURRENCY` decides.
"""

import os
from collections.abc import Iterable
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
PROCESS_BYTES = 256_000_000  # the app of a small project at work, twice over
_BYTES_OF_KB = 1_024


def processes_here(cgroups: Path = CGROUPS, memory: Path = Path("/proc/meminfo")) -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = min([float(cores), *_shares(cgroups)])
    free_bytes = min([*_free_bytes(memory), *_limits_bytes(cgroups)], default=0)
    return max(1, int(min(share, free_bytes // PROCESS_BYTES if free_bytes else share)))


def _shares(cgroups: Path) -> Iterable[float]:
    """Yield the processor time that a container may use, in cores."""
    quota, _, period = _text(cgroups / "cpu.max").partition(" ")
    if quota.isdigit():
        yield int(quota) / int(period)
    older = _text(cgroups / "cpu" / "cpu.cfs_quota_us"), _text(cgroups / "cpu" / "cpu.cfs_period_us")
    if all(text.isdigit() for text in older):
        yield int(older[0]) / int(older[1])


def _free_bytes(memory: Path) -> Iterable[int]:
    for line in _text(memory).splitlines():
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) * _BYTES_OF_KB


def _limits_bytes(cgroups: Path) -> Iterable[int]:
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        if (text := _text(cgroups / name)).isdigit():
            yield int(text)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
