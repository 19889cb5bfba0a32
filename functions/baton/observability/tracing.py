"""The spans of one delivery or request, and their places: one trace for all work items of a job.

Spans of a piece of work, and of a job's end, leave at once with the commit that wins, since the delivery may go on with
further work and die. Their ids follow from the work item, so a repeated delivery adds none.

A job's trace is that of the request which submitted it, else one whose id follows from the job's. So all its work
items agree on it, also those that a sweep replays without a known parent span, and on whether it is sampled: as the
caller has it, or the tracer. A work item's parent is the one that dispatched it: its event's `traceparent`, if the
sender traces. Invariant: without a tracer, nothing is done here. Ids are hexadecimal, as W3C Trace Context has them.
"""

from collections.abc import Callable, Sequence
from contextvars import ContextVar

from msgspec import Struct, field
from msgspec.structs import replace

from baton.engine.commit.answers import Claim, ClaimResult
from baton.engine.effects import Changes
from baton.engine.state import Job, State
from baton.engine.transitions import JobStatus
from baton.engine.work_items import ItemKind, WorkItem, item_key_of
from baton.observability.spans import Attributes, Details, OpenItem, Place, Span, agent_span_id, place_of, span_of
from baton.sdk.clock import Clock
from baton_events.ids import digest, is_child, root_of
from baton_events.schema import Event

DONE = "done"
Samples = Callable[[str, Place | None], bool]


class Trace(Struct):
    """The trace of one delivery or request. `incoming`: the caller's place; None: unknown.

    `send`: takes spans that are to leave, and returns at once. `samples`: as of `Tracer`. `parents`: work item key →
    the place of the work item that dispatches it.
    """

    clock: Clock
    details: Details
    send: Callable[[Sequence[Span]], None]
    samples: Samples
    incoming: Place | None = None
    spans: list[Span] = field(default_factory=list[Span])
    parents: dict[str, Place] = field(default_factory=dict[str, Place])
    items: list[OpenItem] = field(default_factory=list[OpenItem])

    def leave(self) -> None:
        """Send the spans so far."""
        spans, self.spans = [span for span in self.spans if span.sampled], []
        if spans:
            self.send(spans)


_TRACE: ContextVar[Trace | None] = ContextVar("baton_trace", default=None)
# Work items that one delivery works on at the same time have a task each.
_ITEM: ContextVar[OpenItem | None] = ContextVar("baton_trace_item", default=None)


def begin_trace(
    clock: Clock, details: Details, send: Callable[[Sequence[Span]], None], samples: Samples, traceparent: str
) -> Trace:
    trace = Trace(clock, details, send, samples, place_of(traceparent))
    _TRACE.set(trace)
    return trace


def end_trace(trace: Trace, error: str) -> None:
    """End the trace of this task and send its spans. `error`: its failure, if any."""
    _TRACE.set(None)
    for item in tuple(trace.items):
        _close(trace, item, "not committed", error)
    trace.leave()


def submitted_at(job: Job, samples: Samples) -> Place:
    """Return the place of a job's submission: of its root's, for a job below another."""
    root, caller = root_of(job.id), place_of(job.traceparent)
    trace_id = caller.trace_id if caller else digest("trace", root)[:32]
    return Place(trace_id, digest("submit", root)[:16], samples(trace_id, caller))


def incoming_traceparent() -> str:
    """Return the traceparent that a job submitted now stores to join the caller's trace; empty: a trace of its own.

    A job that a tool starts is below the tool's run.
    """
    trace, opened = _TRACE.get(), _ITEM.get()
    if opened is not None and opened.item.kind is ItemKind.CALL:
        return work_traceparent("execute_tool")
    return trace.incoming.traceparent if trace and trace.incoming else ""


def submission(job: Job, began_ms: int, items: Sequence[WorkItem], *, new: bool) -> None:
    """Trace a job's submission, for the first time if it is `new`; these work items are dispatched."""
    trace = _TRACE.get()
    if trace is None:
        return
    place, caller = submitted_at(job, trace.samples), place_of(job.traceparent)
    parent_id = caller.span_id if caller else ""
    if new:
        trace.spans.append(span_of("submit", place, parent_id, began_ms, trace.clock.now_ms(), _about(job)))
    trace.parents.update({item.key: place for item in items})


def item_claimed(claim: Claim, state: State) -> None:
    """Open the span of a claimed work item."""
    trace = _TRACE.get()
    if trace is None:
        return
    job, item = state.job, state.item
    root = submitted_at(job, trace.samples)
    parent = trace.parents.get(item.key) or trace.incoming
    if parent is None or parent.trace_id != root.trace_id:
        parent = root
    attributes = _about(job) | {"baton.item": item.kind, "baton.turn": item.turn, "baton.attempt": item.attempt}
    attributes |= {"messaging.message.id": claim.message_id, **({"baton.tool": item.tool} if item.tool else {})}
    place = replace(root, span_id=digest("leg", claim.owner, item.key, claim.now_ms)[:16])
    name = "slot request" if item.kind is ItemKind.SLOT_REQUEST else item.kind
    about = (parent.span_id, f"{name} {item.tool}".rstrip(), claim.now_ms, attributes)
    opened = OpenItem(trace.clock, trace.details, place, *about, job, item)
    _ITEM.set(opened)
    trace.items.append(opened)


def item_ended(
    outcome: str, dispatched: Sequence[WorkItem], claimed: Sequence[ClaimResult] = (), changes: Changes | None = None
) -> None:
    """Close the span of the claimed work item; the dispatched and continued items become its children.

    `changes`: the decision, which is written if the outcome is `done`.
    """
    trace = _TRACE.get()
    if trace is None or (opened := _ITEM.get()) is None:
        return
    following = (*dispatched, *(claim_result.state.item for claim_result in claimed if claim_result.state))
    for item in following:
        trace.parents.setdefault(item.key, opened.place)
    _close(trace, opened, outcome, "")
    _ITEM.set(None)
    if outcome != DONE:
        return
    trace.spans += opened.spans
    ended = changes.job if changes and changes.ends else None
    # If a message came in its last turn, the job has another turn instead of its end.
    if ended and not any(item.kind is ItemKind.LOOP and item.job_id == ended.id for item in following):
        job_ended(ended, opened.agent)
    trace.leave()


def job_ended(job: Job, more: Attributes | None = None) -> None:
    """Trace the end of a job, which is written. `more`: further attributes of its span."""
    trace = _TRACE.get()
    if trace is None or job.is_operation:
        return
    root, above = submitted_at(job, trace.samples), place_of(job.traceparent) if is_child(job.id) else None
    place = replace(root, span_id=agent_span_id(job))
    start_ms, end_ms = job.counted_from_ms or job.started_at_ms or job.created_at_ms, job.finished_at_ms or 0
    error = job.error if job.status is JobStatus.FAILED else None
    shown = {
        **_about(job),
        "baton.job.status": job.status,
        **trace.details.agent(job.agent),
        **_used(job),
        **(more or {}),
    }
    if error is not None:
        shown["error.type"] = error.type
    message = trace.details.secrets.hide(error.message) if error else ""
    trace.spans.append(
        span_of(f"invoke_agent {job.agent}", place, (above or root).span_id, start_ms, end_ms, shown, message)
    )


def job_scored(job: Job, score: Attributes) -> None:
    """Trace a job's score: a span of its trace, below its run. `score`: the span's attributes."""
    trace = _TRACE.get()
    if trace is None:
        return
    now_ms = trace.clock.now_ms()
    own_id = digest("evaluation", job.id, *map(str, score.values()), now_ms)[:16]
    place = replace(submitted_at(job, trace.samples), span_id=own_id)
    shown = {**_about(job), "gen_ai.conversation.id": job.session_id, "gen_ai.agent.name": job.agent, **score}
    trace.spans.append(span_of("gen_ai.evaluation.result", place, agent_span_id(job), now_ms, now_ms, shown))


def open_item() -> OpenItem | None:
    """Return this task's open work item; None: no tracer, or no item."""
    return _ITEM.get()


def first_chunk() -> None:
    """Note that the model begins to answer."""
    opened = _ITEM.get()
    if opened is not None:
        opened.first_chunk_ms = opened.first_chunk_ms or opened.clock.now_ms()


def work_traceparent(operation: str) -> str:
    """Return the place of the current work's span; empty: no tracer."""
    opened = _ITEM.get()
    return opened.place_of_work(operation).traceparent if opened else ""


def with_trace(event: Event) -> Event:
    """Add the place of the dispatching work item to the event."""
    trace = _TRACE.get()
    place = trace.parents.get(item_key_of(event)) if trace else None
    return replace(event, traceparent=place.traceparent) if place else event


def _used(job: Job) -> Attributes:
    used, before = job.used, job.before
    return {
        "gen_ai.conversation.id": job.session_id,
        "gen_ai.usage.input_tokens": used.input_tokens - before.input_tokens,
        "gen_ai.usage.output_tokens": used.output_tokens - before.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": used.cached_input_tokens - before.cached_input_tokens,
        "baton.cost_usd": used.cost_usd - before.cost_usd,
    }


def _close(trace: Trace, item: OpenItem, outcome: str, error: str) -> None:
    if item in trace.items:
        trace.items.remove(item)
        shown = {**item.attributes, "baton.outcome": outcome}
        trace.spans.append(
            span_of(item.name, item.place, item.parent_id, item.start_ms, trace.clock.now_ms(), shown, error)
        )


def _about(job: Job) -> Attributes:
    return {"baton.job.id": job.id, "baton.session.id": job.session_id, "baton.job.type": job.agent}
