"""The changes of a running job's page, sent as the job continues.

Changes are server-sent events, each a list of pieces of the page that replace older ones. Invariant: the templates
alone decide how a piece looks, the same for the page and for its changes. A browser that comes back gets each piece as
it is by then. Must not: change the job.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import Response, StreamingResponse

from baton.server.console.gate import Visit
from baton.server.console.job_page import job_shown, jobs_below, picture
from baton.server.console.pages import HEADERS, render
from baton.server.console.waterfall import Trace, Traced
from baton.store.records.jobs import Snapshot
from baton.worker.recovery.undelivered import with_failing_delivery
from baton_events.errors import BatonError

_log = logging.getLogger("baton.console")

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS, _HEARTBEAT_SECONDS = 0.1, 1.5, 10.0
# The interval of reads for changes that come without a part: the worker, the wait.
_POLL_SECONDS = 3.0
_RETRY_MS = 2_000
_PIECES = ("_head.html", "_facts.html")
# Then the browser comes back, and passes the gate again: a login may have ended meanwhile.
_LONGEST_SECONDS = 600.0


async def stream(visit: Visit, longest_seconds: float = _LONGEST_SECONDS) -> Response:
    """Stream the page's pieces as they are, then as they change, until the job has ended."""
    job_id, now_ms = visit.request.path_params["job_id"], visit.container.ports.clock.now_ms()
    snapshot = await visit.context.jobs.snapshot(visit.principal, job_id, delivery=True)
    # Behind a gateway that waits for the whole answer, send what is there, and let the browser come back.
    until_ms = now_ms if "aws.event" in visit.request.scope else now_ms + longest_seconds * 1000
    return StreamingResponse(
        _until_lost(visit, snapshot, until_ms),
        headers={**HEADERS, "x-accel-buffering": "no"},
        media_type="text/event-stream",
    )


async def _until_lost(visit: Visit, snapshot: Snapshot, until_ms: float) -> AsyncIterator[str]:
    """Yield the events; a store away, or a lost key, ends them, and the browser comes back by itself."""
    try:
        async for event in _events(visit, snapshot, until_ms):
            yield event
    except BatonError as error:
        _log.warning("the page of job %s: %s", snapshot.job.id, error)


async def _events(visit: Visit, snapshot: Snapshot, until_ms: float) -> AsyncIterator[str]:
    job_id, ports, trace = snapshot.job.id, visit.container.ports, Trace()
    values = {"visit": visit, "token": visit.signer.form_token(visit.session)}
    yield f"retry: {_RETRY_MS}\n\n"
    stored, ended = await ports.reader.parts(job_id, 0), snapshot.job.ended
    at, is_new, known = stored.first - 1, True, dict[str, Any]()
    pause_seconds, since_read, silent_seconds = _FIRST_PAUSE_SECONDS, 0.0, 0.0
    while True:
        at += len(stored.parts)
        trace.take(stored.parts)
        if is_new:
            now_ms, below = ports.clock.now_ms(), await jobs_below(ports.reader, snapshot)
            job = job_shown(visit, snapshot, now_ms)
            drawn = render("_waterfall.html", job=job, **picture(visit, Traced(snapshot, trace), below, now_ms))
            pieces = [render(name, **values, now_ms=now_ms, job=job) for name in _PIECES] if job != known else []
            yield f"data: {json.dumps([*pieces, drawn])}\n\n"
            known, silent_seconds = job, 0.0
        elif silent_seconds >= _HEARTBEAT_SECONDS:
            silent_seconds = 0.0
            yield ": heartbeat\n\n"
        if ended:
            yield "event: done\ndata: \n\n"
            return
        if ports.clock.now_ms() >= until_ms:
            return
        pause_seconds = _FIRST_PAUSE_SECONDS if stored.parts else min(_LONGEST_PAUSE_SECONDS, pause_seconds * 1.3)
        await asyncio.sleep(pause_seconds)
        silent_seconds, since_read = silent_seconds + pause_seconds, since_read + pause_seconds
        stored = await ports.reader.parts(job_id, at, snapshot.job)
        ended = stored.job is None or stored.job.ended
        is_new = bool(stored.parts) or ended or since_read >= _POLL_SECONDS
        if is_new:
            read, since_read = await ports.reader.job(job_id) or snapshot, 0.0
            snapshot = await with_failing_delivery(read, ports.queue_records, ports.clock.now_ms())
