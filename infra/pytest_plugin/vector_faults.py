"""Faults of the vector stand-in, on demand: what a caller's code does then is what a test wants to see.

Each method replaces what was planned before. Without `operations` every request is struck, else only those of one of
them, such as `upsert`. A plan ends with its count, at the latest with the test.
"""

from collections.abc import Sequence
from typing import Any

from infra.pytest_plugin.vector_server import VectorServer


class VectorFaults:
    """Plans faults of one server."""

    def __init__(self, server: VectorServer) -> None:
        self._server = server

    def refuse(self, count: int = 1, *, operations: Sequence[str] = ()) -> None:
        """Answer 503 and do nothing."""
        self._plan(refuse=count, operations=list(operations))

    def drop_answers(self, count: int = 1, *, operations: Sequence[str] = ()) -> None:
        """Do it, then break the connection instead of answering: the SDKs send it again."""
        self._plan(drop_answers=count, operations=list(operations))

    def delay(self, seconds: float, count: int | None = None, *, operations: Sequence[str] = ()) -> None:
        """Answer late; without a count, until something else is planned."""
        self._plan(delay_seconds=seconds, delay_answers=count, operations=list(operations))

    def clear(self) -> None:
        """Plan nothing."""
        self._plan()

    def _plan(self, **plan: Any) -> None:
        self._server.call("POST", "/admin/faults", plan)
