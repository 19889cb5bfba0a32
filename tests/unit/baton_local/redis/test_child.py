import asyncio
import contextlib
import os
import sys
from pathlib import Path

import pytest

from baton_local.redis.valkey import ChildFailedError, ServerChild
from tests.unit.baton_local.waiting import until


def lives(count_file: Path) -> list[int]:
    return [int(line) for line in count_file.read_text().split()] if count_file.exists() else []


async def seen(count_file: Path, count: int) -> list[int]:
    await until(lambda: len(lives(count_file)) >= count)
    return lives(count_file)


def program(count_file: Path, rest: str) -> list[str]:
    """A child that notes its process id and then does `rest`."""
    code = f"import os, sys, time; open({str(count_file)!r}, 'a').write(f'{{os.getpid()}}\\n')\n{rest}"
    return [sys.executable, "-c", code]


async def test_a_dead_child_is_started_again_and_the_last_one_is_stopped(tmp_path: Path) -> None:
    """After `stop` there is none."""
    file = tmp_path / "lives"
    child = ServerChild(program(file, "time.sleep(60)"))
    running = asyncio.create_task(child.run())
    (first,) = await seen(file, 1)
    os.kill(first, 9)
    _, second = await seen(file, 2)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await child.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(second, 0)


@pytest.mark.parametrize(("end", "status", "starts"), [("sys.exit(3)", 3, 1), ("os.kill(os.getpid(), 9)", -9, 5)])
async def test_a_first_start_that_fails_is_final_and_a_child_that_will_not_stay_up_is_given_up(
    tmp_path: Path, end: str, status: int, starts: int
) -> None:
    file = tmp_path / "lives"
    with pytest.raises(ChildFailedError, match=f"status {status}"):
        await ServerChild(program(file, end)).run()
    assert len(lives(file)) == starts
