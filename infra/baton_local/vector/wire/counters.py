"""How much was asked of the index since the server started (vector-rest.md 9), for cost tests.

Invariant: the server's own paths are not counted, so two readings in a row are equal.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Counters:
    """Requests with a valid token, and the billable operations of those that succeeded."""

    http_requests: int = 0
    operations: Counter[str] = field(default_factory=Counter)

    def succeeded(self, operation: str, count: int) -> None:
        """Count what a request was."""
        if count:
            self.operations[operation] += count

    def report(self) -> dict[str, Any]:
        """The figures as answered."""
        return {
            "http_requests": self.http_requests,
            "operations": self.operations.total(),
            "operations_by_name": dict(sorted(self.operations.items())),
        }
