"""A stack of packaged functions beside a queue and a store, set up as an operator does it."""

import subprocess
import sys
import time
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx

from tests.deploy.bundles import APP, Bundle
from tests.deploy.local_cloud import LocalCloud

KEY = "bk_test"
LIMIT_SECONDS = 300.0
_END = ("completed", "failed", "cancelled")


class Deployment:
    """A deployed stack, set up by `baton setup`."""

    def __init__(
        self, bundles: Mapping[str, Bundle], runtime: Path, settings: Mapping[str, str], project: Path = APP
    ) -> None:
        self._project = project
        environment = {
            "API_KEYS": f"client:acme:{sha256(KEY.encode()).hexdigest()}",
            "MESSAGE_RETRY_DELAY_MS": "200",
            "PUBLISH_BY": "topic",
            **settings,
        }
        self.cloud = cloud = LocalCloud(bundles, runtime, environment)
        self._environment = {**environment, **cloud.found}
        self.shown = self.baton("setup")
        self._client = httpx.Client(
            base_url=cloud.found["WORKER_BASE_URL"], headers={"authorization": f"Bearer {KEY}"}, timeout=LIMIT_SECONDS
        )

    def baton(self, *words: str) -> str:
        """Run a command of an operator, in the project's folder; what it said."""
        command = [str(Path(sys.executable).with_name("baton")), *words]
        done = subprocess.run(
            command, cwd=self._project, env=self._environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def submit(self, agent: str) -> str:
        answer = self._client.post("/api/agent-jobs", json={"jobType": agent, "taskDescription": "do it"})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def job(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self._client.get(f"/api/agent-jobs/{job_id}").json()
        return found

    def ended(self, job_id: str) -> dict[str, Any]:
        until = time.monotonic() + LIMIT_SECONDS
        while (job := self.job(job_id))["status"] not in _END:
            assert time.monotonic() < until, job
            time.sleep(0.1)
        return job

    def stream(self, job_id: str) -> str:
        return self._client.get(f"/api/agent-jobs/{job_id}/stream").text

    def invocations(self, name: str) -> int:
        return self.cloud.functions[name].invocations

    def close(self) -> None:
        self._client.close()
        self.cloud.close()
