"""Starting and ending one operating-system process of the stack.

Invariants: a process that was started here ends with its supervisor even when that is killed with -9 (Linux; elsewhere
the next start names what is left over); it does not get the terminal's Ctrl-C itself, so that the supervisor decides
the order of stopping; whatever it started goes when it goes. Must not decide when a process starts.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from baton_local.dev.part import Part
from baton_local.dev.stack_error import StackError

PR_SET_PDEATHSIG = 1  # linux/prctl.h
LOOK_SECONDS = 0.05


def start_process(part: Part, output: int) -> subprocess.Popen[bytes]:
    """Start the part with both its outputs into this file descriptor."""
    try:
        return subprocess.Popen(
            part.command,
            env=dict(part.environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=_tie_to(os.getpid()),  # noqa: PLW1509 - only calls prctl, from a library loaded before the fork
        )
    except OSError as error:
        raise StackError(f"{part.name} cannot be started: {part.command[0]}: {error.strerror}") from error


async def until_dead(process: subprocess.Popen[bytes]) -> int:
    """Return the exit code once the process has ended, and end whatever it left in its process group."""
    while (code := process.poll()) is None:  # noqa: ASYNC110 - looking is portable, and cheap at this pace
        await asyncio.sleep(LOOK_SECONDS)
    kill_group(process)
    return code


async def end_process(process: subprocess.Popen[bytes], patience_seconds: float) -> None:
    """Ask the process to end, insist when it does not do so in time, and return when it is gone."""
    give_up_at = time.monotonic() + patience_seconds
    if process.poll() is None:
        process.terminate()
    while process.poll() is None and time.monotonic() < give_up_at:  # noqa: ASYNC110 - as above
        await asyncio.sleep(LOOK_SECONDS)
    kill_group(process)
    await until_dead(process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and everything of its group with -9, without waiting."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _tie_to(supervisor_pid: int) -> Callable[[], None] | None:
    """Return what the child does between fork and exec so that it dies with its supervisor."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def tie() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != supervisor_pid:  # it died before the line above took effect
            os._exit(1)

    return tie


def describe_exit(code: int) -> str:
    """Say in words how a process ended."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {-code}, {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
