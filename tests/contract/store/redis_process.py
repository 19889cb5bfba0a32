"""The local Redis as a process of its own, for the real side of the contract.

Invariant: it knows nothing of our adapters. `transport` is how they reach it: by the bridge, or straight, as a user who
has exactly the rights that docs/redis.md names.
"""

import copy
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Literal, NamedTuple

import httpx

from baton.settings.settings import Settings
from baton_local.doctor.store import KEYS, RIGHTS
from baton_local.fixtures.stand_in_process import StandInProcess
from baton_local.redis.valkey import DataDir
from tests.contract.store_cluster.raw_client import RawClient

TOKEN = "contract-token"
Transport = Literal["rest", "resp"]


class Counted(NamedTuple):
    """Readings of the bridge's counters: requests, commands with the calls inside scripts, bytes both ways."""

    requests: int
    commands: int
    size_bytes: int

    def since(self, earlier: "Counted") -> "Counted":
        """What was counted between two readings."""
        return Counted(*(now - before for now, before in zip(self, earlier, strict=True)))


def _client() -> httpx.Client:
    """One for all that is asked, since making one takes longer than asking; a connection serves one request."""
    return httpx.Client(headers={"Authorization": f"Bearer {TOKEN}"}, limits=httpx.Limits(max_keepalive_connections=0))


class RedisProcess(StandInProcess):
    def __init__(self, folder: Path) -> None:
        super().__init__("baton_local.redis", folder, "UPSTASH_REDIS_REST_TOKEN", ("--token", TOKEN))
        self._data = DataDir(folder / "data")
        self.transport: Transport = "rest"
        self._http = _client()
        self.start()
        self.let("app")

    def over(self, transport: Transport) -> "RedisProcess":
        reached = copy.copy(self)
        reached.transport = transport
        return reached

    def settings(self) -> Settings:
        if self.transport == "resp":
            return Settings(resp_url=self.address_of("app"))
        return Settings(redis_url=self.url, redis_token=TOKEN)

    def let(self, user: str, *rights: str, keys: Sequence[str] = KEYS) -> None:
        """Make a user who has the documented rights, but for those that `rights` takes away or adds."""
        words = ("reset", "on", ">secret", *(f"~{key}" for key in keys), *RIGHTS.split(), *rights)
        with closing(RawClient(self.socket_path)) as client:
            client.request("ACL", "SETUSER", user, *words)

    def address_of(self, user: str) -> str:
        return f"unix://{user}:secret@{self.socket_path}"

    @property
    def socket_path(self) -> Path:
        return self._data.socket_path

    def request(self, *command: str | int) -> Any:
        answer = self._http.post(self.url, json=list(command)).json()
        assert "result" in answer, answer
        return answer["result"]

    def request_all(self, *commands: Sequence[str | int]) -> list[Any]:
        answers = self._http.post(f"{self.url}/pipeline", json=commands).json()
        return [answer["result"] for answer in answers]

    def counted(self) -> Counted:
        assert self.transport == "rest", "nothing passes the bridge, which counts: mark the test as `bridge`"
        answer = self._http.get(f"{self.url}/admin/counters").json()
        size_bytes = answer["bytes_received"] + answer["bytes_sent"]
        return Counted(answer["http_requests"], answer["commands_executed"], size_bytes)

    def stop(self) -> None:
        self._http.close()
        super().stop()
