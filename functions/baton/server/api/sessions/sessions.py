"""Sessions over HTTP: read the conversation, stop its jobs, delete it, forget its memory (CONTRACT, Streams and chat).

A session is the id in the path, of one tenant.
"""

import asyncio
import json
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.engine.all_jobs.job_list import Query, cursor_of, position_from, position_of, replaced_in
from baton.engine.background_calls import OPERATION
from baton.engine.state import Job
from baton.engine.transitions import END_STATUSES, JobStatus
from baton.server.api.auth import Principal
from baton.server.api.jobs.context import Context
from baton.server.api.jobs.listing import READ_AT_ONCE, JobPage, job_list
from baton.server.api.jobs.query import MOST_ROWS, USUAL_ROWS, checked_cursor
from baton.server.api.problem import ApiError, Code, parsed_query
from baton.server.api.session_line import Sessions
from baton.server.api.sessions.ui_message import Asked, assistant_message, file_parts, user_message
from baton.settings.limits import PAGE_BYTES, SESSION_LIMIT_CHARS
from baton.store.records.jobs import Snapshot
from baton.worker.commands.audience import Audience
from baton.worker.container import Container
from baton.worker.conversation.exchanges import replaced_by, valid_of_page
from baton.worker.runtime.job_view import continues_of
from baton.worker.runtime.usage_view import session_usage
from baton_events.errors import JobGoneError
from baton_events.ids import job_of_call, sorted_json, started_by
from baton_events.timestamps import rfc3339


class SessionQuery(BaseModel):
    """The jobs of a session to show: the newest ones, or those before a page's `cursor`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: Annotated[int, Field(ge=1, le=MOST_ROWS)] = USUAL_ROWS
    cursor: Annotated[str, AfterValidator(checked_cursor)] | None = None
    tenant: str | None = None


def session_of(request: Request, principal: Principal) -> tuple[str, str]:
    """Return (tenant, session id); an admin names the tenant with `?tenant=`.

    Raises ApiError: 403, a client key names another tenant. 404, no session has such an id.
    """
    session_id: str = request.path_params["session_id"]
    tenant = request.query_params.get("tenant", principal.tenant)
    if not principal.may_see(tenant):
        raise ApiError(403, f"the sessions of tenant {tenant!r} belong to another tenant")
    if not 1 <= len(session_id) <= SESSION_LIMIT_CHARS:
        detail = f"a session's id has 1 to {SESSION_LIMIT_CHARS} characters, not {len(session_id)}"
        raise ApiError(404, detail, code=Code.SESSION_NOT_FOUND)
    return tenant, session_id


async def forget_memory(context: Context, request: Request) -> Response:
    """Delete a session's memory and answer 200 with the number of entries; repeatable, also for an unknown id.

    Raises ApiError: 403, a client key names another tenant with `?tenant=`. StoreError, MemoryUnavailableError: 503, a
    part may be deleted already: repeat the request.
    """
    tenant, session_id = session_of(request, await context.keys.authenticate(request))
    now_ms = context.container.ports.clock.now_ms()
    forgotten = await context.container.memory.forget(tenant, session_id, now_ms)
    counts = {"session": forgotten.session, "longTerm": forgotten.long_term}
    return JSONResponse({"sessionId": session_id, "forgotten": counts})


_PAGE_JOBS = 100
_STOP_SECONDS, _PAUSE_SECONDS = 5.0, 0.1
# Further fields of the answer to a cancellation; clients know these names.
NOTHING_RUNS, NOT_CONFIRMED = "no_active_task", "cancel_published_not_confirmed"


async def show_session(context: Context, request: Request) -> Response:
    """Answer `GET /api/sessions/{id}` with 200: its messages in order, and its activity."""
    principal = await context.keys.authenticate(request)
    tenant, session_id = session_of(request, principal)
    audience = principal.audience(context.container.settings)
    query = parsed_query(SessionQuery, request.query_params)
    page = await _page(context, tenant, session_id, query.limit, query.cursor or "")
    line = await Sessions(context.container).line(tenant, session_id)
    active = line[0].job.id if line else ""
    replaced = replaced_in(query.cursor) if query.cursor else ""
    page, jobs, messages = await _messages(context, audience, page, replaced, active)
    view: dict[str, Any] = {
        "id": session_id,
        "messages": messages,
        "activeStream": await _active(context, active) if active else None,
        "activeOperations": [_operation(job) for job in reversed(page.jobs) if _is_open(job)],
        "lastEventId": None if query.cursor else place_after(page.jobs),
        "queued": [each for job in jobs if not job.job.ended and job.job.id != active for each in question_in(job)],
    }
    usage = {"usage": session_usage(page.jobs, context.container.settings.prices)} if audience.is_operator else {}
    return JSONResponse(view | usage | ({"cursor": page.cursor} if page.cursor else {}))


async def cancel_session(context: Context, request: Request) -> Response:
    """Answer `POST …/cancel` with 200 once the running job and those in line have stopped, or after 5 s."""
    principal = await context.keys.authenticate(request)
    tenant, session_id = session_of(request, principal)
    stopped = await stop_all(context, tenant, session_id, principal.name)
    if not stopped:
        await must_exist(context, tenant, session_id)
        return JSONResponse({"cancelled": False, "jobId": None, "reason": NOTHING_RUNS})
    cancelled = [job.id for job in stopped if job.status is JobStatus.CANCELLED]
    reason = None if await _have_stopped(context, cancelled) else NOT_CONFIRMED
    return JSONResponse(
        {
            "cancelled": bool(cancelled),
            "jobId": cancelled[0] if cancelled else None,
            "reason": reason if cancelled else NOTHING_RUNS,
            "cancelledJobs": cancelled,
        }
    )


async def stop_all(context: Context, tenant: str, session_id: str, by: str) -> list[Job]:
    """Cancel the running job, those in line and what goes on in the background; return them as they are now."""
    line = [snapshot.job for snapshot in await Sessions(context.container).line(tenant, session_id)]
    line += await _operations(context, tenant, session_id)
    return await Sessions(context.container).stop(line, by)


async def delete_session(context: Context, request: Request) -> Response:
    """Answer `DELETE /api/sessions/{id}` with 204: all that it has is deleted; 409 while a job runs.

    What it has outlives its jobs: each of these makes it known, and a request that was cut off is repeated.
    """
    tenant, session_id = session_of(request, await context.keys.authenticate(request))
    ports, cursor, found = context.container.ports, "", await context.container.ports.chats.is_known(tenant, session_id)
    while True:
        page = await _jobs(context, tenant, session_id, _PAGE_JOBS, cursor)
        found = found or bool(page.jobs)
        live = [job.job.id for job in page.jobs if not job.job.ended]
        if live:
            raise ApiError(409, f"job {live[0]!r} of session {session_id!r} has not ended: cancel it first")
        for snapshot in page.jobs:
            await _remove(context, snapshot)
        cursor = page.cursor
        if not cursor:
            break
    forgotten = await context.container.memory.forget(tenant, session_id, ports.clock.now_ms())
    await ports.chats.forget_chat(tenant, session_id, context.container.commands.quota.given_back)
    if not (found or forgotten.session or forgotten.long_term):
        raise _unknown(session_id)
    return Response(status_code=204)


async def must_exist(context: Context, tenant: str, session_id: str) -> None:
    """Check that a session has a job or a file, or was created. Raises ApiError: 404."""
    await _page(context, tenant, session_id, 1, "")


async def _remove(context: Context, snapshot: Snapshot) -> None:
    try:
        refused = (await context.container.commands.delete(snapshot.job)).refused
    except JobGoneError:
        return  # another request has deleted it
    if refused:
        raise ApiError(409, refused)


async def _operations(context: Context, tenant: str, session_id: str) -> list[Job]:
    """Return the session's open operations, the newest first; jobs that have ended are not read."""
    live = frozenset(JobStatus) - END_STATUSES
    query, cursor, found = Query(tenant=tenant, session_id=session_id, statuses=live), "", list[Job]()
    while True:
        page = await job_list(context.container).page(query, _PAGE_JOBS, cursor, context.container.ports.clock.now_ms())
        found += [snapshot.job for snapshot in page.jobs if _is_open(snapshot)]
        if not (cursor := page.cursor):
            return found


async def _jobs(context: Context, tenant: str, session_id: str, limit: int, cursor: str) -> JobPage:
    query = Query(tenant=tenant, session_id=session_id)
    return await job_list(context.container).page(query, limit, cursor, context.container.ports.clock.now_ms())


async def _page(context: Context, tenant: str, session_id: str, limit: int, cursor: str) -> JobPage:
    page = await _jobs(context, tenant, session_id, limit, cursor)
    if page.jobs or page.cursor or cursor or await context.container.ports.chats.is_known(tenant, session_id):
        return page
    raise _unknown(session_id)


def _unknown(session_id: str) -> ApiError:
    return ApiError(404, f"there is no session {session_id!r}", code=Code.SESSION_NOT_FOUND)


async def _messages(
    context: Context, audience: Audience, page: JobPage, replaced: str, active: str
) -> tuple[JobPage, list[Snapshot], list[dict[str, Any]]]:
    """Return the page as far as its messages go on one, the jobs that have them, and the messages in order."""
    elsewhere = await replaced_elsewhere(context.container, page.jobs, replaced)
    valid, before = valid_of_page(page.jobs[::-1], elsewhere, replaced)
    jobs = valid[::-1]
    exchanges, size_bytes = list[list[dict[str, Any]]](), 0
    while len(exchanges) < len(jobs) and size_bytes <= PAGE_BYTES:
        chunk = jobs[len(exchanges) : len(exchanges) + READ_AT_ONCE]
        for exchange in await asyncio.gather(*(_exchange(context, audience, job, active) for job in chunk)):
            size_bytes += len(sorted_json(exchange))
            if exchanges and size_bytes > PAGE_BYTES:
                break
            exchanges.append(exchange)
    messages = [message for exchange in reversed(exchanges) for message in exchange]
    over = {one.job.id for one in page.jobs if one.job.is_operation and one.job.status is JobStatus.CANCELLED}
    for part in (part for message in messages for part in message["parts"] if part["type"] == "data-operation"):
        if part["data"].get("jobId") in over:
            part["data"] |= {"status": str(JobStatus.CANCELLED)}
    if len(exchanges) == len(jobs):
        return continued(page, before), valid, messages
    last, jobs = jobs[len(exchanges) - 1].job, jobs[: len(exchanges)]
    position = position_of(last.created_at_ms, last.id)
    kept = tuple(each for each in page.jobs if position_of(each.job.created_at_ms, each.job.id) >= position)
    _, before = valid_of_page(kept[::-1], elsewhere | {one.job.id: one for one in page.jobs}, replaced)
    return JobPage(kept, cursor_of(position, before)), jobs[::-1], messages


async def replaced_elsewhere(container: Container, page: Sequence[Snapshot], replaced: str) -> dict[str, Snapshot]:
    """Read what messages of this page, and of newer ones, have replaced and is not on the page."""
    here = {(one.job.tenant, one.job.session_id) for one in page}
    missing = {replaced, *(replaced_by(one.task) for one in page)} - {"", *(one.job.id for one in page)}
    found = await container.ports.reader.jobs(sorted(missing)) if missing and page else {}
    return {job_id: one for job_id, one in found.items() if (one.job.tenant, one.job.session_id) in here}


def continued(page: JobPage, replaced: str) -> JobPage:
    """Return the page with a cursor that says up to which job all on the next pages is replaced."""
    return JobPage(page.jobs, cursor_of(position_from(page.cursor), replaced)) if page.cursor else page


async def _exchange(context: Context, audience: Audience, snapshot: Snapshot, active: str) -> list[dict[str, Any]]:
    """Return question and answer; of the running job the question alone, since its stream has the answer."""
    job = snapshot.job
    if not job.ended:
        return question_in(snapshot) if job.id == active else []
    stored = await context.container.ports.reader.parts(job.id, 0)
    unread = [json.loads(text) for text in snapshot.messages.values() if text]
    questions = [user_message(one["messageId"], one["text"], {"jobId": job.id}) for one in unread]
    answer = (job.result or {}).get("answer", "") if stored.first > 1 else ""
    parts = [mine for part in stored.parts if (mine := audience.shown_part(job.id, part))]
    asked = Asked()
    shown = (each for part in parts for each in asked.with_questions(json.loads(part)))
    return [*question_in(snapshot), assistant_message(job.id, job.status, shown, answer), *questions]


async def _active(context: Context, job_id: str) -> dict[str, Any]:
    """Return how to follow the running job: from its beginning, since its answer is left out."""
    found: dict[str, Any] = {"jobId": job_id, "lastMessageId": "0-0", "operationId": None, "toolName": None}
    snapshot = await context.container.ports.reader.job(job_id)
    for call in snapshot.calls if snapshot else ():
        if call.finished_at_ms is None:
            found |= {"operationId": call.operation_id or None, "toolName": call.tool}
    return found


async def _have_stopped(context: Context, job_ids: list[str]) -> bool:
    """Wait until a read shows that the jobs have stopped, so that the next read of the session agrees."""
    for _ in range(int(_STOP_SECONDS / _PAUSE_SECONDS)):
        found = await context.container.ports.reader.jobs(job_ids)
        if all(snapshot.job.ended for snapshot in found.values()):
            return True
        await asyncio.sleep(_PAUSE_SECONDS)
    return False


def question_in(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return the user's message; empty for a job by which the session continues by itself."""
    job, chat = snapshot.job, snapshot.task.get("chat") or {}
    if continues_of(snapshot.task):
        return []
    metadata = {"jobId": job.id, "createdAt": rfc3339(job.created_at_ms)}
    message = user_message(chat.get("messageId") or f"{job.id}-user", str(snapshot.task.get("text") or ""), metadata)
    if files := snapshot.task.get("files"):
        message["parts"] = [*file_parts(job.session_id, files), *message["parts"]]  # in AI SDK's order
    return [message | ({"role": chat["role"]} if "role" in chat else {})]


def place_after(jobs: Sequence[Snapshot]) -> str:
    """Return where the session's stream goes on behind a page: with all parts of its jobs that have not ended."""
    newest = max((position_of(each.job.created_at_ms, each.job.id) for each in jobs), default=position_of(0, ""))
    return ";".join([newest, *(f"{each.job.id}=0" for each in jobs if not each.job.ended)])


def _is_open(snapshot: Snapshot) -> bool:
    return snapshot.job.is_operation and not snapshot.job.ended


def _operation(snapshot: Snapshot) -> dict[str, Any]:
    """Return an open operation: `jobId` is the job that started it, `operationJobId` the one that is this call."""
    job_id = snapshot.job.id
    return {**snapshot.task[OPERATION], "jobId": job_of_call(started_by(job_id)[0]), "operationJobId": job_id}
