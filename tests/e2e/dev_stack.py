"""`baton dev` as a process, as tests handle it.

Invariant: after `kill_all` nothing of the stack lives: the command is asked to stop first, then killed, and its parts
die with it.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx

PATIENCE_SECONDS = 180.0
POLL_SECONDS = 0.05
# A killed process leaves its claim behind for its work's time limit, and the queue waits before it tries again: short
# times for both keep tests of crashes short.
QUICK_RECOVERY = {"WORK_TIMEOUT_SECONDS": "1", "MESSAGE_RETRY_DELAY_MS": "300", "MAX_CONCURRENT_JOBS": "20"}


def wait_for(holds: Callable[[], object], what: str, patience_seconds: float = PATIENCE_SECONDS) -> None:
    give_up_at = time.monotonic() + patience_seconds
    while not holds():
        assert time.monotonic() < give_up_at, f"{what} did not happen within {patience_seconds:g} s"
        time.sleep(POLL_SECONDS)


def process_is_gone(pid: int) -> bool:
    """Say whether a process has ended; one that only waits to be collected by its parent has."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    with contextlib.suppress(OSError):  # no /proc, or just gone
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return False


def baton(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("baton")), *arguments]


@dataclass
class DevStack:
    """One `baton dev` on one folder."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=lambda: QUICK_RECOVERY)
    arguments: tuple[str, ...] = ("--port", "0")
    working_folder: Path | None = None
    described: dict[str, Any] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def output_path(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.out")

    def start(self) -> "DevStack":
        self.launch()
        wait_for(self._is_ready_or_dead, "dev.json")
        assert (self.folder / "dev.json").exists(), self.output_path.read_text()
        self.reload()
        return self

    def launch(self) -> subprocess.Popen[bytes]:
        with self.output_path.open("ab") as output:
            self.process = subprocess.Popen(
                baton("dev", "--data", str(self.folder), *self.arguments),
                stdout=output,
                stderr=output,
                cwd=self.working_folder,
                env={**os.environ, **self.environment},  # noqa: TID251 - the stack inherits this process's
            )
        return self.process

    def reload(self) -> dict[str, Any]:
        self.described = json.loads((self.folder / "dev.json").read_text())
        return self.described

    def request(self, method: str, path: str, key: str = "client_key", **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.described[key]}"}
        answer = httpx.request(method, f"{self.described['app_url']}{path}", headers=headers, **options)
        answer.raise_for_status()
        return answer.json()

    def kill(self, name: str) -> int:
        """Kill a part with -9; return the process id it had."""
        pid = int(self.reload()["processes"][name])
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_until_back(self, name: str, old_pid: int) -> None:
        wait_for(lambda: self.reload()["processes"].get(name, old_pid) != old_pid, f"a new process of {name}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE_SECONDS)
        finally:
            self.kill_all()

    def kill_all(self) -> None:
        """End everything with -9, in case something is left."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in self.process_ids():
            with contextlib.suppress(AssertionError):
                wait_for(partial(process_is_gone, pid), f"the end of process {pid}", 60.0)
            if not process_is_gone(pid):
                os.kill(pid, signal.SIGKILL)

    def process_ids(self) -> list[int]:
        """The parts' processes, as described when it was last read."""
        return list(self.described.get("processes", {}).values())

    def _is_ready_or_dead(self) -> bool:
        assert self.process is not None
        return (self.folder / "dev.json").exists() or self.process.poll() is not None
