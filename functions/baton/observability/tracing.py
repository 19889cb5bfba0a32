"""The spans of one delivery or request, and where the next ones belong: one trace for all work items of a job.

A job's trace is that of the request which submitted it, else one whose id follows from the job's; so all its work items
agree on it, also those that a sweep redrives, which know no span before theirs. A work item's parent is the one that
dispatched it: its event says so (`traceparent`), as far as its sender traces. Invariant: where nobody traces, nothing
is done here. Ids are hexadecimal, as W3C Trace Context has them.
"""

import re
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Protocol

from msgspec import Struct, field

from baton.clock import Clock
from baton.engine.commit.answers import Claim, ClaimResult
from baton.engine.state import Job, State
from baton.engine.work_items import ItemKind, WorkItem, item_key_of
from baton_events.ids import digest, root_of
from baton_events.schema import Event


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


class _OpenItem(Struct, eq=False):
    place: Place
    parent_id: str
    name: str
    start_ms: int
    attributes: dict[str, str | int | float]


class Trace(Struct):
    """What one delivery or request traces. `incoming`: the place of who caused it; None: nobody says.

    `parents`: work item key → the place of the work item that dispatches it.
    """

    clock: Clock
    incoming: Place | None = None
    spans: list[Span] = field(default_factory=list[Span])
    parents: dict[str, Place] = field(default_factory=dict[str, Place])
    items: list[_OpenItem] = field(default_factory=list[_OpenItem])


_TRACE: ContextVar[Trace | None] = ContextVar("baton_trace", default=None)
# Work items that one delivery works on at the same time have a task each.
_ITEM: ContextVar[_OpenItem | None] = ContextVar("baton_trace_leg", default=None)


def begin_trace(clock: Clock, traceparent: str) -> Trace:
    """From now on, this task is traced."""
    trace = Trace(clock, place_of(traceparent))
    _TRACE.set(trace)
    return trace


def end_trace(trace: Trace, error: str) -> Sequence[Span]:
    """It is traced no longer; what was traced. `error`: why it failed, if it did."""
    _TRACE.set(None)
    for item in tuple(trace.items):
        _close(trace, item, "not committed", error)
    return trace.spans


def place_of(traceparent: str) -> Place | None:
    """What a traceparent says; None for one that says nothing, or cannot be read."""
    match = re.fullmatch(_TRACEPARENT, traceparent)
    if match is None or match[1] == _NO_TRACE or match[2] == _NO_SPAN:
        return None
    return Place(match[1], match[2])


def submitted_at(job: Job) -> Place:
    """The place of a job's submission: of its root's, for a job below another."""
    root, caller = root_of(job.id), place_of(job.traceparent)
    trace_id = caller.trace_id if caller else digest("trace", root)[:32]
    return Place(trace_id, digest("submit", root)[:16])


def incoming_traceparent() -> str:
    """What a job that is submitted now keeps, so that it goes on with the caller's trace; empty: a trace of its own."""
    trace = _TRACE.get()
    return trace.incoming.traceparent if trace and trace.incoming else ""


def submission(job: Job, began_ms: int, items: Sequence[WorkItem]) -> None:
    """A job was submitted, and these work items are dispatched."""
    trace = _TRACE.get()
    if trace is None:
        return
    place, caller = submitted_at(job), place_of(job.traceparent)
    parent_id = caller.span_id if caller else ""
    trace.spans.append(_span("submit", place, parent_id, began_ms, trace.clock.now_ms(), _about(job)))
    trace.parents.update({item.key: place for item in items})


def item_claimed(claim: Claim, state: State) -> None:
    """A work item was claimed."""
    trace = _TRACE.get()
    if trace is None:
        return
    job, item = state.job, state.item
    root = submitted_at(job)
    parent = trace.parents.get(item.key) or trace.incoming
    if parent is None or parent.trace_id != root.trace_id:
        parent = root
    attributes = _about(job) | {"baton.item": item.kind, "baton.turn": item.turn, "baton.attempt": item.attempt}
    attributes |= {"messaging.message.id": claim.message_id, **({"baton.tool": item.tool} if item.tool else {})}
    place = Place(root.trace_id, digest("leg", claim.owner, item.key, claim.now_ms)[:16])
    name = "slot request" if item.kind is ItemKind.SLOT_REQUEST else item.kind
    opened = _OpenItem(place, parent.span_id, f"{name} {item.tool}".rstrip(), claim.now_ms, attributes)
    _ITEM.set(opened)
    trace.items.append(opened)


def item_ended(outcome: str, dispatched: Sequence[WorkItem], claimed: Sequence[ClaimResult] = ()) -> None:
    """The work item that was claimed is done; these are dispatched, and those are gone on with."""
    trace, opened = _TRACE.get(), _ITEM.get()
    if trace is None or opened is None:
        return
    for item in (*dispatched, *(claim_result.state.item for claim_result in claimed if claim_result.state)):
        trace.parents.setdefault(item.key, opened.place)
    _close(trace, opened, outcome, "")
    _ITEM.set(None)


def work_done(name: str, start_ms: int, attributes: Mapping[str, str | int | float], error: str = "") -> None:
    """A piece of work was done for the work item that is claimed."""
    trace, item = _TRACE.get(), _ITEM.get()
    if trace is None or item is None:
        return
    end_ms = trace.clock.now_ms()
    place = Place(item.place.trace_id, digest("work", item.place.span_id, name)[:16])
    shown = {**item.attributes, **attributes}
    trace.spans.append(_span(name, place, item.place.span_id, start_ms, end_ms, shown, error))


def with_trace(event: Event) -> Event:
    """The event, with the place of the work item that dispatches it."""
    trace = _TRACE.get()
    place = trace.parents.get(item_key_of(event)) if trace else None
    return event.model_copy(update={"traceparent": place.traceparent}) if place else event


def _close(trace: Trace, item: _OpenItem, outcome: str, error: str) -> None:
    if item in trace.items:
        trace.items.remove(item)
        shown = {**item.attributes, "baton.outcome": outcome}
        trace.spans.append(
            _span(item.name, item.place, item.parent_id, item.start_ms, trace.clock.now_ms(), shown, error)
        )


def _about(job: Job) -> dict[str, str | int | float]:
    return {"baton.job.id": job.id, "baton.session.id": job.session_id, "baton.job.type": job.agent}


def _span(
    name: str,
    place: Place,
    parent_id: str,
    start_ms: int,
    end_ms: int,
    attributes: Mapping[str, str | int | float],
    error: str = "",
) -> Span:
    return Span(name, place.trace_id, place.span_id, parent_id, start_ms, max(start_ms, end_ms), attributes, error)
