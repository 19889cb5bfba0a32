"""What the local servers have counted so far: messages, Redis requests and commands, and bytes to and from Redis.

Invariant: the difference of two readings is what happened between them, without what reading itself costs.
"""

import json
import socket
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from baton_local.redis.data_dir import DataDir

_BYTES = ("total_net_input_bytes:", "total_net_output_bytes:")


@dataclass(frozen=True)
class Reading:
    messages: int
    requests: int
    commands: int
    size_bytes: int

    def __sub__(self, earlier: "Reading") -> "Reading":
        return Reading(
            **{field.name: getattr(self, field.name) - getattr(earlier, field.name) for field in fields(Reading)}
        )


class Meters:
    """Reads the servers of a running stack, as its `dev.json` describes them.

    `folder`: the stack's data. One instance takes all readings, since it takes out what its own have cost.
    """

    def __init__(self, folder: Path, described: Mapping[str, Any]) -> None:
        self._socket_path = DataDir(folder / "redis").socket_path
        self._described = described
        self._taken = 0
        first, second = self._read(), self._read()
        self._own_bytes = second.size_bytes - first.size_bytes

    def read(self) -> Reading:
        found = self._read()
        return Reading(
            found.messages,
            found.requests,
            found.commands - self._taken,  # the INFO of each earlier reading, this one's comes after the count
            found.size_bytes - self._taken * self._own_bytes,
        )

    def _read(self) -> Reading:
        users = self._counters("qstash")["users"].values()
        redis = self._counters("redis")
        reading = Reading(
            sum(user["published"] for user in users),
            redis["http_requests"],
            redis["commands_executed"],
            self._redis_bytes(),
        )
        self._taken += 1
        return reading

    def _counters(self, name: str) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self._described[f'{name}_url']}/admin/counters",
            headers={"Authorization": f"Bearer {self._described[f'{name}_token']}"},
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            counters: dict[str, Any] = json.load(answer)
        return counters

    def _redis_bytes(self) -> int:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(self._socket_path))
            connection.sendall(b"INFO stats\r\n")
            with connection.makefile("rb") as lines:
                length = int(lines.readline()[1:])
                found = lines.read(length).decode().splitlines()
        return sum(int(line.partition(":")[2]) for line in found if line.startswith(_BYTES))
