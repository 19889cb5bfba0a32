"""Where spans of traces go."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct, field


class Span(Struct, frozen=True):
    """One finished piece of a trace. Ids are hexadecimal, as W3C Trace Context has them.

    `parent_id`: empty for a trace's first span. `error`: why it failed; empty: it did not.
    """

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    start_ms: int
    end_ms: int
    attributes: Mapping[str, str | int | float] = field(default_factory=dict[str, str | int | float])
    error: str = ""


class Tracer(Protocol):
    """Takes spans, as far as it can."""

    async def export(self, spans: Sequence[Span]) -> None:
        """Hand them over, within a time limit; raises nothing, whatever goes wrong."""
        ...
