"""The server with no room left for its file."""

import os
import resource
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.contract.redis_rest.local_redis import LocalRedis

ROOM_BYTES = 1_000_000
VALUE = "x" * 20_000


def wait_until_written(redis: LocalRedis) -> None:
    """Until the last write stands in the file, or cannot: while a slow disk syncs, the server keeps them for 2 s."""
    for _ in range(500):
        shown = redis.command("INFO", "persistence").split()
        if {"aof_pending_bio_fsync:0", "aof_buffer_length:0"} <= set(shown) or "aof_last_write_status:err" in shown:
            return
        time.sleep(0.01)
    raise AssertionError("nothing is written for 5 s")


@pytest.mark.skipif(sys.platform != "linux", reason="sets the limits of another process")
def test_a_full_disk_costs_the_one_write_that_met_it(tmp_path: Path) -> None:
    """Valkey runs a command, fails to write it down, answers it, and refuses what comes after."""
    with LocalRedis(tmp_path / "data") as redis:
        resource.prlimit(redis.server_pid(), resource.RLIMIT_FSIZE, (ROOM_BYTES, resource.RLIM_INFINITY))
        kept: list[str] = []
        while (answer := redis.post(["SET", f"k{len(kept)}", VALUE])).status_code == 200:
            kept.append(f"k{len(kept)}")
            wait_until_written(redis)
        assert "MISCONF" in answer.json()["error"]
        assert redis.command("GET", "k0") == VALUE  # what is there is still read
        os.kill(redis.server_pid(), signal.SIGKILL)
    with LocalRedis(tmp_path / "data") as again:
        lost = [name for name in kept if again.command("GET", name) != VALUE]
    assert len(kept) > 40
    assert set(lost) <= {kept[-1]}
