"""A span, and the spans of one work item, which are exported together with its commit.

Ids are hexadecimal, as W3C Trace Context has them. Must not: know the tracer, or the spans' destination.
"""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from baton.engine.state import Job
from baton.engine.work_items import WorkItem
from baton.sdk.clock import Clock
from baton.sdk.records.redaction import KnownSecrets, redacted
from baton_events.ids import digest

Attributes = dict[str, str | int | float | bool | Sequence[str]]
CONTENT_LIMIT_BYTES = 64 * 1024


class Span(Struct, frozen=True):
    """One finished piece of a trace. Ids are hexadecimal, as W3C Trace Context has them.

    `parent_id`: empty for a trace's first span. `error`: the failure; empty: none. `linked_id`: the span of the work
    item that it was done for; empty: none. `sampled`: whether it leaves at all.
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
    sampled: bool = True


class Tracer(Protocol):
    """Takes spans, best effort."""

    def samples(self, trace_id: str, caller: "Place | None") -> bool:
        """Return whether the spans of this trace are to leave; the same for all of them, in each process."""
        ...

    async def export(self, spans: Sequence[Span]) -> None:
        """Export spans, within a time limit; never raises."""
        ...


# A later version may have more behind what this one has; there is no version ff.
_TRACEPARENT = r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16


class Place(Struct, frozen=True):
    """A span's place: its trace, and itself. `sampled`: whether the trace's spans leave."""

    trace_id: str
    span_id: str
    sampled: bool = True

    @property
    def traceparent(self) -> str:
        """The place in the format of W3C Trace Context."""
        return f"00-{self.trace_id}-{self.span_id}-0{int(self.sampled)}"


def place_of(traceparent: str) -> Place | None:
    """Parse a traceparent; None if it is empty or invalid."""
    match = re.fullmatch(_TRACEPARENT, traceparent)
    if match is None or (match[1] == "00" and match[5]) or match[2] == _NO_TRACE or match[3] == _NO_SPAN:
        return None
    return Place(match[2], match[3], bool(int(match[4], 16) & 1))


def agent_span_id(job: Job) -> str:
    """Return the span's id of a run of a job; an operation is no run: its work belongs to the span that started it."""
    above = place_of(job.traceparent) if job.is_operation else None
    return above.span_id if above else digest("invoke_agent", job.id, job.run)[:16]


def span_of(
    name: str, place: Place, parent_id: str, start_ms: int, end_ms: int, attributes: Attributes, error: str = ""
) -> Span:
    """Make a span that ends no earlier than it starts."""
    times_ms = (start_ms, max(start_ms, end_ms))
    return Span(name, place.trace_id, place.span_id, parent_id, *times_ms, attributes, error, sampled=place.sampled)


class Details(Struct, frozen=True):
    """Further attributes of spans: of an agent, by its name; with `content`, messages without `secrets`."""

    agent: Callable[[str], Attributes]
    secrets: KnownSecrets
    content: bool = False


class OpenItem(Struct, eq=False):
    """A claimed work item, and the spans that its commit will report.

    `spans`: of its work. `agent`: its work's attributes for the job's span. `first_chunk_ms`: when the model began to
    answer; 0: not yet.
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
        """Return the place of this work's span; a further span of the same operation has another place."""
        before = sum(span.attributes["gen_ai.operation.name"] == operation for span in self.spans)
        return replace(self.place, span_id=digest(operation, self.item.key, before)[:16])

    def add(self, name: str, start_ms: int, attributes: Attributes, *, client: bool = False, error: str = "") -> None:
        """Add a span of work from `start_ms` until now; `attributes` name its operation."""
        place = self.place_of_work(str(attributes["gen_ai.operation.name"]))
        shown = {**self.attributes, **attributes}
        span = span_of(name, place, agent_span_id(self.job), start_ms, self.clock.now_ms(), shown)
        kind: Literal["internal", "client"] = "client" if client else "internal"
        hidden = self.details.secrets.hide(error)
        self.spans.append(replace(span, error=hidden, kind=kind, linked_id=self.place.span_id))

    def add_above(self, name: str, start_ms: int, attributes: Attributes) -> None:
        """Add a span above all spans added so far."""
        below = tuple(self.spans)
        self.add(name, start_ms, attributes)
        self.spans[:-1] = [replace(span, parent_id=self.spans[-1].span_id) for span in below]

    def content(self, **values: Any) -> Attributes:
        """Return messages as JSON by attribute (`__` is a dot); empty unless content is enabled, without long ones."""
        if not self.details.content:
            return {}
        hide_in = self.details.secrets.hide_in
        texts = {name: json.dumps(hide_in(redacted(value)), default=str) for name, value in values.items()}
        return {
            f"gen_ai.{name.replace('__', '.')}": text
            for name, text in texts.items()
            if len(text) <= CONTENT_LIMIT_BYTES
        }
