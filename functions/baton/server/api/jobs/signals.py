"""Signals from outside: events that jobs wait for, and outcomes of operations that finish a waiting tool call.

`POST /api/agent-jobs/{id}/events` takes an event (CONTRACT, Jobs), `/api/operations` an outcome (CONTRACT,
Operations). A tenant has a quota of events that no job waits for: each is kept with its job, which reads it with every
step. Invariant: an event that a job waits for is never refused, and costs no quota. Another one costs one command
before it is accepted, and three after.
"""

import logging
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.engine.commit.answers import SignalResult
from baton.engine.work_items import ItemKind
from baton.sdk.records.any_json import AnyJson
from baton.server.api.auth import too_many
from baton.server.api.jobs.context import Context
from baton.server.api.problem import ApiError, Code, limited_body, parsed
from baton.store.records.jobs import Snapshot
from baton.worker.commands.completion_body import CompletionBody
from baton.worker.commands.signal import UnknownOperationError, occurrence
from baton.worker.container import Container
from baton.worker.executors.continuing import completed
from baton.worker.runtime.job_view import call_view
from baton_events.errors import StoreError
from baton_events.ids import sorted_json

_log = logging.getLogger("baton.api")

# A tenant whose jobs still keep as many events as at the last read is refused this long before the next read.
_READS_AGAIN_MS = 10_000


class KeptQuota:
    """Holds tenants to a number of kept events."""

    def __init__(self, container: Container) -> None:
        self._kept, self._clock = container.ports.kept_events, container.ports.clock
        self._stored, self._limit = container.commands.quota, container.settings.events_kept_per_tenant
        self._full: dict[str, int] = {}

    async def check(self, snapshot: Snapshot, name: str, data: Any) -> None:
        """Check that a job may keep one more event of that name; an event that a wait takes is always allowed.

        Raises ApiError: 429, its tenant has as many as it may. StorageFullError: as many bytes. StoreError: no answer.
        """
        tenant, now_ms = snapshot.job.tenant, self._clock.now_ms()
        if is_awaited(snapshot, name):
            return
        await self._stored.check(tenant, 2 * len(sorted_json(data)))  # its wait copies it
        if self._kept is None or not self._limit:
            return
        if (count := await self._kept.count(tenant)) < self._limit:
            return
        if self._full.get(tenant, 0) <= now_ms:
            if (count := await self._kept.recount(tenant)) < self._limit:
                return
            self._full = {other: until_ms for other, until_ms in self._full.items() if until_ms > now_ms}
            self._full[tenant] = now_ms + _READS_AGAIN_MS
        detail = (
            f"tenant {tenant!r} has {count} events that no job waits for, and it may have"
            f" {self._limit}; they are given back when a job takes them, ends or is deleted"
        )
        raise too_many(detail, (self._full[tenant] - now_ms) / 1000)

    async def increment(self, snapshot: Snapshot, name: str) -> None:
        """Count an accepted event. The event stays, so a store that does not answer now is no error of it."""
        if self._kept is None or not self._limit or is_awaited(snapshot, name):
            return
        try:
            await self._kept.add(snapshot.job.tenant, snapshot.job.id)
        except StoreError as error:
            _log.warning("an event of job %s is kept and not counted: %s", snapshot.job.id, error)


def is_awaited(snapshot: Snapshot, name: str) -> bool:
    return any(item.kind is ItemKind.WAIT and item.event == name for item in snapshot.items)


class EventBody(BaseModel):
    """An event for a job; `data` is any JSON value."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=200)]
    data: AnyJson = None


async def post_event(context: Context, quota: KeptQuota, request: Request) -> Response:
    """Accept an event: 202; 409 for a job that has ended, 429 where its tenant's quota is used up."""
    principal = await context.keys.authenticate(request)
    body = parsed(EventBody, await limited_body(request))
    snapshot = await context.jobs.snapshot(principal, request.path_params["job_id"])
    job = snapshot.job
    signal_result = SignalResult.ENDED
    if not job.ended:
        sent = occurrence(job, body.name, context.container.secrets.hide_in(body.data))
        await quota.check(snapshot, body.name, sent.data)
        signal_result = await context.container.commands.signal(job, sent)
    if signal_result.is_new:
        await quota.increment(snapshot, body.name)
    if signal_result is SignalResult.ENDED:
        raise ApiError(409, f"job {job.id!r} has ended: nothing waits for event {body.name!r}")
    return JSONResponse({"jobId": job.id, "name": body.name}, 202)


async def complete_operation(context: Context, request: Request) -> Response:
    """Answer `POST /api/operations/{id}/complete` with 200, also when repeated; `applied`: this outcome counts."""
    operation_id, body = request.path_params["operation_id"], parsed(CompletionBody, await limited_body(request))
    try:
        signal_result = await completed(context.container, operation_id, body)
    except UnknownOperationError as error:
        raise ApiError(404, str(error), code=Code.OPERATION_NOT_FOUND) from error
    return JSONResponse({"operationId": operation_id, "applied": signal_result.counts, "why": _WHY[signal_result]})


async def show_operation(context: Context, request: Request) -> Response:
    """Answer `GET /api/operations/{id}` with 200 and the tool call that waits for it."""
    try:
        snapshot, call_id = await context.container.operations.completing.find(request.path_params["operation_id"])
    except UnknownOperationError as error:
        raise ApiError(404, str(error), code=Code.OPERATION_NOT_FOUND) from error
    call = next(call for call in snapshot.calls if call.id == call_id)
    view = call_view(call, snapshot, context.container.ports.clock.now_ms())
    return JSONResponse({"operationId": request.path_params["operation_id"], "jobId": snapshot.job.id, **view})


_WHY = {
    SignalResult.FIRST: "recorded",
    SignalResult.EARLY: "recorded",
    SignalResult.AGAIN: "recorded before",
    SignalResult.OTHER: "another outcome was recorded before, and stays",
    SignalResult.ENDED: "the job has ended",
}
