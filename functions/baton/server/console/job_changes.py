"""The changes of a running job's page, sent as the job continues.

Changes are server-sent events, each a list of pieces of the page that replace older ones. Invariant: the templates
alone decide how a piece looks, the same for the page and for its changes. A browser that comes back sends the number of
parts that it has, and gets the changes of later ones. Must not: change the job.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

from starlette.responses import Response, StreamingResponse

from baton.server.console.form import whole_number
from baton.server.console.gate import Visit
from baton.server.console.job_page import calls_shown, job_shown, jobs_below, picture
from baton.server.console.pages import HEADERS, render
from baton.server.console.plan_graph import plan_graph
from baton.server.console.shown import with_scripts
from baton.server.console.timeline import Timeline
from baton.server.console.trace import Trace, Traced
from baton.settings.service_prices import Prices
from baton.store.records.jobs import Snapshot
from baton.worker.recovery.undelivered import with_failing_delivery
from baton_events.errors import BatonError

_log = logging.getLogger("baton.console")

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS, _HEARTBEAT_SECONDS = 0.1, 1.5, 10.0
# The interval of reads for changes that come without a part: the worker, the wait.
_POLL_SECONDS = 3.0
_RETRY_MS = 2_000
# Then the browser comes back, and passes the gate again: a login may have ended meanwhile.
_LONGEST_SECONDS = 600.0


async def stream(visit: Visit, longest_seconds: float = _LONGEST_SECONDS) -> Response:
    """Stream the changes since the page was made, until the job has ended."""
    job_id, now_ms = visit.request.path_params["job_id"], visit.container.ports.clock.now_ms()
    snapshot = await visit.context.jobs.snapshot(visit.principal, job_id, delivery=True)
    had = visit.request.headers.get("last-event-id") or visit.query("after") or "0"
    position = place if isinstance(place := whole_number(had), int) else 0
    # Behind a gateway that waits for the whole answer, send the stored changes, and let the browser come back.
    until_ms = now_ms if "aws.event" in visit.request.scope else now_ms + longest_seconds * 1000
    return StreamingResponse(
        _until_lost(visit, snapshot, position, until_ms),
        headers={**HEADERS, "x-accel-buffering": "no"},
        media_type="text/event-stream",
    )


async def _until_lost(visit: Visit, snapshot: Snapshot, position: int, until_ms: float) -> AsyncIterator[str]:
    """Yield the events; a store away, or a lost key, ends them, and the browser comes back by itself."""
    try:
        async for event in _events(visit, snapshot, position, until_ms):
            yield event
    except BatonError as error:
        _log.warning("the page of job %s: %s", snapshot.job.id, error)


async def _events(visit: Visit, snapshot: Snapshot, position: int, until_ms: float) -> AsyncIterator[str]:
    job_id, ports = snapshot.job.id, visit.container.ports
    reader, pieces = ports.reader, _Pieces(visit, visit.container.settings.prices)
    yield f"retry: {_RETRY_MS}\n\n"
    stored = await reader.parts(job_id, 0)
    pieces.timeline.position = stored.first - 1
    had = max(0, position - pieces.timeline.position)
    pieces.begin(stored.parts[:had])
    parts, ended = stored.parts[had:], snapshot.job.ended
    below, is_new = await jobs_below(reader, snapshot), True
    pause_seconds, since_read, silent_seconds = _FIRST_PAUSE_SECONDS, 0.0, 0.0
    while True:
        now_ms = ports.clock.now_ms()
        changed = pieces.of(snapshot, parts, now_ms)
        drawn = pieces.drawn(snapshot, below, now_ms) if is_new else []
        if changed or drawn:
            yield f"id: {pieces.timeline.position}\ndata: {json.dumps(changed + drawn)}\n\n"
            pause_seconds = _FIRST_PAUSE_SECONDS if changed else pause_seconds
            silent_seconds = 0.0
        elif silent_seconds >= _HEARTBEAT_SECONDS:
            silent_seconds = 0.0
            yield ": heartbeat\n\n"
        if ended:
            yield "event: done\ndata: \n\n"
            return
        if ports.clock.now_ms() >= until_ms:
            return
        await asyncio.sleep(pause_seconds)
        silent_seconds, since_read = silent_seconds + pause_seconds, since_read + pause_seconds
        pause_seconds = min(_LONGEST_PAUSE_SECONDS, pause_seconds * 1.3)
        found = await reader.parts(job_id, pieces.timeline.position, snapshot.job)
        parts, ended = found.parts, found.job is None or found.job.ended
        is_new = bool(parts) or ended or since_read >= _POLL_SECONDS
        if is_new:
            read, since_read = await reader.job(job_id) or snapshot, 0.0
            snapshot = await with_failing_delivery(read, ports.queue_records, ports.clock.now_ms())
            below = await jobs_below(reader, snapshot)


class _Pieces:
    """The pieces of the page, and which of them have changed since the last call."""

    def __init__(self, visit: Visit, prices: Prices) -> None:
        self.timeline = Timeline()
        self._trace = Trace()
        self._visit, self._prices = visit, prices
        self._engine = bool(visit.query("engine"))
        self._values = {"visit": visit, "token": visit.signer.form_token(visit.session)}
        self._head: dict[str, Any] | None = None
        self._calls: dict[str, dict[str, Any]] = {}

    def begin(self, parts: Sequence[str]) -> None:
        self.timeline.take(parts)
        self._trace.take(parts)

    def drawn(self, snapshot: Snapshot, below: dict[str, Traced], now_ms: int) -> list[str]:
        """Render the picture and the plan."""
        job = job_shown(snapshot, now_ms, self._prices)
        shown = picture(self._visit, Traced(snapshot, self._trace), below, now_ms)
        plan = plan_graph(job, snapshot.calls)
        return [render("_waterfall.html", job=job, **shown), *([render("_plan.html", plan=plan)] if plan else [])]

    def of(self, snapshot: Snapshot, parts: tuple[str, ...], now_ms: int) -> list[str]:
        """Render the changed pieces, except for the picture."""
        changed: list[str] = []
        self._trace.take(parts)
        job = job_shown(snapshot, now_ms, self._prices)
        calls = {call["id"]: call for call in with_scripts(calls_shown(job), snapshot)}
        values = {**self._values, "now_ms": now_ms, "job": job}
        if job != self._head:
            changed += [render("_head.html", **values), render("_facts.html", **values)]
        changed += [
            render("_call.html", **values, call=call) for key, call in calls.items() if call != self._calls.get(key)
        ]
        self._head, self._calls = job, calls
        lines = [line for line in self.timeline.take(parts) if self._engine or not line.of_engine]
        return changed + [render("_line.html", line=line, now_ms=now_ms) for line in lines]
