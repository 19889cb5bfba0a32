"""A running stack that can be hurt: its parts killed, held still and let go on, its disk full, its bridge unreliable.

Invariant: only processes that this very stack has started get a signal; a part that was stopped is let go on, however
the block ends.
"""

import contextlib
import os
import resource
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from baton_local.dev.secrets_file import DEV_TENANT, add_api_key_entry, api_key_entry, new_api_key
from tests.e2e.dev_stack import HTTP, ROOT, DevStack, wait_for

PARTS = ("app", "qstash", "redis_rest", "redis")
SECOND_TENANT = "acme"
# Delays of the queue pass this much faster, and are set this much longer where they are ours to set.
TIME_SCALE = 10
# A stopped part (at most 3 s) must not be taken for a tool that hangs; a claim outlives its owner by 10 s more.
SETTINGS = {
    "WORK_TIMEOUT_SECONDS": "4",
    "MESSAGE_TIMEOUT_SECONDS": "6",
    "MESSAGE_RETRY_DELAY_MS": str(300 * TIME_SCALE),
    "SWEEP_INTERVAL_SECONDS": str(2 * TIME_SCALE),
    "STORE_TIMEOUT_SECONDS": "2",
    "MAX_CONCURRENT_JOBS": "12",
}


@dataclass
class FaultStack(DevStack):
    """One `tests.e2e.fault_dev` on one folder, with two tenants; `keys`: each tenant's client key."""

    keys: dict[str, str] = field(default_factory=dict[str, str])
    working_folder: Path | None = ROOT
    agents: str = "fault_agents"
    time_scale: int = TIME_SCALE

    def prepare(self, **settings: str) -> "FaultStack":
        """Give it its settings and its second tenant, before it starts."""
        self.environment = {**SETTINGS, **settings}
        key = new_api_key("client")
        add_api_key_entry(self.folder, api_key_entry("client", SECOND_TENANT, key))
        self.keys = {SECOND_TENANT: key}
        return self

    def start(self) -> "FaultStack":
        super().start()
        self.keys[DEV_TENANT] = self.described["client_key"]
        return self

    @property
    def command(self) -> list[str]:
        switches = ("--app", f"tests.e2e.{self.agents}:registry", "--time-scale", str(self.time_scale))
        return [sys.executable, "-m", "tests.e2e.fault_dev", "--data", str(self.folder), *switches]

    def living(self, name: str) -> int | None:
        """The process of a part; None while it has none."""
        pid = int(self.reload()["processes"].get(name, 0))
        assert self.process is not None
        return pid if pid and parent_of(pid) == self.process.pid else None

    def living_pid(self, name: str) -> int:
        pid = self.living(name)
        assert pid is not None, f"{name} does not run"
        return pid

    def take_room(self, pid: int) -> None:
        """Let a process write no file any more, as on a full disk; one that is started later may again."""
        assert self.process is not None
        assert parent_of(pid) == self.process.pid
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    def has_ended_without_room(self, module: str) -> bool:
        """Take the room of whatever process of this module lives now; say whether the stack has ended."""
        assert self.process is not None
        for pid in children_of(self.process.pid, f"baton_local.{module}"):
            with contextlib.suppress(AssertionError, ProcessLookupError):
                self.take_room(pid)
        return self.process.poll() is not None

    @contextlib.contextmanager
    def stopped(self, name: str) -> Iterator[int]:
        """Hold a part still for the time of the block."""
        pid = self.living_pid(name)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield pid
        finally:
            if self.living(name) == pid:
                os.kill(pid, signal.SIGCONT)

    def wait_until_calm(self) -> None:
        wait_for(lambda: all(self.living(name) for name in PARTS), "a process of every part")
        for url in ("app_url", "qstash_url", "redis_url"):
            wait_for(partial(answers, f"{self.described[url]}/readyz"), f"readiness of {url}")

    def query_redis(self, *command: str | int) -> Any:
        return self.ask("redis", "", "POST", json=list(command))["result"]

    def messages_of(self, job_id: str) -> set[str]:
        """The ids of all messages about a job that the queue has ever accepted."""
        found = self.ask("qstash", "/v2/events", params={"label": job_id, "count": "1000"})
        return {event["messageId"] for event in found["events"]}

    def plan_faults(self, **plan: Any) -> None:
        """Tell the bridge what is to go wrong."""
        self.ask("redis", "/admin/faults", "POST", json=plan)

    def faults_left(self) -> dict[str, Any]:
        return dict(self.ask("redis", "/admin/faults"))


@contextlib.contextmanager
def fault_stack_in(folder: Path) -> Iterator[FaultStack]:
    """A stack that is not started yet; whatever a test does with it, nothing of it survives the block."""
    stack = FaultStack(folder / "data")
    try:
        yield stack
    finally:
        stack.end()


def parent_of(pid: int) -> int:
    """The process id of a process's parent; 0 when it has ended."""
    with contextlib.suppress(OSError):
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
        return 0 if state == "Z" else int(parent)
    return 0


def children_of(parent: int, module: str) -> list[int]:
    found = list[int]()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        pid = int(path.parent.name)
        with contextlib.suppress(OSError):
            if module.encode() in path.read_bytes().split(b"\0") and parent_of(pid) == parent:
                found.append(pid)
    return found


def answers(url: str) -> bool:
    try:
        return HTTP.get(url, timeout=2).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
