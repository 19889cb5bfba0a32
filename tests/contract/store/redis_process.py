"""The local Redis as a process of its own, for the real side of the contract.

Invariant: it is this process's child and has ended when `stop` returns. It knows nothing of our adapters. `transport`
says how they reach it: by the bridge, or straight.
"""

import copy
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx

from baton.settings.settings import Settings
from baton_local.redis.data_dir import DataDir

TOKEN = "contract-token"
Transport = Literal["rest", "resp"]
_STOP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Counted:
    """Readings of the bridge's counters: requests, commands with the calls inside scripts, bytes both ways."""

    requests: int
    commands: int
    size_bytes: int

    def since(self, earlier: "Counted") -> "Counted":
        """What was counted between two readings."""
        return Counted(
            self.requests - earlier.requests,
            self.commands - earlier.commands,
            self.size_bytes - earlier.size_bytes,
        )


def _client() -> httpx.Client:
    """One for all that is asked, since making one takes longer than asking; a connection serves one request."""
    return httpx.Client(headers={"Authorization": f"Bearer {TOKEN}"}, limits=httpx.Limits(max_keepalive_connections=0))


class RedisProcess:
    """`python -m baton_local.redis` on a folder."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self.transport: Transport = "rest"
        command = [sys.executable, "-m", "baton_local.redis", "--data", str(data), "--token", TOKEN, "--port", "0"]
        with (data.parent / f"{data.name}.log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        self._http = _client()
        self.url = self._ready_url()

    def _ready_url(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith("Redis REST listening on "):
            self.stop()
            raise RuntimeError(f"the local Redis said {line!r} instead of its URL")
        return line.split()[-1]

    def over(self, transport: Transport) -> "RedisProcess":
        """The same process, reached in another way."""
        reached = copy.copy(self)
        reached.transport = transport
        return reached

    def settings(self) -> Settings:
        """Of who asks it by the present transport."""
        if self.transport == "resp":
            return Settings(resp_url=f"unix://{self.socket_path}")
        return Settings(redis_url=self.url, redis_token=TOKEN)

    @property
    def socket_path(self) -> Path:
        """Where the server itself listens."""
        return DataDir(self._data).socket_path

    def request(self, *command: str | int) -> Any:
        """One command's result, past the SDK and our adapters."""
        answer = self._http.post(self.url, json=list(command)).json()
        assert "result" in answer, answer
        return answer["result"]

    def counted(self) -> Counted:
        """The counters now; reading them counts nothing."""
        assert self.transport == "rest", "nothing passes the bridge, which counts: mark the test as `bridge`"
        answer = self._http.get(f"{self.url}/admin/counters").json()
        return Counted(
            answer["http_requests"],
            answer["commands_executed"],
            answer["bytes_received"] + answer["bytes_sent"],
        )

    def stop(self) -> None:
        """End it."""
        self._http.close()
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
