"""One job: its status, its waits, its timeline, its tool calls and its cost; the page changes as the job does.

Changes are server-sent events, each a list of pieces of the page that replace older ones. Invariant: the templates
alone decide how a piece looks, the same for the page and for its changes. A browser that comes back sends how many
parts it has, and gets the changes by those that follow. Must not: touch the job.
"""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response, StreamingResponse

from baton.api.jobs.approval_list import approvals_of
from baton.api.jobs.job import JobsApi
from baton.api.problem import ApiError
from baton.console.gate import Visit
from baton.console.pages import HEADERS, render
from baton.console.plan_graph import plan_graph
from baton.console.shown import json_text
from baton.console.timeline import Line, Timeline
from baton.console.trace import Trace, Traced
from baton.console.waterfall import Axis, Rows
from baton.container import Container
from baton.executors.tool_run import idempotency_key_of
from baton.runtime.job_view import job_view
from baton.runtime.usage_view import step_usage
from baton.sdk.redaction import REDACTED
from baton.settings.service_prices import Prices
from baton.storage.ports.jobs import Reader, Snapshot
from baton_events.errors import StoreError

NEWEST_CALLS = 20
_EVERY_RESULT = 2**40  # a page cuts each of them by itself


def job_shown(snapshot: Snapshot, now_ms: int, prices: Prices) -> dict[str, Any]:
    """The job. `ended`: nothing comes any more; `asks`: the approvals that wait for a decision."""
    return job_view(snapshot, now_ms, prices, _EVERY_RESULT) | {
        "tenant": snapshot.job.tenant,
        "ended": snapshot.job.ended,
        "asks": [view for view in approvals_of(snapshot) if view["status"] == "pending"],
    }


def calls_shown(job: dict[str, Any]) -> list[dict[str, Any]]:
    """The newest tool calls of a job that may have thousands, and all that are not over, in order."""
    calls: list[dict[str, Any]] = job["toolCalls"]
    older = [call for call in calls[:-NEWEST_CALLS] if call["finishedAt"] is None]
    return [*older[-NEWEST_CALLS:], *calls[-NEWEST_CALLS:]]


MOST_BELOW = 10
_TURNS = re.compile(r"(\d{1,9})-(\d{1,9})")


async def jobs_below(reader: Reader, snapshot: Snapshot) -> dict[str, Traced]:
    """The newest jobs that a job has started, and those below them, as many as a picture has room for."""
    found: dict[str, Traced] = {}
    todo = [snapshot]
    while todo:
        names = [call.child for one in todo for call in one.calls if call.child][len(found) - MOST_BELOW :]
        read = await asyncio.gather(*(reader.parts(name, 0) for name in names))
        jobs = await asyncio.gather(*(reader.job(name) for name in names))
        todo = [one for one in jobs if one is not None]
        for stored, one in zip(read, jobs, strict=True):
            if one is not None:
                found[one.job.id] = Traced(one)
                found[one.job.id].trace.take(stored.parts)
        if len(found) >= MOST_BELOW:
            break
    return found


def picture(visit: Visit, traced: Traced, below: dict[str, Traced], now_ms: int) -> dict[str, Any]:
    """What the template of a job's picture needs: the rows that the query wants, and their axis."""
    job, asked = traced.snapshot.job, _TURNS.fullmatch(visit.query("turns"))
    turns = range(int(asked[1]), int(asked[2]) + 1) if asked else None
    made = Rows({job.id: traced, **below}, now_ms, turns, everything=bool(visit.query("all")))
    rows = list(made.of(job.id))
    folded = any(row.kind == "fold" and row.depth <= 1 for row in rows)
    return {
        "rows": rows,
        "axis": Axis(rows, job.created_at_ms),
        "part": folded or turns is not None,
        "chosen": bool(turns),
    }


NEWEST_LINES, NEWEST_STEPS = 50, 200


@dataclass(frozen=True)
class Shown:
    """A job as its page shows it."""

    job: dict[str, Any]
    lines: list[Line]
    traced: Traced
    position: int
    steps: list[dict[str, Any]]
    beside: dict[str, Any]


class JobPage:
    """Shows jobs."""

    def __init__(self, container: Container, jobs: JobsApi) -> None:
        self._reader = container.ports.reader
        self._prices = container.settings.prices
        self._jobs = jobs

    async def show(self, visit: Visit) -> Response:
        """The whole page."""
        shown = await self.shown(visit)
        everything, engine = bool(visit.query("all")), bool(visit.query("engine"))
        every = [line for line in shown.lines if engine or not line.of_engine]
        lines = every if everything else every[-NEWEST_LINES:]
        below = await jobs_below(self._reader, shown.traced.snapshot)
        return visit.page(
            "job.html",
            job=shown.job,
            lines=lines,
            left_out=len(every) - len(lines),
            calls=shown.job["toolCalls"] if everything else calls_shown(shown.job),
            position=shown.position,
            engine=engine,
            plan=plan_graph(shown.job, shown.traced.snapshot.calls),
            query=urlencode({name: visit.query(name) for name in ("engine", "all", "turns") if visit.query(name)}),
            **picture(visit, shown.traced, below, visit.now_ms),
        )

    async def call(self, visit: Visit) -> Response:
        """One tool call with all of its arguments and its result."""
        shown = await self.shown(visit)
        job = shown.job
        wanted = visit.request.path_params["call_id"]
        record = next((call for call in shown.traced.snapshot.calls if call.id == wanted), None)
        for call in job["toolCalls"]:
            if call["id"] == wanted and record:
                return visit.page(
                    "call.html",
                    job=job,
                    call=call,
                    steps=[step for step in shown.steps if step["callId"] == wanted],
                    attempts=shown.traced.trace.calls.get(wanted, []),
                    call_turn=record.turn,
                    traceback=record.error.traceback if record.error else "",
                    # Made of approved arguments, which are no longer known where they had a secret.
                    key=""
                    if record.approved and REDACTED in json_text(record.arguments)
                    else idempotency_key_of(record),
                )
        raise ApiError(404, f"job {job['id']!r} has no tool call {wanted!r}")

    async def steps(self, visit: Visit) -> Response:
        """What each step has used, and what came beside them."""
        shown = await self.shown(visit)
        steps = shown.steps if visit.query("all") else shown.steps[-NEWEST_STEPS:]
        left_out = len(shown.steps) - len(steps)
        return visit.page("steps.html", job=shown.job, steps=[*steps, shown.beside], left_out=left_out)

    async def shown(self, visit: Visit) -> Shown:
        """The job and its lines so far.

        Raises:
            ApiError: 404, there is no such job.
        """
        job_id = visit.request.path_params["job_id"]
        stored = await self._reader.parts(job_id, 0)  # before the job, whose usage ledger then has all of theirs
        snapshot = await self._jobs.snapshot(visit.principal, job_id)
        timeline, traced = Timeline(stored.first - 1), Traced(snapshot)
        timeline.take(stored.parts)
        traced.trace.take(stored.parts)
        used = step_usage(snapshot, stored.parts, self._prices)
        job, lines = job_shown(snapshot, visit.now_ms, self._prices), list(timeline.lines.values())
        return Shown(job, lines, traced, timeline.position, used["steps"], used["besideSteps"])


_log = logging.getLogger("baton.console")

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS, _HEARTBEAT_SECONDS = 0.1, 1.5, 10.0
# What changes without a part: who works on it, what it waits for.
_POLL_SECONDS = 3.0
_RETRY_MS = 2_000
_MOST_DIGITS = 9


class Live:
    """`/console/jobs/{id}/live`."""

    def __init__(self, container: Container, jobs: JobsApi, longest_seconds: float = 600.0) -> None:
        self._ports, self._prices = container.ports, container.settings.prices
        self._jobs = jobs
        # Then the browser comes back, and passes the gate again: a login may have ended meanwhile.
        self._longest_seconds = longest_seconds

    async def stream(self, visit: Visit) -> Response:
        """What changes from what the page has, until the job has ended."""
        job_id = visit.request.path_params["job_id"]
        snapshot = await self._jobs.snapshot(visit.principal, job_id)
        had = visit.request.headers.get("last-event-id") or visit.query("after") or "0"
        position = int(had) if had.isascii() and had.isdecimal() and len(had) <= _MOST_DIGITS else 0
        # Behind a gateway that waits for the whole answer, say what is there, and let the browser come back.
        once = "aws.event" in visit.request.scope
        pieces = _Pieces(visit, self._prices)
        return StreamingResponse(
            self._until_lost(snapshot, pieces, position, once=once),
            headers={**HEADERS, "x-accel-buffering": "no"},
            media_type="text/event-stream",
        )

    async def _until_lost(
        self, snapshot: Snapshot, pieces: "_Pieces", position: int, *, once: bool
    ) -> AsyncIterator[str]:
        """The events; a store that does not answer ends them, and the browser comes back by itself."""
        try:
            async for event in self._events(snapshot, pieces, position, once=once):
                yield event
        except StoreError as error:
            _log.warning("the page of job %s: %s", snapshot.job.id, error)

    async def _events(self, snapshot: Snapshot, pieces: "_Pieces", position: int, *, once: bool) -> AsyncIterator[str]:
        job_id, reader = snapshot.job.id, self._ports.reader
        yield f"retry: {_RETRY_MS}\n\n"
        stored = await reader.parts(job_id, 0)
        pieces.timeline.position = stored.first - 1
        had = max(0, position - pieces.timeline.position)
        pieces.begin(stored.parts[:had])
        parts, ended = stored.parts[had:], snapshot.job.ended
        below, is_new = await jobs_below(reader, snapshot), True
        pause_seconds, since_read, silent_seconds = _FIRST_PAUSE_SECONDS, 0.0, 0.0
        until_ms = self._ports.clock.now_ms() + self._longest_seconds * 1000
        while True:
            now_ms = self._ports.clock.now_ms()
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
            if once or self._ports.clock.now_ms() >= until_ms:
                return
            await asyncio.sleep(pause_seconds)
            silent_seconds, since_read = silent_seconds + pause_seconds, since_read + pause_seconds
            pause_seconds = min(_LONGEST_PAUSE_SECONDS, pause_seconds * 1.3)
            found = await reader.parts(job_id, pieces.timeline.position, snapshot.job)
            parts, ended = found.parts, found.job is None or found.job.ended
            is_new = bool(parts) or ended or since_read >= _POLL_SECONDS
            if is_new:
                snapshot, since_read = await reader.job(job_id) or snapshot, 0.0
                below = await jobs_below(reader, snapshot)


class _Pieces:
    """What of the page has changed since it was asked last."""

    def __init__(self, visit: Visit, prices: Prices) -> None:
        self.timeline = Timeline()
        self._trace = Trace()
        self._visit, self._prices = visit, prices
        self._engine = bool(visit.query("engine"))
        self._values = {"visit": visit, "token": visit.signer.form_token(visit.session)}
        self._head: dict[str, Any] | None = None
        self._calls: dict[str, dict[str, Any]] = {}

    def begin(self, parts: Sequence[str]) -> None:
        """Take what the page has."""
        self.timeline.take(parts)
        self._trace.take(parts)

    def drawn(self, snapshot: Snapshot, below: dict[str, Traced], now_ms: int) -> list[str]:
        """The picture and the plan as markup."""
        job = job_shown(snapshot, now_ms, self._prices)
        shown = picture(self._visit, Traced(snapshot, self._trace), below, now_ms)
        plan = plan_graph(job, snapshot.calls)
        return [render("_waterfall.html", job=job, **shown), *([render("_plan.html", plan=plan)] if plan else [])]

    def of(self, snapshot: Snapshot, parts: tuple[str, ...], now_ms: int) -> list[str]:
        """The changed pieces as markup, but for the picture."""
        changed: list[str] = []
        self._trace.take(parts)
        job = job_shown(snapshot, now_ms, self._prices)
        calls = {call["id"]: call for call in calls_shown(job)}
        values = {**self._values, "now_ms": now_ms, "job": job}
        if job != self._head:
            changed.append(render("_head.html", **values))
        changed += [
            render("_call.html", **values, call=call) for key, call in calls.items() if call != self._calls.get(key)
        ]
        self._head, self._calls = job, calls
        lines = [line for line in self.timeline.take(parts) if self._engine or not line.of_engine]
        return changed + [render("_line.html", line=line, now_ms=now_ms) for line in lines]
