"""What every row is: it starts what it needs as child processes, runs jobs, and tells when their steps were done."""

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import psutil

from tests.bench.peers.environment import environment, setting

ROOT = Path(__file__).parents[3]
LOOPBACK = "127.0.0.1"
STOP_SECONDS = 10.0


class Peer(ABC):
    """One row. Subclasses say how to start, submit and wait.

    Attributes:
        in_process: the worker is this very process, so its processor time and memory are the row's, too.
        crash_seconds: how long a job may take to go on after its worker was killed.
        crash_note: what a reader must know of how this row recovers.
        round_trip_ms: to where the row's state lives; 0: on this machine.
    """

    name = "?"
    in_process = False
    crash_seconds = 60.0
    crash_note = ""
    round_trip_ms = 0.0

    def __init__(self) -> None:
        # Below the system's temporary folder and short: a socket's path holds 100 bytes. Open to other users, since
        # PostgreSQL runs as one.
        self.folder = Path(tempfile.mkdtemp(prefix="bench-"))
        self.folder.chmod(0o755)
        self.crashing = bool(setting("BENCH_NOTES"))
        # What was opened so far is closed at the end, even where the rest of a start failed.
        self.closing: list[Callable[[], Awaitable[object]]] = []
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    @abstractmethod
    async def setup(self) -> None:
        """Start all but the worker."""

    @abstractmethod
    async def start_worker(self) -> None:
        """Start the worker, or start it again."""

    @abstractmethod
    async def submit(self, variant: str, job: str) -> None:
        """Hand in a job."""

    @abstractmethod
    async def result(self, job: str) -> list[int]:
        """Wait for a job's end; when each of its steps was done, as monotonic nanoseconds."""

    async def run_job(self, variant: str, job: str) -> list[int]:
        await self.submit(variant, job)
        return await self.result(job)

    async def nudge(self) -> None:  # noqa: B027 - most rows need nothing
        """What else happens after a crash, where the row needs it to recover."""

    async def kill_worker(self) -> None:
        self.end("worker", signal.SIGKILL)

    async def recorded(self) -> set[tuple[str, str]] | None:
        """Job and step, as in the notes, of tool calls whose results are kept; None: this row cannot tell."""
        return None

    async def close(self) -> None:
        for opened in reversed(self.closing):
            await opened()
        for label in reversed(list(self._children)):
            self.end(label, signal.SIGKILL if label == "worker" else signal.SIGTERM)
        shutil.rmtree(self.folder, ignore_errors=True)

    def label_of(self, process: psutil.Process) -> str:
        mine = {child.pid: label for label, child in self._children.items()}
        return mine.get(process.pid, process.name())

    def spawn(
        self,
        label: str,
        command: Sequence[str],
        *,
        variables: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a child process; what it says goes to a file of the row's folder."""
        with (self.folder / f"{label}.log").open("ab") as log:
            self._children[label] = subprocess.Popen(
                list(command),
                stdout=log,
                stderr=log,
                cwd=folder or self.folder,
                env={**environment(), "PYTHONPATH": str(ROOT), **(variables or {})},
            )
        return self._children[label]

    def far(self, port: int) -> int:
        """The port at which what listens on that one is a round trip away."""
        if not self.round_trip_ms:
            return port
        relay = free_port()
        numbers = (relay, port, self.round_trip_ms)
        self.spawn("relay", python("-m", "tests.bench.peers.relay", *map(str, numbers)))
        wait_for_port(relay)
        return relay

    def end(self, label: str, how: signal.Signals) -> None:
        child = self._children.pop(label)
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(child.pid)
            for one in (process, *process.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.send_signal(how)
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def free_port() -> int:
    with socket.socket() as one:
        one.bind((LOOPBACK, 0))
        return int(one.getsockname()[1])


def wait_for_port(port: int, seconds: float = 30.0) -> None:
    give_up_at = time.monotonic() + seconds
    while time.monotonic() < give_up_at:
        try:
            socket.create_connection((LOOPBACK, port), 0.2).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"nothing listens on port {port} after {seconds:g} s")
