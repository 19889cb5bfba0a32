"""Schedules over HTTP: jobs that recur by a cron expression (CONTRACT, Jobs).

They are kept by the queue alone, so there is nothing that could disagree with what it does.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.api.auth import Keys, Principal
from baton.api.json_body import limited_body, parsed
from baton.api.problem import ApiError
from baton.api.schedule_body import PREFIX, PauseBody, ScheduleBody, recurrence_in, schedule_view
from baton.api.submit_body import SubmitBody, new_job
from baton.commands.recurring import recurrence
from baton.container import Container
from baton.ports import QueueSchedule
from baton_events.errors import QueueRefusedError
from baton_events.ids import digest
from baton_events.schema import Recurrence

BODY_LIMIT_BYTES = 100_000  # it is sent with each message


class SchedulesApi:
    """Endpoints of schedules."""

    def __init__(self, container: Container, keys: Keys) -> None:
        self._container = container
        self._keys = keys
        self._schedules = container.ports.schedules

    async def create(self, request: Request) -> Response:
        """`POST /api/agent-schedules` → 201 and the schedule."""
        principal = await self._keys.authenticate(request)
        body = parsed(ScheduleBody, await limited_body(request, BODY_LIMIT_BYTES), explains=True)
        made = await self.made(principal, body, request.headers.get("idempotency-key", ""))
        return JSONResponse(made, 201)

    async def made(self, principal: Principal, body: ScheduleBody, key: str = "") -> dict[str, Any]:
        """Make a schedule; with the same Idempotency-Key it is the same one, with this body from now on.

        Without a key the body is the key: a request that is repeated makes no second schedule of the same.

        Raises:
            ApiError: 422, no such agent, or no cron expression.
        """
        ports = self._container.ports
        known_by = ("schedule", principal.tenant, key) if key else ("alike", principal.tenant, body.model_dump_json())
        schedule_id = f"{PREFIX}{digest(*known_by)[:24]}"
        job = new_job(
            SubmitBody.model_validate(body.model_dump(by_alias=True, exclude={"cron", "time_zone"})),
            self._container.registry,
            job_id=schedule_id,
            session_id="",
            tenant=principal.tenant,
            now_ms=ports.clock.now_ms(),
        )
        event = recurrence(schedule_id, job, body.task, {"cron": body.cron, "timeZone": body.time_zone})
        message = self._container.emitter.message_of(event)
        try:
            await self._schedules.put(schedule_id, body.expression, message)
        except QueueRefusedError as error:
            detail = f"{body.cron!r} is not a cron expression of five fields, such as '0 9 * * 1-5': {error}"
            raise ApiError(422, detail, [("cron", detail)]) from error
        return schedule_view(*await self._found(principal, schedule_id))

    async def show_all(self, request: Request) -> Response:
        """`GET /api/agent-schedules` → 200, by id."""
        principal = await self._keys.authenticate(request)
        return JSONResponse({"schedules": await self.listed(principal)})

    async def listed(self, principal: Principal) -> list[dict[str, Any]]:
        """The schedules that are theirs to see."""
        found = [(schedule, recurrence_in(schedule)) for schedule in await self._schedules.all()]
        return [schedule_view(each, fact) for each, fact in found if fact and principal.may_see(fact.job["tenant"])]

    async def read(self, request: Request) -> Response:
        """`GET /api/agent-schedules/{id}` → 200 and the schedule."""
        principal = await self._keys.authenticate(request)
        return JSONResponse(schedule_view(*await self._found(principal, request.path_params["schedule_id"])))

    async def pause(self, request: Request) -> Response:
        """`PATCH /api/agent-schedules/{id}` → 200 and the schedule."""
        principal = await self._keys.authenticate(request)
        body = parsed(PauseBody, await limited_body(request, BODY_LIMIT_BYTES))
        schedule, _ = await self._found(principal, request.path_params["schedule_id"])
        await self._schedules.pause(schedule.id, paused=body.paused)
        return JSONResponse(schedule_view(*await self._found(principal, schedule.id)))

    async def delete(self, request: Request) -> Response:
        """`DELETE /api/agent-schedules/{id}` → 204; jobs that it started go on."""
        principal = await self._keys.authenticate(request)
        schedule, _ = await self._found(principal, request.path_params["schedule_id"])
        await self._schedules.delete(schedule.id)
        return Response(status_code=204)

    async def _found(self, principal: Principal, schedule_id: str) -> tuple[QueueSchedule, Recurrence]:
        # Only ours: a name of the queue's could be anything.
        schedule = await self._schedules.find(schedule_id) if schedule_id.startswith(PREFIX) else None
        fact = recurrence_in(schedule) if schedule else None
        if schedule is None or fact is None:
            raise ApiError(404, f"there is no schedule {schedule_id!r}")
        if not principal.may_see(fact.job["tenant"]):
            raise ApiError(403, f"schedule {schedule_id!r} belongs to another tenant")
        return schedule, fact
