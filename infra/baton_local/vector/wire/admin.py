"""What the server has beside the hosted service's API: counters and faults.

Invariant: looking does not change what is counted.
"""

from collections.abc import Callable, Mapping
from typing import Any

from baton_local.vector.core.errors import malformed, unknown
from baton_local.vector.engine import Engine
from baton_local.vector.wire.counters import Counters
from baton_local.vector.wire.faults import FORM, Faults


class Admin:
    """The server's own paths."""

    def __init__(self, engine: Engine, counters: Counters, faults: Faults | None) -> None:
        self._engine = engine
        self._counters = counters
        self._faults = faults
        self._paths: Mapping[bytes, Callable[[str, bytes], dict[str, Any]]] = {
            b"/admin/counters": self._count,
            b"/admin/faults": self._plan,
        }

    def serves(self, path: bytes) -> bool:
        """Whether the path is one of them."""
        return path in self._paths

    def answer(self, method: str, path: bytes, body: bytes) -> dict[str, Any]:
        """Answer a request."""
        return self._paths[path](method, body)

    def _count(self, _method: str, _body: bytes) -> dict[str, Any]:
        now_ms = self._engine.surroundings.now_ms()
        return {**self._counters.report(), "open_resumable_queries": self._engine.resumable.count(now_ms)}

    def _plan(self, method: str, body: bytes) -> dict[str, Any]:
        """POST sets the plan, anything else shows what is left of it."""
        if self._faults is None:
            raise unknown("faults are off; start the server with --faults")
        if method == "POST":
            try:
                self._faults.plan = FORM.read(body)
            except ValueError as error:
                raise malformed(str(error)) from None
        return FORM.show(self._faults.plan)
