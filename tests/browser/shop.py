"""A shop at work: a local stack with the jobs that the pages `on-call.md` and `gallery` are about."""

from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.browser.browser_stack import BrowserStack
from tests.e2e.dev_stack import wait_for

TASKS = (
    ("buyer", "Buy ten lamps", "customer-3", "completed"),
    ("route", "Plan the tour to Ada", "customer-7", "completed"),
    ("letters", "Write to Ada: her lamp is late", "customer-7", "completed"),
    ("letters", "Is my lamp on its way?", "customer-7", "completed"),
    ("stock", "Count shelf 0", "warehouse", "failed"),
    ("research", "Read about the lamp supplier", "customer-3", "completed"),
    ("refunds", "Refund order 1042", "customer-9", "waiting"),
)
LOST = "Write to the customer of order 7"


class Shop(BrowserStack):
    """The stack; `jobs`: task → id, and `link`: the address of a link to the approval that waits."""

    agents = "tests.browser.shop_agents:registry"

    def open(self) -> None:
        """Have each job come to where it is looked at; then an outage loses one message."""
        self.jobs: dict[str, str] = {}
        for agent, task, session, status in TASKS:
            self.jobs[task] = self.submit(agent, task, sessionId=session)
            self._wait(task, status)
        self.jobs["link"] = self._link()
        self.strike("/workers/agent-loop", "/workers/delivery-failed")
        self.jobs[LOST] = self.submit("letters", LOST, sessionId="customer-5")
        wait_for(self._dead_letters, "a dead letter")
        self.strike()

    def _link(self) -> str:
        (waiting,) = self.get("/api/admin/agent-checkpoints")["checkpoints"]
        path = f"{self.described['app_url']}/api/admin/agent-checkpoints/{waiting['id']}/links"
        answer = httpx.post(path, json={"name": "Ann", "edit": True}, headers=self.key)
        return urlsplit(str(answer.raise_for_status().json()["url"])).path

    def fork(self, task: str, name: str, edits: dict[str, Any]) -> None:
        """Ask a job's first turn again; the fork is known as `name`."""
        path = f"{self.described['app_url']}/api/agent-jobs/{self.jobs[task]}/fork"
        answer = httpx.post(path, json={"turn": 1, "edits": edits}, headers=self.key)
        self.jobs[name] = answer.raise_for_status().json()["id"]
        self._wait(name, "completed")

    def get(self, path: str) -> Any:
        return httpx.get(self.described["app_url"] + path, headers=self.key).raise_for_status().json()

    @property
    def key(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.described['admin_key']}"}

    def _dead_letters(self) -> Any:
        answer = httpx.get(f"{self.described['qstash_url']}/v2/dlq", headers=self._headers())
        return answer.raise_for_status().json()["messages"]

    def _wait(self, task: str, status: str) -> None:
        path = f"/api/agent-jobs/{self.jobs[task]}"
        wait_for(lambda: self.get(path)["status"] == status, f"{task}: {status}")
