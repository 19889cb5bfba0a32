"""What a span is, and those of one work item, which leave together with its commit.

Ids are hexadecimal, as W3C Trace Context has them. Must not: know who traces, or where spans go.
"""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from baton.clock import Clock
from baton.engine.state import Job
from baton.engine.work_items import WorkItem
from baton.sdk.redaction import KnownSecrets, redacted
from baton_events.ids import digest

Attributes = dict[str, str | int | float | bool | Sequence[str]]
CONTENT_LIMIT_BYTES = 64 * 1024


class Span(Struct, frozen=True):
    """One finished piece of a trace. Ids are hexadecimal, as W3C Trace Context has them.

    `parent_id`: empty for a trace's first span. `error`: why it failed; empty: it did not. `linked_id`: the span of the
    work item that it was done for; empty: none.
    """

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    start_ms: int
    end_ms: int
    attributes: Attributes = field(default_factory=Attributes)
    error: str = ""
    kind: Literal["internal", "client"] = "internal"
    linked_id: str = ""


class Tracer(Protocol):
    """Takes spans, as far as it can."""

    async def export(self, spans: Sequence[Span]) -> None:
        """Hand them over, within a time limit; raises nothing, whatever goes wrong."""
        ...


_TRACEPARENT = r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}"
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16


class Place(Struct, frozen=True):
    """A span's place: its trace, and itself."""

    trace_id: str
    span_id: str

    @property
    def traceparent(self) -> str:
        """As W3C Trace Context writes it."""
        return f"00-{self.trace_id}-{self.span_id}-01"


def place_of(traceparent: str) -> Place | None:
    """What a traceparent says; None for one that says nothing, or cannot be read."""
    match = re.fullmatch(_TRACEPARENT, traceparent)
    if match is None or match[1] == _NO_TRACE or match[2] == _NO_SPAN:
        return None
    return Place(match[1], match[2])


def agent_span_id(job: Job) -> str:
    """The span of a run of a job; an operation is no run, and has its work below what started it."""
    above = place_of(job.traceparent) if job.is_operation else None
    return above.span_id if above else digest("invoke_agent", job.id, job.run)[:16]


def span_of(
    name: str,
    place: Place,
    parent_id: str,
    start_ms: int,
    end_ms: int,
    attributes: Attributes,
    error: str = "",
) -> Span:
    """Make a span that ends no earlier than it starts."""
    return Span(name, place.trace_id, place.span_id, parent_id, start_ms, max(start_ms, end_ms), attributes, error)


class Details(Struct, frozen=True):
    """What spans say besides: of an agent, by its name; and with `content` of what was said, without `secrets`."""

    agent: Callable[[str], Attributes]
    secrets: KnownSecrets
    content: bool = False


class OpenItem(Struct, eq=False):
    """A work item that is claimed, and what its commit will report.

    `spans`: of its work. `agent`: what its work adds to the span of the job. `first_chunk_ms`: when the model that is
    asked began to answer; 0: it did not yet.
    """

    clock: Clock
    details: Details
    place: Place
    parent_id: str
    name: str
    start_ms: int
    attributes: Attributes
    job: Job
    item: WorkItem
    spans: list[Span] = field(default_factory=list[Span])
    agent: Attributes = field(default_factory=Attributes)
    first_chunk_ms: int = 0

    def place_of_work(self, operation: str) -> Place:
        """Where the span of this work is; a further one of the same operation is elsewhere."""
        before = sum(span.attributes["gen_ai.operation.name"] == operation for span in self.spans)
        return Place(self.place.trace_id, digest(operation, self.item.key, before)[:16])

    def add(self, name: str, start_ms: int, attributes: Attributes, *, client: bool = False, error: str = "") -> None:
        """Work was done, from `start_ms` until now; `attributes` name its operation."""
        place = self.place_of_work(str(attributes["gen_ai.operation.name"]))
        shown = {**self.attributes, **attributes}
        span = span_of(name, place, agent_span_id(self.job), start_ms, self.clock.now_ms(), shown)
        kind: Literal["internal", "client"] = "client" if client else "internal"
        hidden = self.details.secrets.hide(error)
        self.spans.append(replace(span, error=hidden, kind=kind, linked_id=self.place.span_id))

    def add_above(self, name: str, start_ms: int, attributes: Attributes) -> None:
        """What was added so far was part of this."""
        below = tuple(self.spans)
        self.add(name, start_ms, attributes)
        self.spans[:-1] = [replace(span, parent_id=self.spans[-1].span_id) for span in below]

    def content(self, **values: Any) -> Attributes:
        """What was said, as JSON by attribute (`__` is a dot); nothing unless it is asked for, and nothing long."""
        if not self.details.content:
            return {}
        hide_in = self.details.secrets.hide_in
        texts = {name: json.dumps(hide_in(redacted(value)), default=str) for name, value in values.items()}
        return {
            f"gen_ai.{name.replace('__', '.')}": text
            for name, text in texts.items()
            if len(text) <= CONTENT_LIMIT_BYTES
        }
