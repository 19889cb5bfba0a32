"""A large number of waiting messages, made quickly: many to a request."""

from dataclasses import dataclass
from typing import Any

import httpx

from baton_local.qstash.settings import DEVELOPMENT_USERS

QUEUE = "held"
_BATCH = 1_000
_LIMIT_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Backlog:
    """The ids of what was accepted: `held` waits in a paused queue, `delayed` for the next day."""

    held: list[str]
    delayed: list[str]


def client_of(server_url: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {DEVELOPMENT_USERS[0].token}"}
    return httpx.Client(base_url=server_url, headers=headers, timeout=_LIMIT_SECONDS)


def fill(client: httpx.Client, destination_url: str, count: int, held: int) -> Backlog:
    """Publish so many, some of them into a paused queue; the body is the number."""
    client.post("/v2/queues", json={"queueName": QUEUE, "parallelism": 1}).raise_for_status()
    client.post(f"/v2/queues/{QUEUE}/pause").raise_for_status()
    ids: list[str] = []
    for start in range(0, count, _BATCH):
        items = [_item(destination_url, number, held) for number in range(start, min(start + _BATCH, count))]
        ids += [each["messageId"] for each in client.post("/v2/batch", json=items).raise_for_status().json()]
    return Backlog(ids[:held], ids[held:])


def _item(url: str, number: int, held: int) -> dict[str, Any]:
    item: dict[str, Any] = {"destination": url, "body": f"{number}"}
    return item | ({"queue": QUEUE} if number < held else {"headers": {"Upstash-Delay": "1d"}})


def unfinished(client: httpx.Client) -> int:
    users = client.get("/admin/counters").raise_for_status().json()["users"]
    count: int = users[DEVELOPMENT_USERS[0].id]["unfinished"]
    return count
