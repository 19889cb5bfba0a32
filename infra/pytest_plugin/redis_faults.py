"""Faults of the Redis stand-in, on demand: what a caller's code does then is what a test wants to see.

Each method replaces what was planned before. Without `commands` every request is struck, else only those that contain
one of them. A plan ends with its count, at the latest with the test.
"""

from collections.abc import Sequence
from typing import Any

from infra.pytest_plugin.redis_server import RedisServer


class RedisFaults:
    """Plans faults of one server."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server

    def refuse(self, count: int = 1, *, commands: Sequence[str] = ()) -> None:
        """Answer 503 and do nothing."""
        self._plan(refuse=count, commands=list(commands))

    def drop_answers(self, count: int = 1, *, commands: Sequence[str] = ()) -> None:
        """Do it, then break the connection instead of answering: the SDKs send it a second time."""
        self._plan(drop_replies=count, commands=list(commands))

    def delay(self, seconds: float, count: int | None = None, *, commands: Sequence[str] = ()) -> None:
        """Answer late; without a count, until something else is planned."""
        self._plan(delay_seconds=seconds, delay_replies=count, commands=list(commands))

    def clear(self) -> None:
        """Plan nothing."""
        self._plan()

    def _plan(self, **plan: Any) -> None:
        self._server.call("POST", "/admin/faults", plan)
