"""What queue and bridge counted while a job ran, in the units of its ledger.

Invariant: nothing of the product is asked between two readings, and reading itself is not counted.
"""

import time
from dataclasses import dataclass, fields
from typing import Any

import httpx

_QUIET_SECONDS, _PATIENCE_SECONDS = 1.0, 240.0


@dataclass(frozen=True)
class Units:
    messages: int
    deliveries: int
    requests: int
    commands: int
    size_bytes: int

    def __add__(self, other: "Units") -> "Units":
        return Units(**{each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(Units)})

    def __sub__(self, other: "Units") -> "Units":
        return Units(**{each.name: getattr(self, each.name) - getattr(other, each.name) for each in fields(Units)})


def units_of(usage: dict[str, Any]) -> Units:
    return Units(
        usage["messages"],
        usage["deliveries"],
        usage["redisRequests"],
        usage["redisCommands"],
        usage["redisBytes"],
    )


class LedgerMeters:
    def __init__(self, described: dict[str, Any], client: httpx.Client) -> None:
        self._described = described
        self._client = client

    def job(self, job_id: str) -> dict[str, Any]:
        return self._api("GET", f"/api/agent-jobs/{job_id}")

    def overhead(self) -> dict[str, int]:
        """What belongs to no job, as far as it is told: all that was spent before this was asked."""
        usage: dict[str, int] = self._api("GET", "/api/admin/usage", "admin_key")["overhead"]["usage"]
        return usage

    def tenant(self) -> dict[str, int]:
        (row,) = self._api("GET", "/api/admin/usage", "admin_key")["tenants"]
        usage: dict[str, int] = row["usage"]
        return usage

    def run(self, agent: str) -> tuple[dict[str, Any], Units]:
        before = self.read()
        submitted = self._api("POST", "/api/agent-jobs", json={"jobType": agent})
        used = self.when_quiet() - before
        job = self.job(submitted["id"])
        assert job["status"] == "completed", job
        return job, used

    def when_quiet(self) -> Units:
        """The counters once nothing has happened for a second."""
        give_up_at, since, last = time.monotonic() + _PATIENCE_SECONDS, time.monotonic(), self.read()
        while time.monotonic() - since < _QUIET_SECONDS:
            assert time.monotonic() < give_up_at, "it does not get quiet"
            time.sleep(0.1)
            now = self.read()
            if now != last:
                since, last = time.monotonic(), now
        return last

    def read(self) -> Units:
        redis = self._counters("redis")
        (queue,) = self._counters("qstash")["users"].values()
        return Units(
            queue["published"] + queue["derived"],
            queue["deliveries"],
            redis["http_requests"],
            redis["commands_executed"],
            redis["bytes_received"] + redis["bytes_sent"],
        )

    def _counters(self, name: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._described[f'{name}_token']}"}
        return _body(self._client.get(f"{self._described[f'{name}_url']}/admin/counters", headers=headers))

    def _api(self, method: str, path: str, key: str = "client_key", **rest: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._described[key]}"}
        return _body(self._client.request(method, f"{self._described['app_url']}{path}", headers=headers, **rest))


def _body(response: httpx.Response) -> dict[str, Any]:
    body: dict[str, Any] = response.raise_for_status().json()
    return body
