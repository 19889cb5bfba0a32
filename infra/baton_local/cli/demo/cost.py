"""What a job cost: messages of the queue, requests and commands of Redis.

Read from the counters that the two local servers keep; the cost is the difference of two readings. Reading changes
nothing that is counted.
"""

from dataclasses import dataclass
from typing import Any

import httpx

from baton_local.dev.dev_file import DevFile

COUNTERS_PATH = "/admin/counters"


@dataclass(frozen=True)
class Cost:
    """Counts; commands include those that scripts run inside the server."""

    messages: int
    deliveries: int
    redis_requests: int
    redis_commands: int

    def __sub__(self, earlier: "Cost") -> "Cost":
        return Cost(
            messages=self.messages - earlier.messages,
            deliveries=self.deliveries - earlier.deliveries,
            redis_requests=self.redis_requests - earlier.redis_requests,
            redis_commands=self.redis_commands - earlier.redis_commands,
        )


async def read_cost(http: httpx.AsyncClient, stack: DevFile) -> Cost:
    """Return both servers' counts so far."""
    users = (await _counters(http, stack.qstash_url, stack.qstash_token))["users"].values()
    redis = await _counters(http, stack.redis_url, stack.redis_token)
    return Cost(
        messages=sum(user["published"] for user in users),
        deliveries=sum(user["deliveries"] for user in users),
        redis_requests=redis["http_requests"],
        redis_commands=redis["commands_executed"],
    )


async def _counters(http: httpx.AsyncClient, url: str, token: str) -> dict[str, Any]:
    response = await http.get(url + COUNTERS_PATH, headers={"Authorization": f"Bearer {token}"})
    response.raise_for_status()
    counters: dict[str, Any] = response.json()
    return counters
