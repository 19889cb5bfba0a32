"""`/api/agent-jobs/{id}`: submit, read, change, cancel, retry and delete a job.

A job that the store does not have never existed (404), or its data was removed (410).
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.engine.commit.answers import Created
from baton.engine.effects import PAYLOADS_UNREADABLE
from baton.engine.job_retry import EndedJob, why_not
from baton.engine.state import Job
from baton.engine.transitions import JobStatus
from baton.engine.work_items import loop_item
from baton.sdk.agents.runner import run_messages
from baton.server.api.auth import Keys, Principal
from baton.server.api.jobs.query import JobQuery
from baton.server.api.jobs.result import with_results
from baton.server.api.jobs.submission import SubmitBody, is_same_request, new_job
from baton.server.api.problem import ApiError, Code, limited_body, parsed, parsed_query
from baton.server.api.session_line import Sessions, WhenBusy
from baton.settings.settings import Settings
from baton.store.records.jobs import Snapshot
from baton.store.redis.archive import Archive
from baton.store.redis.totals import count
from baton.worker.commands.kept_files import KeptFiles
from baton.worker.commands.once import holder_of
from baton.worker.container import Container
from baton.worker.recovery.undelivered import with_failing_delivery
from baton.worker.runtime.job_view import job_view
from baton.worker.runtime.usage_view import step_usage
from baton_events.errors import JobGoneError, StoreError, UnreadablePayloadError
from baton_events.ids import is_child, job_id_from_key, random_job_id, root_of
from baton_events.setting import is_loopback


class ChangeBody(BaseModel):
    """A client's request. `from`: where a retry begins. `force`: end a workflow at once, before it has cleaned up.

    Without `force` a second cancel does so; with false none does.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    action: Literal["cancel", "retry"]
    begin: Annotated[Literal["failure", "start"] | None, Field(alias="from")] = None
    force: Annotated[bool, Field(strict=True)] | None = None

    @model_validator(mode="after")
    def _only_of_its_action(self) -> "ChangeBody":
        if self.begin and self.action != "retry":
            raise ValueError(f"`from` belongs to a retry, not to {self.action!r}")
        if self.force is not None and self.action != "cancel":
            raise ValueError(f"`force` belongs to a cancel, not to {self.action!r}")
        return self


async def no_job(archive: Archive, principal: Principal, job_id: str) -> ApiError:
    kept = await archive.tombstone(job_id)
    if kept is None:
        return ApiError(404, f"there is no job {job_id!r}", code=Code.TASK_NOT_FOUND)
    if not principal.may_see(kept.tenant):
        return ApiError(403, f"job {job_id!r} belongs to another tenant")
    why = "was deleted" if kept.deleted else "has expired (JOB_RETENTION_SECONDS after its end)"
    return ApiError(410, f"the data of job {job_id!r} {why}")


def callback_fault(url: str, settings: Settings) -> str:
    """Return why no callback can be sent to the address; empty if it can, or if none is wanted."""
    if url and not settings.callback_key:
        return "no callback can be signed here: set CALLBACK_SECRET, or leave callbackUrl out"
    if is_loopback(url) and not is_loopback(settings.worker_base_url):
        return f"{url[:80]!r} leads to the machine of this deployment: name a public address"
    return ""


_KEY_LIMIT_CHARS = 255


class JobsApi:
    def __init__(self, container: Container, keys: Keys) -> None:
        self._container, self._keys = container, keys
        self._sessions = Sessions(container)

    async def submit(self, request: Request) -> Response:
        """Answer `POST /api/agent-jobs` with 202 and the job, or with 202 `{"jobId"}` where a running job gets it."""
        principal = await self._keys.authenticate(request)
        body = parsed(SubmitBody, await limited_body(request))
        return JSONResponse(await self.accept(principal, body, idempotency_key_of(request)), 202)

    async def accept(self, principal: Principal, body: SubmitBody, idempotency_key: str) -> dict[str, Any]:
        """Accept a submission; return the job as JSON, or `jobId` of the running one that gets it.

        Raises ApiError: 422, another body was sent under this Idempotency-Key before. SessionBusyError: it was to be
        refused while its session is busy.
        """
        if fault := callback_fault(body.callback_url or "", self._container.settings):
            raise ApiError(422, fault, [("callbackUrl", fault)])
        job_id, session_id, now_ms = new_ids(self._container, principal, idempotency_key)
        ids = {"job_id": job_id, "session_id": session_id, "tenant": principal.tenant}
        job, task = new_job(body, self._container, **ids, now_ms=now_ms), body.task
        if body.once is not None:
            return await self._once(principal, job, task, body, idempotency_key)
        if body.when_busy == "steer" and (taker := await self._sessions.steer(job, task)) is not None:
            return {"jobId": taker.id}
        return await self.submitted(principal, job, task, idempotency_key, body.when_busy)

    async def _once(
        self, principal: Principal, job: Job, task: dict[str, Any], body: SubmitBody, idempotency_key: str
    ) -> dict[str, Any]:
        """Return the job that has the body's key as JSON; it is submitted unless it is there, whatever its body was."""
        if idempotency_key or body.when_busy == "steer":
            other = "Idempotency-Key" if idempotency_key else 'whenBusy "steer"'
            detail = f"onceFor decides which job this is, and cannot go with {other}: leave one of them out"
            raise ApiError(422, detail, [("onceFor", detail)])
        assert body.once is not None, "the caller has looked"
        records, now_ms = self._container.ports.app_events, self._container.ports.clock.now_ms()
        job, there = await holder_of(records, self._container.commands.submit, job, body.once, now_ms)
        accepted = None if there else await self._sessions.submit(job, task, body.when_busy, may_exist=True)
        known = accepted.job if accepted is not None else job
        if accepted is None or not accepted.new:
            return await self._submitted_before(principal, known, "")
        return self._view(accepted, task)

    async def submitted(
        self,
        principal: Principal,
        job: Job,
        task: dict[str, Any],
        idempotency_key: str,
        when_busy: WhenBusy = "queue",
        attached: KeptFiles | None = None,
    ) -> dict[str, Any]:
        """Submit a new job with what is stored with it, or find it; return it as JSON.

        Raises ApiError: 422, another body was sent under this Idempotency-Key before. SessionBusyError: it was to be
        refused while its session is busy.
        """
        accepted = await self._sessions.submit(job, task, when_busy, may_exist=bool(idempotency_key), attached=attached)
        if not accepted.new:
            return await self._submitted_before(principal, job, idempotency_key)
        return self._view(accepted, task)

    def _view(self, accepted: Created, task: dict[str, Any]) -> dict[str, Any]:
        job = accepted.job
        first = loop_item(job.id, job.turn, 1, job.created_at_ms, job.start_at_ms)
        return job_view(
            Snapshot(job, task, (first,), accepted.slot_state), job.created_at_ms, self._container.settings.prices
        )

    async def _submitted_before(self, principal: Principal, job: Job, idempotency_key: str) -> dict[str, Any]:
        snapshot = await self._container.ports.reader.job(job.id)
        if snapshot is None:
            # A read may be older than the job just found: no 404, which would mean that the submission was refused.
            raise StoreError(f"job {job.id!r} exists, and reads do not show it yet: send the request again")
        if not principal.may_see(snapshot.job.tenant):
            raise ApiError(403, f"job {job.id!r} belongs to another tenant")
        if not is_same_request(snapshot.job, job):
            detail = f"another body was sent under Idempotency-Key {idempotency_key!r} before: use a new key"
            raise ApiError(422, detail)
        return self._shown(principal, snapshot)

    def _shown(self, principal: Principal, snapshot: Snapshot) -> dict[str, Any]:
        now_ms, prices = self._container.ports.clock.now_ms(), self._container.settings.prices
        return job_view(snapshot, now_ms, prices, for_operator=principal.role == "admin")

    async def read(self, request: Request) -> Response:
        """Answer `GET /api/agent-jobs/{id}` with 200 and the job, with `?steps=true` also the usage of each step."""
        principal = await self._keys.authenticate(request)
        job_id, prices = request.path_params["job_id"], self._container.settings.prices
        query = parsed_query(JobQuery, request.query_params)
        # Before the job, so that its usage ledger covers all parts.
        parts = (await self._container.ports.reader.parts(job_id, 0)).parts if query.steps else ()
        snapshot = await self.snapshot(principal, job_id, delivery=True, partly=True)
        steps = step_usage(snapshot, parts, prices) if query.steps else {}
        return JSONResponse(self._shown(principal, snapshot) | steps)

    async def model_messages(self, request: Request) -> Response:
        """Answer `GET …/model-messages` with 200 `{"messages"}`; 404 for a job whose agent is of no library."""
        principal = await self._keys.authenticate(request)
        found = await self.snapshot(principal, request.path_params["job_id"])
        snapshot = await with_results(self._container, found)
        entries = await self._container.ports.reader.transcript(snapshot.job.id)
        job, registry = snapshot.job, self._container.registry
        runner = next((agent.runner for agent in registry.agents if agent.name == job.agent), None)
        messages = run_messages(runner, job.first_turn, entries, snapshot.results)
        if messages is None:
            raise ApiError(404, f"job {job.id!r} has no messages of a library (agent {job.agent!r})")
        return JSONResponse(self._container.secrets.hide_in({"messages": messages}))

    async def change(self, request: Request) -> Response:
        """Answer `PATCH /api/agent-jobs/{id}` with 200 and the job; 409 where its state does not allow the change."""
        principal = await self._keys.authenticate(request)
        body = parsed(ChangeBody, await limited_body(request))
        return JSONResponse(await self.changed(principal, request.path_params["job_id"], body))

    async def changed(self, principal: Principal, job_id: str, body: ChangeBody) -> dict[str, Any]:
        """Change a job; return it as JSON. Raises ApiError: 404, 403, 410; 409 where its state does not allow it."""
        job = (await self.snapshot(principal, job_id, partly=True)).job
        by = principal.name
        if body.action == "retry":
            await self._retry(job, by, from_start=body.begin == "start")
        else:
            await self._cancel(job, by, force=body.force)
        return self._shown(principal, await self.snapshot(principal, job_id, partly=True))

    async def _cancel(self, job: Job, by: str, *, force: bool | None) -> None:
        if job.ended and job.status is not JobStatus.CANCELLED:
            raise ApiError(409, f"job {job.id!r} is {job.status}: only a job that has not ended can be cancelled")
        result = await self._container.commands.cancel(job, by, force=force)
        if result.job.status is not JobStatus.CANCELLED and (result.job.ended or result.job.cancelling is None):
            raise ApiError(409, f"job {job.id!r} is {result.job.status} by now")

    async def _retry(self, job: Job, by: str, *, from_start: bool) -> None:
        # The retry itself checks whether the job's calls can run again; the rest needs no backup message.
        refused = why_not(EndedJob(job), from_start=from_start)
        if not refused:
            refused = (await self._container.commands.retry(job, by, from_start=from_start)).refused
        if refused:
            raise ApiError(409, refused)

    async def delete(self, request: Request) -> Response:
        """Answer `DELETE /api/agent-jobs/{id}` with 204; 409 for a job that has not ended."""
        principal = await self._keys.authenticate(request)
        await self.remove(principal, request.path_params["job_id"])
        return Response(status_code=204)

    async def remove(self, principal: Principal, job_id: str) -> None:
        """Delete an ended job's data, and that of the jobs below it.

        Raises ApiError: 404, 403, 410; 409 for a job that has not ended, and for one below another.
        """
        job = (await self.snapshot(principal, job_id, partly=True)).job
        if is_child(job.id):
            raise ApiError(409, f"job {job.id!r} belongs to job {root_of(job.id)!r}: delete that one")
        if not job.ended:
            raise ApiError(409, f"job {job.id!r} is {job.status}: cancel it first")
        try:
            refused = (await self._container.commands.delete(job)).refused
        except JobGoneError:
            refused = ""  # another request has deleted it
        if refused:
            raise ApiError(409, refused)

    async def snapshot(
        self, principal: Principal, job_id: str, *, delivery: bool = False, partly: bool = False
    ) -> Snapshot:
        """Read all of a job that the caller may see. `delivery`: add the failing delivery of a job that is late.

        `partly`: also where some of its texts cannot be opened.

        Raises ApiError: 404 unknown, 403 another tenant's, 410 its data was removed. UnreadablePayloadError: 409.
        """
        snapshot = await self._container.ports.reader.job(job_id, partly=True)
        if snapshot is not None and snapshot.unreadable:
            await count(self._container.ports.counters, {PAYLOADS_UNREADABLE: 1})
            if not partly:
                raise UnreadablePayloadError(snapshot.unreadable[0])
        if snapshot is None:
            raise await no_job(self._container.ports.archive, principal, job_id)
        if not principal.may_see(snapshot.job.tenant):
            raise ApiError(403, f"job {job_id!r} belongs to another tenant")
        ports = self._container.ports
        return (
            await with_failing_delivery(snapshot, ports.queue_records, ports.clock.now_ms()) if delivery else snapshot
        )


def new_ids(container: Container, principal: Principal, idempotency_key: str) -> tuple[str, str, int]:
    """Return the id of a new job, a session of its own, and the time."""
    now_ms, token = container.ports.clock.now_ms(), container.ports.randomness.token()
    job_id = job_id_from_key(principal.tenant, idempotency_key) if idempotency_key else random_job_id(token)
    session_id = f"session_{token if not idempotency_key else job_id.removeprefix('job_')}"
    return job_id, session_id, now_ms


def idempotency_key_of(request: Request) -> str:
    """Return the key by which a repeated request is recognised; empty if it has none.

    Raises ApiError: 422, it is too long.
    """
    key = request.headers.get("idempotency-key", "").strip()
    if len(key) > _KEY_LIMIT_CHARS:
        raise ApiError(422, f"Idempotency-Key has {len(key)} characters; at most {_KEY_LIMIT_CHARS}")
    return key
