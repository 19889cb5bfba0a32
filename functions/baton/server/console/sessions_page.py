"""Sessions: the conversations of the newest jobs, and one of them as its messages.

A list reads a hundred jobs: a session's further jobs are counted by their rows, and not read. The newest page of a
conversation changes while it is open (static/console.js); older ones stay as they are. Invariant: each job is one
exchange, in the order in which the jobs were created. An exchange that is no longer part of the conversation is marked,
and stays. Parts that a newer version adds to a job's stream are left out, and are never an error.
"""

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from starlette.datastructures import QueryParams
from starlette.responses import Response

from baton.engine.all_jobs.job_list import Query, replaced_in
from baton.engine.transitions import JobStatus
from baton.sdk.memory.entries import question_of
from baton.server.api.jobs.listing import JobPage, page_of_jobs
from baton.server.api.jobs.query import MOST_ROWS, read_page_query
from baton.server.api.sessions.sessions import continued, replaced_elsewhere, stop_all
from baton.server.api.sessions.ui_message import Part, assistant_message
from baton.server.console.form import field
from baton.server.console.gate import Visit
from baton.server.console.shown import job_shown, one_line, pending_of, pretty
from baton.settings.service_prices import Prices
from baton.store.records.all_jobs import Scanned
from baton.store.records.jobs import Snapshot, StoredParts
from baton.worker.conversation.exchanges import valid_of_page
from baton.worker.runtime.job_view import continues_of, job_row
from baton.worker.runtime.usage_view import job_cost

# The notes shown of one answer; the page of its job has all of them.
MOST_NOTES = 100


@dataclass(frozen=True, slots=True)
class Note:
    """A piece of an answer.

    `kind`: `text`, `user` (said while the job ran), `tool`, `mark` (an approval, an operation, memory), or `bad` (a
    call that failed). `href`: the address that it links to; empty: none.
    """

    kind: str
    what: str = ""
    text: str = ""
    href: str = ""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One job of a session, as its page shows it.

    `job`: its row, with tenant, cost and duration. stamp: differs where the exchange has changed. `role`: the asker's;
    empty: the session continued by itself. files: their names. `notes`: the steps to the answer, which is the last
    text. left_out: the number of older ones. `valid`: whether it is part of the conversation; a later message may have
    replaced it, or taken it back.
    """

    job: dict[str, Any]
    stamp: str
    role: str
    question: str
    files: tuple[str, ...]
    notes: tuple[Note, ...]
    left_out: int
    answer: str
    valid: bool
    asks: list[dict[str, Any]]


def conversation(
    jobs: Sequence[Snapshot], valid: set[str], stored: Sequence[StoredParts], prices: Prices, now_ms: int
) -> list[Exchange]:
    return [
        _exchange(one, parts, prices, now_ms, valid=one.job.id in valid or one.job.is_operation)
        for one, parts in zip(jobs, stored, strict=True)
    ]


def answer_of(snapshot: Snapshot) -> str:
    result = snapshot.job.result
    return pretty(result.get("answer", result)) if result else ""


def _exchange(snapshot: Snapshot, stored: StoredParts, prices: Prices, now_ms: int, *, valid: bool) -> Exchange:
    task, shown, answer = snapshot.task, job_shown(snapshot, prices, now_ms), answer_of(snapshot)
    message = assistant_message(snapshot.job.id, "", map(json.loads, stored.parts))
    notes = list(_noted(snapshot.job.id, message["parts"]))
    notes += [Note("user", "user", str(json.loads(text)["text"])) for text in snapshot.messages.values() if text]
    if not answer and notes and notes[-1].kind == "text":
        answer = notes[-1].text  # the text so far, or the last one before it failed
    notes = [note for note in notes if (note.kind, note.text) != ("text", answer)]
    by_itself = snapshot.job.is_operation or continues_of(task)
    files = (str(file.get("filename") or file.get("name") or file["mediaType"]) for file in task.get("files", ()))
    changing = (shown["status"], shown["updatedAt"], shown["waitingFor"], stored.first + len(stored.parts), valid)
    return Exchange(
        job=shown,
        stamp=" ".join(map(str, changing)),
        role="" if by_itself else str((task.get("chat") or {}).get("role") or "user"),
        question="" if by_itself else question_of(task),
        files=tuple(files),
        notes=tuple(notes[-MOST_NOTES:]),
        left_out=max(0, len(notes) - MOST_NOTES),
        answer=answer,
        valid=valid,
        asks=pending_of(snapshot, now_ms),
    )


def _noted(job_id: str, parts: Iterable[Part]) -> Iterable[Note]:
    """Convert the parts of an answer to notes; a repeated part of an approval or operation replaces the earlier one."""
    notes: dict[str, Note] = {}
    for number, part in enumerate(parts):
        try:
            note = _note(job_id, part)
        except (KeyError, TypeError, ValueError, AttributeError):  # of another version, in another shape
            continue
        if note is not None:
            data = part.get("data") or {}
            notes[str(part.get("id") or data.get("operationId") or data.get("callId") or number)] = note
    return notes.values()


def _note(job_id: str, part: Part) -> Note | None:
    kind, data = part["type"], part.get("data", {})
    match kind:
        case "text":
            return Note("text", text=part["text"]) if part["text"] else None
        case "data-message":
            return Note("user", str(data.get("role", "user")), data["text"])
        case "data-checkpoint":
            return Note(
                "mark", f"approval, {data['status']}", str(data["title"]), f"/console/approvals/{quote(data['id'])}"
            )
        case "data-operation":
            below = f"/console/jobs/{quote(data['jobId'])}" if data.get("jobId") else ""
            return Note("mark", f"{data.get('tool', 'operation')}, {data['status']}", "", below)
        case "data-memory":
            return Note("mark", "memory", f"{data['entries']} entries retrieved") if data["entries"] else None
        case _:
            return _tool_note(job_id, part) if kind.startswith("tool-") else None


def _tool_note(job_id: str, part: Part) -> Note:
    href = f"/console/jobs/{quote(job_id)}/calls/{quote(part['toolCallId'])}"
    text, failed = one_line(part["input"]), part["state"] == "output-error"
    if failed:
        text += f" → {one_line(part['errorText'])}"
    elif part["state"] == "output-available":
        text += f" → {one_line(part['output'])}"
    return Note("bad" if failed else "tool", part["type"].removeprefix("tool-"), text, href)


# The exchanges of one page; the rows counted of one session.
EXCHANGES, _COUNTED_ROWS = 20, 200


# A session's row. `cost_usd`: of the jobs that were read; `whole`: these are all of them; `more`: there are older ones.
Row = dict[str, Any]


async def show(visit: Visit) -> Response:
    """List the sessions whose newest job is on this page of jobs, the last used first.

    Those that nobody has named are no conversation: they are of one job, or of a handler's, and shown on request.
    """
    page = await _page(visit, {}, MOST_ROWS)
    groups: dict[tuple[str, str], list[Snapshot]] = {}
    everything = bool(visit.query("all"))
    for found in page.jobs:
        if not everything and "chat" not in found.task:
            continue
        groups.setdefault((found.job.tenant, found.job.session_id), []).append(found)
    rows = await _rows(visit, list(groups.values()), visit.now_ms)
    return visit.page("sessions.html", rows=rows, cursor=page.cursor, everything=everything)


async def _rows(visit: Visit, groups: list[list[Snapshot]], now_ms: int) -> list[Row]:
    """Build the rows of sessions whose newest job is on this page; a group is a session's jobs, newest first."""
    queries = [Query(jobs[0].job.tenant, jobs[0].job.session_id) for jobs in groups]
    scans = await asyncio.gather(*(visit.container.ports.listing.scan(one, "", _COUNTED_ROWS) for one in queries))
    oldest = await visit.container.ports.reader.jobs([scan.found[-1].job_id for scan in scans if scan.found])
    return [
        _row(visit, jobs, scan, oldest, now_ms)
        for jobs, scan in zip(groups, scans, strict=True)
        if not scan.found or scan.found[0].created_ms <= jobs[0].job.created_at_ms  # else it is on a page before
    ]


def _row(visit: Visit, jobs: list[Snapshot], scan: Scanned, oldest: dict[str, Snapshot], now_ms: int) -> Row:
    exchanges = [one for one in jobs if not one.job.is_operation] or jobs
    first = oldest.get(scan.found[-1].job_id, exchanges[-1]) if scan.found else exchanges[-1]
    live = [job_row(one, now_ms)["status"] for one in jobs if not one.job.ended]
    count, error = max(len(scan.found), len(jobs)), exchanges[0].job.error
    return {
        "id": exchanges[0].job.session_id,
        "tenant": exchanges[0].job.tenant,
        "agent": exchanges[0].job.agent,
        "first": question_of(first.task),
        "last": answer_of(exchanges[0]) or (error.words if error else question_of(exchanges[0].task)),
        "status": live[-1] if live else exchanges[0].job.status,
        "used_ms": jobs[0].job.created_at_ms,
        "jobs": count,
        "more": bool(scan.next),
        "cost_usd": sum(job_cost(one.usage, one.job.used, visit.container.settings.prices)["totalUsd"] for one in jobs),
        "whole": len(jobs) == count and not scan.next,
    }


async def one(visit: Visit) -> Response:
    session_id, tenant = visit.request.path_params["session_id"], visit.query("tenant")
    page = await _page(visit, {"sessionId": session_id} | ({"tenant": tenant} if tenant else {}), EXCHANGES)
    jobs, cursor = page.jobs[::-1], visit.query("cursor")
    replaced = replaced_in(cursor) if cursor else ""
    elsewhere = await replaced_elsewhere(visit.container, jobs, replaced)
    current, before = valid_of_page(jobs, elsewhere, replaced)
    valid = {one.job.id for one in current}
    parts = await asyncio.gather(*(visit.container.ports.reader.parts(one.job.id, 0, one.job) for one in jobs))
    exchanges = conversation(jobs, valid, parts, visit.container.settings.prices, visit.now_ms)
    return visit.page(
        "session.html",
        session_id=session_id,
        tenant=tenant,
        exchanges=exchanges,
        cost_usd=sum(one.job["cost_usd"] for one in exchanges),
        before=cursor,
        cursor=continued(page, before).cursor,
        live=any(not one.job.ended for one in jobs),
    )


async def cancel(visit: Visit) -> Response:
    session_id, tenant = visit.request.path_params["session_id"], field(visit.form, "tenant")
    stopped = await stop_all(visit.context, tenant, session_id, visit.principal.name)
    cancelled = sum(job.status is JobStatus.CANCELLED for job in stopped)
    query = urlencode({"tenant": tenant})
    return visit.go(f"/console/sessions/{quote(session_id, safe='')}?{query}", f"{cancelled} jobs are cancelled.")


async def _page(visit: Visit, given: dict[str, str], limit: int) -> JobPage:
    cursor = {"cursor": visit.query("cursor")} if visit.query("cursor") else {}
    query = read_page_query(QueryParams({**given, **cursor, "limit": str(limit)}))
    return await page_of_jobs(visit.container, visit.principal, query)
