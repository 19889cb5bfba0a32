"""`baton dev` as a process, as tests handle it.

Invariant: after `end` nothing of the stack lives: the command is asked to stop first, then killed, and its parts die
with it.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

import httpx

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 180.0
POLL_SECONDS = 0.05
# A killed process leaves its claim behind for its work's time limit, and the queue waits before it tries again: short
# times for both keep tests of crashes short.
QUICK_RECOVERY = {"WORK_TIMEOUT_SECONDS": "1", "MESSAGE_RETRY_DELAY_MS": "300", "MAX_CONCURRENT_JOBS": "20"}
# A stack starts within half the processor time with one process of the app.
ONE_PROCESS = {"WEB_CONCURRENCY": "1"}
# The same where an agent talks for longer than a second.
TALK_RECOVERY = {"WORK_TIMEOUT_SECONDS": "3", "MESSAGE_TIMEOUT_SECONDS": "6"}
# A deployment's settings, and what dev.json calls them.
NAMES = {
    "QSTASH_URL": "qstash_url",
    "QSTASH_TOKEN": "qstash_token",
    "QSTASH_CURRENT_SIGNING_KEY": "qstash_current_signing_key",
    "QSTASH_NEXT_SIGNING_KEY": "qstash_next_signing_key",
    "WORKER_BASE_URL": "app_url",
    "UPSTASH_REDIS_REST_URL": "redis_url",
    "UPSTASH_REDIS_REST_TOKEN": "redis_token",
    "UPSTASH_VECTOR_REST_URL": "vector_url",
    "UPSTASH_VECTOR_REST_TOKEN": "vector_token",
}
# A connection for each request: what answers may be killed in between. Making a client takes longer than asking.
HTTP = httpx.Client(timeout=PATIENCE_SECONDS, limits=httpx.Limits(max_keepalive_connections=0))
END_STATES = ("completed", "failed", "cancelled")
# The work's time limit, ten seconds more until a dead process's claim is over, and the queue's pauses.
RECOVERY_SECONDS = 300.0


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


def run_baton(*arguments: str, folder: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {**os.environ, **environment}  # noqa: TID251 - as a person's shell has it
    command = baton(*arguments)
    return subprocess.run(
        command, cwd=folder, env=inherited, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )


def answered(method: str, url: str, token: str, **options: Any) -> Any:
    answer = HTTP.request(method, url, headers={"Authorization": f"Bearer {token}"}, **options).raise_for_status()
    return answer.json() if answer.content else None


class JobApi(ABC):
    """The API of whatever serves it, as a client uses it."""

    @abstractmethod
    def request(self, method: str, path: str, key: str = "", **options: Any) -> Any:
        """The JSON of an answer that is none of an error."""

    def submit(self, agent: str, task: str, **fields: object) -> str:
        body = {"jobType": agent, "taskDescription": task, **fields}
        return str(self.request("POST", "/api/agent-jobs", json=body)["id"])

    def job(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.request("GET", f"/api/agent-jobs/{job_id}")
        return found

    def ended(self, job_id: str, patience_seconds: float = RECOVERY_SECONDS) -> dict[str, Any]:
        """Wait for a job's end; the app may be away meanwhile."""
        found: dict[str, Any] = {}

        def is_over() -> bool:
            with contextlib.suppress(httpx.HTTPError):  # refused or broken connections, and answers 5xx
                found.update(self.job(job_id))
            return found.get("status") in END_STATES

        wait_for(is_over, f"the end of {job_id}", patience_seconds)
        return found

    def completed(self, job_id: str, patience_seconds: float = RECOVERY_SECONDS) -> dict[str, Any]:
        found = self.ended(job_id, patience_seconds)
        assert found["status"] == "completed", found["error"]
        return found


@dataclass
class DevStack(JobApi):
    """One `baton dev` on one folder."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=lambda: QUICK_RECOVERY)
    arguments: tuple[str, ...] = ("--port", "0")
    working_folder: Path | None = None
    described: dict[str, Any] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def command(self) -> list[str]:
        return baton("dev", "--data", str(self.folder), *self.arguments)

    @property
    def settings(self) -> dict[str, str]:
        """As a deployment has them."""
        return {name: self.described[key] for name, key in NAMES.items()}

    @property
    def output(self) -> str:
        return self.output_path.read_text()

    @property
    def output_path(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.out")

    @property
    def notes_path(self) -> Path:
        """Where its agents note what they do."""
        return self.folder.with_name(f"{self.folder.name}.notes")

    def noted(self) -> list[str]:
        return self.notes_path.read_text().splitlines() if self.notes_path.exists() else []

    def start(self) -> Self:
        (self.folder / "dev.json").unlink(missing_ok=True)  # what a killed one has left would pass for ready
        self.launch()
        wait_for(self._is_ready_or_dead, "dev.json")
        assert (self.folder / "dev.json").exists(), self.output
        self.reload()
        return self

    def launch(self) -> subprocess.Popen[bytes]:
        with self.output_path.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                stdout=output,
                stderr=output,
                cwd=self.working_folder,
                # It inherits this process's environment.
                env={**os.environ, "NOTES": str(self.notes_path), **ONE_PROCESS, **self.environment},  # noqa: TID251
            )
        return self.process

    @contextlib.contextmanager
    def running(self) -> Iterator[Self]:
        """For the time of the block."""
        try:
            yield self.start()
        finally:
            self.end()

    def reload(self) -> dict[str, Any]:
        self.described = json.loads((self.folder / "dev.json").read_text())
        return self.described

    def request(self, method: str, path: str, key: str = "client_key", **options: Any) -> Any:
        return answered(method, f"{self.described['app_url']}{path}", self.described[key], **options)

    def ask(self, part: str, path: str, method: str = "GET", **options: Any) -> Any:
        """Ask the queue (`qstash`) or the bridge (`redis`), past the product."""
        return answered(method, f"{self.described[f'{part}_url']}{path}", self.described[f"{part}_token"], **options)

    def kill(self, name: str) -> int:
        """Kill a part with -9; return the process id it had."""
        pid = int(self.reload()["processes"][name])
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_until_back(self, name: str, old_pid: int) -> None:
        wait_for(lambda: self.reload()["processes"].get(name, old_pid) != old_pid, f"a new process of {name}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop; return its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE_SECONDS)
        finally:
            self.kill_all()

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.stop()
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


StackMaker = Callable[..., DevStack]


@contextlib.contextmanager
def stacks(folder: Path) -> Iterator[StackMaker]:
    """Make stacks, not started yet, and end them all: of a module with agents, or of the samples; on a new folder."""
    made: list[DevStack] = []

    def make(agents: str = "", *, data: Path | None = None, **environment: str) -> DevStack:
        app = ("--app", f"tests.e2e.{agents}:registry") if agents else ()
        stack = DevStack(data or folder / f"data{len(made)}", {**QUICK_RECOVERY, **environment}, ("--port", "0", *app))
        stack.working_folder = ROOT
        made.append(stack)
        return stack

    try:
        yield make
    finally:
        for stack in made:
            stack.end()
