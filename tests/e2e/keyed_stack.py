"""Queue, store and app, each started again by itself with other keys, as an operator changes them one at a time.

Invariant: nothing that was started here lives after `stop`.
"""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from baton_local.dev.ports import any_free_port
from baton_local.dev.secrets_file import api_key_entry, new_api_key
from baton_local.fixtures.stand_in_process import StandInProcess
from tests.e2e.dev_stack import PATIENCE_SECONDS, QUICK_RECOVERY, wait_for

CLIENT_KEY = new_api_key("client")
_REFUSED = 401


@dataclass
class KeyedStack:
    """A deployment on this machine; `env_file` has its settings, and only they are the app's."""

    folder: Path
    queue_options: tuple[str, ...] = ()
    store_options: tuple[str, ...] = ()
    ports: list[int] = field(default_factory=list[int])
    queue: StandInProcess | None = None
    store: StandInProcess | None = None
    app: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        for _ in range(3):
            self.ports.append(any_free_port(frozenset(self.ports)))

    @property
    def env_file(self) -> Path:
        return self.folder / ".env"

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.ports[0]}"

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
        port = ("--port", str(self.ports[1]), "--no-sync", *options)
        self.queue = StandInProcess("baton_local.qstash", self.folder / "queue", "QSTASH_NEXT_SIGNING_KEY", port)
        self.queue.start()

    def start_store(self, *options: str) -> None:
        if self.store is not None:
            self.store.stop()
        port = ("--port", str(self.ports[2]), *options)
        self.store = StandInProcess("baton_local.redis", self.folder / "store", "UPSTASH_REDIS_REST_TOKEN", port)
        self.store.start()

    def deploy(self) -> None:
        """Start the app with what the file says, in place of the one that runs."""
        self._end_app()
        arguments = ("--port", str(self.ports[0]), "--app-dir", str(Path(__file__).parent))
        environment = {**os.environ, **QUICK_RECOVERY, **self.settings, "NOTES": str(self.folder / "notes")}  # noqa: TID251
        with (self.folder / "app.log").open("ab") as log:
            self.app = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "baton_local.dev.app_server",
                    *arguments,
                    "--registry",
                    "slow_agents:registry",
                ],
                env=environment,
                stdout=log,
                stderr=log,
            )
        wait_for(self._serves, "the app")

    def prepare(self) -> "KeyedStack":
        self.start_queue()
        self.start_store()
        assert self.queue is not None
        assert self.store is not None
        entry = api_key_entry("client", "acme", CLIENT_KEY)
        self.set(**self.queue.exports, **self.store.exports, WORKER_BASE_URL=self.base, API_KEYS=entry)
        # Every step is a message of its own, which could be refused.
        self.set(MESSAGE_RETRIES="5", BATON_APP="slow_agents:registry", CONTINUATION="queue")
        self.deploy()
        return self

    def submit(self) -> str:
        body = {"jobType": "slow", "taskDescription": "Note them."}
        answer = httpx.post(f"{self.base}/api/agent-jobs", json=body, headers=_bearer(CLIENT_KEY), trust_env=False)
        return str(answer.raise_for_status().json()["id"])

    def job(self, job_id: str) -> dict[str, Any]:
        path = f"{self.base}/api/agent-jobs/{job_id}"
        found: dict[str, Any] = httpx.get(path, headers=_bearer(CLIENT_KEY), trust_env=False).json()
        return found

    def wait_until_done(self, job_id: str) -> None:
        wait_for(lambda: self.job(job_id)["status"] in ("completed", "failed"), f"the end of {job_id}")
        assert self.job(job_id)["status"] == "completed", self.job(job_id)

    def outcomes(self) -> list[int]:
        events = self.request_queue("/v2/events?count=1000")["events"]
        return [int(event["responseStatus"]) for event in events if event.get("responseStatus")]

    @property
    def refused(self) -> int:
        """How many deliveries were refused for their signature."""
        return sum(status == _REFUSED for status in self.outcomes())

    def request_queue(self, path: str) -> Any:
        url = f"http://127.0.0.1:{self.ports[1]}{path}"
        return httpx.get(url, headers=_bearer(self.settings["QSTASH_TOKEN"]), trust_env=False).raise_for_status().json()

    def stop(self) -> None:
        self._end_app()
        for each in (self.queue, self.store):
            if each is not None:
                each.stop()

    def _end_app(self) -> None:
        if self.app is not None:
            self.app.terminate()
            try:
                self.app.wait(PATIENCE_SECONDS)
            finally:
                self.app.kill()
                self.app.wait()
                self.app = None

    def _serves(self) -> bool:
        try:
            return httpx.get(f"{self.base}/readyz", trust_env=False).is_success
        except httpx.HTTPError:
            return False


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}
