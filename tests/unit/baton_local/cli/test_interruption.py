import asyncio
import os
import signal
import subprocess
import sys

import pytest

from baton_local.cli.interruption import Interruption, run_until_interrupted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_ends_the_work_in_good_order(number: signal.Signals) -> None:
    """Its `finally` runs to its end."""
    seen: list[str] = []

    async def work(_interruption: Interruption) -> int:
        try:
            os.kill(os.getpid(), number)
            await asyncio.sleep(10)
        finally:
            await asyncio.sleep(0.01)
            seen.append("cleaned up")
        return 7

    assert run_until_interrupted(work, lambda: seen.append("noticed"), code_when_interrupted=0) == 0
    assert seen == ["noticed", "cleaned up"]


_ENDS_WHEN_TOLD = """
import asyncio, sys, threading
from baton_local.cli.interruption import run_until_interrupted

async def work(interruption):
    print("ready", flush=True)
    try:
        await asyncio.sleep(60)
    finally:
        print("ending")
        print("with an error", file=sys.stderr, flush=True)
        await asyncio.sleep(0.01)

sys.exit(run_until_interrupted(work, lambda: print("stopping", flush=True), 0))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_ends_work_whose_output_nobody_reads(number: signal.Signals) -> None:
    """Behind `head`, or a `tee` that the same Ctrl-C has ended."""
    process = subprocess.Popen(
        [sys.executable, "-c", _ENDS_WHEN_TOLD], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == b"ready\n"
        process.stdout.close()
        process.send_signal(number)
        try:
            assert process.wait(30) == 0
        finally:
            process.kill()


def test_the_second_signal_ends_at_once_and_counts_as_failure() -> None:
    hurry = asyncio.Event()

    async def work(interruption: Interruption) -> int:
        interruption.at_once = hurry.set
        try:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(10)
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.wait_for(hurry.wait(), 120)
        return 0

    assert run_until_interrupted(work, lambda: None, code_when_interrupted=0) == 1


def test_work_that_ends_by_itself_gives_its_own_code() -> None:
    async def work(_interruption: Interruption) -> int:
        return 3

    assert run_until_interrupted(work, lambda: None, code_when_interrupted=0) == 3
