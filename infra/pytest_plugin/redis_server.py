"""What a test sees of its Redis: where it is, and a way to begin afresh."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.pytest_plugin.admin_call import admin_call

_EMPTYING = (("FLUSHALL",), ("SCRIPT", "FLUSH"), ("FUNCTION", "FLUSH"))


@dataclass(frozen=True)
class RedisServer:
    """A running server; `env` is what the official SDKs read, and is set while a test uses the fixture."""

    url: str
    token: str

    @classmethod
    def from_exports(cls, exports: Mapping[str, str]) -> "RedisServer":
        """The server that prints these environment variables."""
        return cls(exports["UPSTASH_REDIS_REST_URL"], exports["UPSTASH_REDIS_REST_TOKEN"])

    @property
    def env(self) -> Mapping[str, str]:
        """The environment variables for `Redis.from_env()`, in Python and JavaScript."""
        return {"UPSTASH_REDIS_REST_URL": self.url, "UPSTASH_REDIS_REST_TOKEN": self.token}

    def reset(self) -> None:
        """Forget all keys, scripts and functions, and planned faults."""
        self.call("POST", "/admin/faults", {})
        for answer in self.call("POST", "/pipeline", _EMPTYING):
            if "error" in answer:
                raise RuntimeError(f"the server could not be emptied: {answer['error']}")

    def counters(self) -> Mapping[str, Any]:
        """How many requests and commands there were since the server started."""
        return dict(self.call("GET", "/admin/counters"))

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Make a request past the SDK; the JSON of the answer."""
        return admin_call(self.url, self.token, method, path, body)
