"""One job: its status, its waits, its run, its cost. Must not: change the job."""

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from starlette.responses import Response

from baton.sdk.records.redaction import REDACTED
from baton.sdk.records.transcript import STRETCH, Failure
from baton.server.api.jobs.result import answer_of
from baton.server.api.problem import ApiError
from baton.server.console.admin.overview_page import about_code
from baton.server.console.event_page import sent_of
from baton.server.console.form import field
from baton.server.console.gate import Visit
from baton.server.console.shown import common_of, json_text, origin_of, pending_of, program
from baton.server.console.waterfall import Axis, Rows, Traced
from baton.store.records.app_events import SENT_BY
from baton.store.records.jobs import Snapshot
from baton.store.redis.reader import Reader
from baton.worker.runtime.job_view import job_row, job_view
from baton.worker.runtime.usage_view import step_usage
from baton_events.errors import PayloadGoneError, UnreadablePayloadError

_EVERY_RESULT = 2**40  # a page cuts each of them by itself


def job_shown(visit: Visit, snapshot: Snapshot, now_ms: int) -> dict[str, Any]:
    """Return the job as pages show it.

    `ended`: nothing more will come; `asks`: the pending approvals; `event`: name and id of the one that it handles;
    `of_person`: it has a `subjectId`; `is_code`: it has no turns and no model; `runs_code`: it is a workflow.
    """
    prices = visit.container.settings.prices
    return job_view(snapshot, now_ms, prices, _EVERY_RESULT, for_operator=True) | {
        **about_code(visit, snapshot.job),
        **common_of(snapshot, snapshot.job.finished_at_ms or 0),  # what grows with the time alone is no change
        "event": snapshot.job.handles,
        "ended": snapshot.job.ended,
        "below": snapshot.below,
        "used_below": snapshot.used_below,
        "of_person": bool(snapshot.job.subject),
        "is_code": snapshot.job.model.is_programmed,
        "runs_code": snapshot.job.model.runs_code,
        "failing": snapshot.failing,
        "asks": pending_of(snapshot, now_ms),
    }


MOST_BELOW, NEWEST_STEPS = 10, 200
_TURNS = re.compile(r"([0-9]{1,9})-([0-9]{1,9})")


async def jobs_below(reader: Reader, snapshot: Snapshot) -> dict[str, Traced]:
    """Read the newest jobs that a job has started, and those below them, as many as a picture has room for."""
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
    """Build the values for the template of a job's picture: the rows that the query selects, and their axis."""
    job, asked = traced.snapshot.job, _TURNS.fullmatch(visit.query("turns"))
    turns = range(int(asked[1]), int(asked[2]) + 1) if asked else None
    rows = [*Rows({job.id: traced, **below}, now_ms, turns, everything=bool(visit.query("all"))).of(job.id)]
    folded = any(row.kind == "fold" and row.depth <= 1 for row in rows)
    return {
        "rows": rows,
        "axis": Axis(rows, job.created_at_ms, traced.breaks, whole=not (folded or turns)),
        "part": folded or turns is not None,
        "chosen": bool(turns),
    }


@dataclass(frozen=True)
class Shown:
    """A job as its page shows it."""

    job: dict[str, Any]
    traced: Traced
    steps: list[dict[str, Any]]
    beside: dict[str, Any]


async def show_job(visit: Visit) -> Response:
    """Show the whole page; its form has a score that was refused."""
    shown = await shown_job(visit)
    everything, snapshot = bool(visit.query("all")), shown.traced.snapshot
    errors = (origin_of(snapshot.job, snapshot.calls)[1], snapshot.job.error or Failure("", ""))
    below = await jobs_below(visit.container.ports.reader, snapshot)
    record = await visit.container.ports.app_events.find(snapshot.job.id, noted=True)
    # The job that this one was forked from, whose answer stands beside its own.
    before = shown.job.get("forkedFrom")
    first = await visit.container.ports.reader.job(before["jobId"], partly=True) if before else None
    return visit.page(
        "job.html",
        given={name: field(visit.form, name) for name in ("name", "value", "comment")},
        job=shown.job,
        traces=list(dict.fromkeys(each.traceback for each in errors if each.traceback)),
        printed=await _printed(visit, snapshot) if shown.job["is_code"] else "",
        sent=sent_of(record) if snapshot.job.handles[1] else [],
        by=record.notes.get(SENT_BY) if record else None,
        first=first and job_row(first, visit.now_ms) | common_of(first, visit.now_ms),
        steps=[*(shown.steps if everything else shown.steps[-NEWEST_STEPS:]), shown.beside],
        steps_shown=bool(visit.query("steps")),
        older_steps=0 if everything else max(0, len(shown.steps) - NEWEST_STEPS),
        query=urlencode({name: visit.query(name) for name in ("all", "turns") if visit.query(name)}),
        **picture(visit, shown.traced, below, visit.now_ms),
    )


async def _printed(visit: Visit, snapshot: Snapshot) -> str:
    """Return what a job's code has printed between its steps, as far as it can be read."""
    entries: tuple[dict[str, Any], ...] = ()
    with suppress(PayloadGoneError, UnreadablePayloadError):
        entries = await visit.container.ports.reader.transcript(snapshot.job.id)
    kept = [entry.get("provider") or {} for entry in entries]
    return "".join([each.get("printed") or (each.get(STRETCH) or {}).get("printed", "") for each in kept])


async def show_call(visit: Visit) -> Response:
    """Show one tool call with all of its arguments and its result."""
    shown = await shown_job(visit)
    job = shown.job
    wanted = visit.request.path_params["call_id"]
    record = next((call for call in shown.traced.snapshot.calls if call.id == wanted), None)
    for call in job["toolCalls"]:
        if call["id"] == wanted and record:
            return visit.page(
                "call.html",
                job=job,
                call=call | {"program": program(shown.traced.snapshot, wanted)},
                steps=[step for step in shown.steps if step["callId"] == wanted],
                attempts=shown.traced.trace.calls.get(wanted, []),
                call_turn=0 if job["is_code"] else record.turn,
                traceback=record.error.traceback if record.error else "",
                # Derived from approved arguments, which are no longer known where they had a secret.
                key="" if record.approved and REDACTED in json_text(record.arguments) else record.idempotency_key,
            )
    raise ApiError(404, f"job {job['id']!r} has no tool call {wanted!r}")


async def show_result(visit: Visit) -> Response:
    """Give the JSON of one result, however large, as a file."""
    job_id, call_id = visit.request.path_params["job_id"], visit.request.path_params["call_id"]
    snapshot = await visit.context.jobs.snapshot(visit.principal, job_id)
    if "ok" not in (stored := snapshot.results.get(call_id, {})):
        raise ApiError(404, f"job {job_id!r} has no result of a tool call {call_id!r}")
    answer = await answer_of(visit.container, visit.request, (job_id, call_id), stored, raw=True)
    answer.headers["content-disposition"] = f'attachment; filename="{quote(call_id)}.json"'
    return answer


async def shown_job(visit: Visit) -> Shown:
    """Read the job and its parts so far. Raises ApiError: 404, there is no such job."""
    job_id = visit.request.path_params["job_id"]
    # Before the job, so that its usage ledger covers all parts.
    stored = await visit.container.ports.reader.parts(job_id, 0)
    snapshot = await visit.context.jobs.snapshot(visit.principal, job_id, delivery=True)
    traced = Traced(snapshot)
    traced.trace.take(stored.parts)
    used = step_usage(snapshot, stored.parts, visit.container.settings.prices)
    job = job_shown(visit, snapshot, visit.now_ms)
    return Shown(job, traced, used["steps"], used["besideSteps"])
