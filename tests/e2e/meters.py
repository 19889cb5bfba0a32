"""What the local servers have counted so far, in the units of a job's ledger.

Invariant: the difference of two readings is what happened between them, without what reading itself costs; nothing of
the product is asked between two readings.
"""

import socket
import time
from dataclasses import dataclass, fields
from typing import Any

from baton_local.redis.valkey import DataDir
from tests.e2e.dev_stack import DevStack

_QUIET_SECONDS, _PATIENCE_SECONDS = 1.0, 240.0
_BYTES = ("total_net_input_bytes:", "total_net_output_bytes:")


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
    names = ("messages", "deliveries", "redisRequests", "redisCommands", "redisBytes")
    return Units(*(usage[name] for name in names))


class BridgeMeters:
    """Bytes are those at the bridge, and messages also those that follow from others: as a ledger counts."""

    def __init__(self, stack: DevStack) -> None:
        self._stack = stack

    def read(self) -> Units:
        redis = self._stack.ask("redis", "/admin/counters")
        (queue,) = self._stack.ask("qstash", "/admin/counters")["users"].values()
        return Units(
            queue["published"] + queue["derived"],
            queue["deliveries"],
            redis["http_requests"],
            redis["commands_executed"],
            redis["bytes_received"] + redis["bytes_sent"],
        )

    def run(self, agent: str) -> tuple[dict[str, Any], Units]:
        """A job that has ended, and what was counted meanwhile."""
        before = self.read()
        job_id = self._stack.request("POST", "/api/agent-jobs", json={"jobType": agent})["id"]
        used = self.when_quiet() - before
        job = self._stack.job(job_id)
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


class Meters:
    """Bytes are those at the server itself. One instance takes all readings, since it takes out what they have cost."""

    def __init__(self, stack: DevStack) -> None:
        self._stack = stack
        self._socket_path = DataDir(stack.folder / "redis").socket_path
        self._taken = 0
        first, second = self._read(), self._read()
        self._own_bytes = second.size_bytes - first.size_bytes

    def read(self) -> Units:
        taken, found = self._taken, self._read()
        # The INFO of each earlier reading; this one's comes after the count.
        return found - Units(0, 0, 0, taken, taken * self._own_bytes)

    def _read(self) -> Units:
        users = self._stack.ask("qstash", "/admin/counters")["users"].values()
        redis = self._stack.ask("redis", "/admin/counters")
        self._taken += 1
        published, deliveries = (sum(user[name] for user in users) for name in ("published", "deliveries"))
        return Units(published, deliveries, redis["http_requests"], redis["commands_executed"], self._redis_bytes())

    def _redis_bytes(self) -> int:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(self._socket_path))
            connection.sendall(b"INFO stats\r\n")
            with connection.makefile("rb") as lines:
                length = int(lines.readline()[1:])
                found = lines.read(length).decode().splitlines()
        return sum(int(line.partition(":")[2]) for line in found if line.startswith(_BYTES))
