"""What a test sees of its QStash: where it is, what it signs with, and a way to begin afresh."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.pytest_plugin.admin_call import admin_call

_LOOK_SECONDS = 0.01


@dataclass(frozen=True)
class QStashServer:
    """A running server; `env` is what the official SDKs read, and is set while a test uses the fixture."""

    url: str
    token: str
    current_signing_key: str
    next_signing_key: str

    @classmethod
    def from_exports(cls, exports: Mapping[str, str]) -> "QStashServer":
        """The server that prints these environment variables."""
        return cls(
            exports["QSTASH_URL"],
            exports["QSTASH_TOKEN"],
            exports["QSTASH_CURRENT_SIGNING_KEY"],
            exports["QSTASH_NEXT_SIGNING_KEY"],
        )

    @property
    def env(self) -> Mapping[str, str]:
        """The environment variables for `QStash`, `AsyncQStash`, `Receiver` and the JavaScript `Client`."""
        return {
            "QSTASH_URL": self.url,
            "QSTASH_TOKEN": self.token,
            "QSTASH_CURRENT_SIGNING_KEY": self.current_signing_key,
            "QSTASH_NEXT_SIGNING_KEY": self.next_signing_key,
        }

    def reset(self) -> None:
        """Forget everything: messages, log, dead letters, queues, groups, schedules, limits, rotated keys, faults."""
        self.call("POST", "/admin/reset")

    def counters(self) -> Mapping[str, int]:
        """How much was published, delivered, failed … since the last reset, and how much is `unfinished` now."""
        (counters,) = self.call("GET", "/admin/counters")["users"].values()
        return dict(counters)

    def wait_until_idle(self, limit_seconds: float = 10.0) -> None:
        """Return when every message has been delivered, has failed for good or was cancelled.

        Raises:
            TimeoutError: some were unfinished for that long; a delayed message is unfinished until it was delivered.
        """
        give_up_at = time.monotonic() + limit_seconds
        while unfinished := self.counters()["unfinished"]:
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"{unfinished} messages are still unfinished after {limit_seconds:g} s")
            time.sleep(_LOOK_SECONDS)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Make a request past the SDK; the JSON of the answer."""
        return admin_call(self.url, self.token, method, path, body)
