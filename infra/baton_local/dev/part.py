"""What a part of the stack is: a command to run, how to tell that it serves, and its operating-system process.

Invariants: parts stand in a list such that what a part needs comes before it; starting goes forward through the list,
stopping goes backward. A check of readiness answers True or False within its time limit and never raises for a part
that is not there yet; an HTTP client library would cost the start-up a quarter of a second, so it uses plain sockets.
A process ends with its supervisor even when that is killed with -9 (Linux; elsewhere the next start names what is left
over). It does not get the terminal's Ctrl-C, so that the supervisor decides the order of stopping; whatever it started
goes when it goes. Must not decide when a process starts.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from baton.sdk.records.own_threads import in_own_thread
from baton_local.dev.stack_error import StackError
from baton_local.stand_in.http_server import GIVEN_SOCKET

ReadyCheck = Callable[[], Awaitable[bool]]


@dataclass(frozen=True)
class Code:
    """A person's code: the folder whose files count, and the module that is loaded first."""

    folder: Path
    module: str


@dataclass(frozen=True)
class Part:
    """One process of the stack.

    `listener`: the socket that it takes its callers from. `log_path`: of one that keeps a log of its own. `code`: a
    person's code that it runs; it is started again when a file of that changes. `with_new_code`: arguments of its
    first start and of those after a change. `keeps_callers`: who called while it was away is served when it is back;
    else they are hung up on, and have not been heard. `joins`: one more process of a part that it needs: nobody waits
    for it, and what both would say of their code is said once.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    is_ready: ReadyCheck
    needs: tuple[str, ...] = ()
    stop_seconds: float = 3.0
    log_path: Path | None = None
    code: Code | None = None
    with_new_code: tuple[str, ...] = ()
    listener: int | None = None
    keeps_callers: bool = False
    joins: bool = False


CHECK_TIMEOUT_SECONDS = 2.0
ANSWER_BYTES = 4_096


async def http_is_ready(host: str, port: int, path: str, proof: str = "") -> bool:
    """Say whether `GET path` is answered with 200, by the one that knows this proof."""
    request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
            answer = await _exchange(*await asyncio.open_connection(host, port), request.encode(), proof.encode())
    except (OSError, TimeoutError):
        return False
    return answer.split(b" ")[1:2] == [b"200"] and proof.encode() in answer


async def redis_socket_is_ready(socket_path: str) -> bool:
    """Say whether the server on this unix socket answers commands (while it loads its data it does not)."""
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
            head = await _exchange(*await asyncio.open_unix_connection(socket_path), b"PING\r\n", b"")
    except (OSError, TimeoutError):
        return False
    return head.startswith(b"+PONG")


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes, until: bytes) -> bytes:
    """Send the request and return the beginning of the answer, as far as `until` if that is in it."""
    try:
        writer.write(request)
        await writer.drain()
        answer = await reader.read(ANSWER_BYTES)
        while until not in answer and len(answer) < ANSWER_BYTES and (more := await reader.read(ANSWER_BYTES)):
            answer += more
        return answer
    finally:
        writer.close()


PR_SET_PDEATHSIG = 1  # linux/prctl.h
POLL_SECONDS = 0.05


def start_process(part: Part, output: int, *arguments: str) -> subprocess.Popen[bytes]:
    """Start the part, with more arguments, and both its outputs into this file descriptor."""
    if part.listener is not None and not part.keeps_callers:
        _hang_up(part.listener)
    try:
        return subprocess.Popen(
            (*part.command, *arguments),
            env={**part.environment, **({} if part.listener is None else {GIVEN_SOCKET: str(part.listener)})},
            pass_fds=() if part.listener is None else (part.listener,),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=_tie_to(os.getpid()),  # noqa: PLW1509 - only calls prctl, from a library loaded before the fork
        )
    except OSError as error:
        raise StackError(f"{part.name} cannot be started: {part.command[0]}: {error.strerror}") from error


def _hang_up(listener: int) -> None:
    """Close the connections that wait there: a server that had died would have taken none of them."""
    with socket.socket(fileno=os.dup(listener)) as taking:
        taking.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                taking.accept()[0].close()


async def until_dead(process: subprocess.Popen[bytes]) -> int:
    """Return the exit code once the process has ended, and end whatever it left in its process group."""
    code: int = await in_own_thread(process.wait)  # looking again and again takes some percent of a processor
    kill_group(process)
    return code


async def end_process(process: subprocess.Popen[bytes], patience_seconds: float) -> None:
    """Ask the process to end, insist when it does not do so in time, and return when it is gone."""
    give_up_at = time.monotonic() + patience_seconds
    if process.poll() is None:
        process.terminate()
    while process.poll() is None and time.monotonic() < give_up_at:  # noqa: ASYNC110 - looking is portable
        await asyncio.sleep(POLL_SECONDS)
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
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {-code}, {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
