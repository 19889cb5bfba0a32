"""A local stack whose queue takes fault plans, for a browser."""

import os
import subprocess
import sys
from pathlib import Path

import httpx

from tests.e2e.dev_stack import DevStack, wait_for

ROOT = Path(__file__).parents[2]
PATIENCE_MS = 60_000
# A message dies after its first retry, at once; what a fault plan strikes is not there for long.
SETTINGS = {"MESSAGE_RETRY_DELAY_MS": "100", "MAX_CONCURRENT_JOBS": "5"}


class BrowserStack(DevStack):
    agents = "tests.browser.browser_agents:registry"

    def launch(self) -> subprocess.Popen[bytes]:
        with self.output_path.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.browser.browser_dev", str(self.folder), self.agents],
                stdout=output,
                stderr=output,
                cwd=ROOT,
                env={**os.environ, **SETTINGS},  # noqa: TID251 - the stack inherits this process's
            )
        return self.process

    def strike(self, *endpoints: str) -> None:
        """From now on deliveries to these endpoints are answered with 503; none: no more."""
        url, headers = f"{self.described['qstash_url']}/admin/faults", self._headers()
        httpx.delete(url, headers=headers).raise_for_status()
        rules = [
            {"fault": "answer", "status": 503, "count": 1000, "url": f"{self.described['app_url']}{endpoint}"}
            for endpoint in endpoints
        ]
        httpx.post(url, headers=headers, json={"rules": rules}).raise_for_status()

    def submit(self, agent: str, task: str, **fields: object) -> str:
        headers = {"authorization": f"Bearer {self.described['client_key']}"}
        body = {"jobType": agent, "taskDescription": task, **fields}
        answer = httpx.post(f"{self.described['app_url']}/api/agent-jobs", headers=headers, json=body)
        return str(answer.raise_for_status().json()["id"])

    def approve_all(self, job_id: str) -> None:
        url, headers = self.described["app_url"], {"authorization": f"Bearer {self.described['admin_key']}"}
        wait_for(lambda: _is_up(url), "an answer of the app")
        found = httpx.get(f"{url}/api/agent-jobs/{job_id}/checkpoints", headers=headers).raise_for_status().json()
        for requested in found["checkpoints"]:
            if requested["status"] == "pending":
                path = f"{url}/api/admin/agent-checkpoints/{requested['id']}"
                httpx.post(path, headers=headers).raise_for_status()

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.described['qstash_token']}"}


def _is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").is_success
    except httpx.HTTPError:
        return False
