"""Queue, store and app, each started again by itself with other keys, as an operator changes them one at a time.

Invariant: nothing that was started here lives after `stop`.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from baton_local.dev.ports import any_free_port
from baton_local.dev.secrets_file import api_key_entry
from baton_local.fixtures.agent_app import AgentApp
from baton_local.fixtures.stand_in_process import StandInProcess
from tests.e2e.dev_stack import QUICK_RECOVERY, JobApi, answered

AGENTS = "slow_agents:registry"
_REFUSED = 401


@dataclass
class KeyedStack(JobApi):
    """A deployment on this machine; `env_file` has its settings, and only they are the app's."""

    folder: Path
    ports: list[int] = field(default_factory=list[int])
    queue: StandInProcess | None = None
    store: StandInProcess | None = None

    def __post_init__(self) -> None:
        for _ in range(2):
            self.ports.append(any_free_port(frozenset(self.ports)))
        self.app = AgentApp(AGENTS, Path(__file__).parent, self.folder, {})
        self.env_file = self.folder / ".env"

    @property
    def settings(self) -> dict[str, str]:
        pairs = (line.partition("=") for line in self.env_file.read_text().splitlines() if line)
        return {name: value for name, _, value in pairs}

    def set(self, **changes: str) -> None:
        """Change the file; a running app does not see it."""
        known = self.settings if self.env_file.exists() else {}
        text = "".join(f"{name}={value}\n" for name, value in {**known, **changes}.items())
        self.env_file.write_text(text)

    def start_queue(self, *options: str) -> None:
        """Start the queue, again on the same data; its address stays."""
        if self.queue is not None:
            self.queue.stop()
        port = ("--port", str(self.ports[0]), "--no-sync", *options)
        self.queue = StandInProcess("baton_local.qstash", self.folder / "queue", "QSTASH_NEXT_SIGNING_KEY", port)
        self.queue.start()

    def start_store(self, *options: str) -> None:
        if self.store is not None:
            self.store.stop()
        port = ("--port", str(self.ports[1]), *options)
        self.store = StandInProcess("baton_local.redis", self.folder / "store", "UPSTASH_REDIS_REST_TOKEN", port)
        self.store.start()

    def deploy(self) -> None:
        """Start the app with what the file says, in place of the one that runs."""
        self.app.stop()
        self.app._settings = {**QUICK_RECOVERY, **self.settings, "NOTES": str(self.folder / "notes")}
        self.app.start()

    def prepare(self) -> "KeyedStack":
        self.start_queue()
        self.start_store()
        assert self.queue is not None
        assert self.store is not None
        entry = api_key_entry("admin", "acme", self.app.key)
        self.set(**self.queue.exports, **self.store.exports, WORKER_BASE_URL=self.app.url, API_KEYS=entry)
        # Every step is a message of its own, which could be refused.
        self.set(BATON_APP=AGENTS, CONTINUATION="queue")
        self.deploy()
        return self

    def request(self, method: str, path: str, key: str = "", **options: Any) -> Any:
        return answered(method, f"{self.app.url}{path}", key or self.app.key, **options)

    def outcomes(self) -> list[int]:
        events = self.request_queue("/v2/events?count=1000")["events"]
        return [int(event["responseStatus"]) for event in events if event.get("responseStatus")]

    @property
    def refused(self) -> int:
        """How many deliveries were refused for their signature."""
        return sum(status == _REFUSED for status in self.outcomes())

    def request_queue(self, path: str) -> Any:
        return answered("GET", f"http://127.0.0.1:{self.ports[0]}{path}", self.settings["QSTASH_TOKEN"])

    def stop(self) -> None:
        for each in (self.app, self.queue, self.store):
            if each is not None:
                each.stop()
