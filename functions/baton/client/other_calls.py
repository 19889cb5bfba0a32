"""Calls about events, operations, schedules, sessions, chats and budgets. Written once for both clients."""

import secrets
from collections.abc import AsyncGenerator, Sequence
from datetime import timedelta
from typing import Any, Literal

import msgspec

from baton.client.job_calls import Calls, WhenBusy, id_of, job_path
from baton.client.requests import Call, once, seconds_sent
from baton.client.results import Budget, Completed, Job, Json, Part, Schedule, Session, StreamToken

_SCHEDULES, _OPERATIONS, _BUDGETS = "/api/agent-schedules", "/api/operations", "/api/admin/budgets"
Per = Literal["day", "month", "total"]
Unit = Literal["usd", "tokens"]


class EventCalls(Calls):
    """Events, operations and schedules: the ways to reach agents from outside."""

    async def send_event(self, job: Job | str, name: str, data: Any = None) -> None:
        """Send an event to one job, which may wait for it now or later."""
        await self._requests.response(Call("POST", job_path(job, "/events"), {"name": name, "data": data}))

    async def emit(
        self,
        name: str,
        data: Any = None,
        *,
        key: str = "",
        idempotency_key: str = "",
        once_for: str | None = None,
        once_for_seconds: float | timedelta | None = None,
        subject_id: str | None = None,
    ) -> str:
        """Publish an app event for all its handlers; return its id.

        `once_for`: as of `submit`, for jobs of its own. `subject_id`: as of `submit`; its handlers' jobs have it, too.
        """
        seconds = seconds_sent(once_for_seconds, "once_for_seconds")
        body = {"name": name, "data": data, "key": key, "onceFor": once_for, "onceForSeconds": seconds}
        body |= {"subjectId": subject_id}
        headers = {} if once_for is not None and not idempotency_key else once(idempotency_key)
        call = Call("POST", "/api/events", body, headers=headers, repeatable=True)
        return str((await self._requests.fetch_record(call, Json))["id"])

    async def event(self, event_id: str) -> Json:
        """Return an app event, with its state in each handler."""
        return await self._get(f"/api/events/{id_of(event_id)}", Json)

    async def operation(self, operation_id: str) -> Json:
        """Return the tool call that waits for an operation; needs the operations key."""
        return await self._get(f"{_OPERATIONS}/{id_of(operation_id)}", Json)

    async def complete_operation(self, operation_id: str, result: Any = None, *, error: str | None = None) -> Completed:
        """Finish a waiting tool call, with its result or with an error; needs the operations key.

        The first outcome counts, so the call may be repeated.
        """
        body = {"success": error is None, "result": result, "error": error}
        call = Call("POST", f"{_OPERATIONS}/{id_of(operation_id)}/complete", body, repeatable=True)
        return await self._requests.fetch_record(call, Completed)

    async def create_schedule(  # noqa: PLR0913 - one for each field of a schedule
        self,
        agent: str,
        task: str = "",
        *,
        cron: str,
        time_zone: str = "UTC",
        input_data: Json | None = None,
        session: str | None = None,
        priority: int | None = None,
        tags: Sequence[str] = (),
        subject_id: str | None = None,
        idempotency_key: str = "",
    ) -> Schedule:
        """Make a job that recurs; with the same idempotency key it is the same schedule."""
        body = {
            "jobType": agent,
            "taskDescription": task,
            "cron": cron,
            "timeZone": time_zone,
            "inputData": input_data,
            "sessionId": session,
            "priority": priority,
            "tags": tags or None,
            "subjectId": subject_id,
        }
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}  # without one its body is its key
        return await self._requests.fetch_record(
            Call("POST", _SCHEDULES, body, headers=headers, repeatable=True), Schedule
        )

    async def schedules(self) -> list[Schedule]:
        """Return all schedules."""
        return msgspec.convert((await self._get(_SCHEDULES, Json))["schedules"], list[Schedule])

    async def schedule(self, schedule_id: str) -> Schedule:
        """Return a schedule, with its next run and its last jobs."""
        return await self._get(f"{_SCHEDULES}/{id_of(schedule_id)}", Schedule)

    async def change_schedule(
        self, schedule: Schedule | str, *, paused: bool | None = None, run_now: bool = False
    ) -> Schedule:
        """Pause a schedule, or resume it; `run_now`: start its job now, which is the first of `last_jobs`."""
        body = {"paused": paused, "runNow": run_now or None}
        call = Call("PATCH", f"{_SCHEDULES}/{id_of(schedule)}", body, repeatable=not run_now)
        return await self._requests.fetch_record(call, Schedule)

    async def delete_schedule(self, schedule: Schedule | str) -> None:
        """Delete a schedule; jobs that it has started continue."""
        await self._requests.response(Call("DELETE", f"{_SCHEDULES}/{id_of(schedule)}"))


class SessionCalls(Calls):
    """Conversations. An admin key names the tenant of a session."""

    async def chat(
        self,
        session: str,
        text: str,
        *,
        agent: str | None = None,
        message_id: str = "",
        when_busy: WhenBusy | None = None,
        subject_id: str | None = None,
    ) -> AsyncGenerator[Part, None]:
        """Send a message to a session, and yield the parts of the answer as `stream` does.

        With the same `message_id` it is the same message, and is answered once.
        """
        message = {
            "id": message_id or secrets.token_urlsafe(16),
            "role": "user",
            "parts": [{"type": "text", "text": text}],
        }
        body = {"id": session, "messages": [message], "agent": agent, "whenBusy": when_busy}
        body |= {"subjectId": subject_id}
        async for part in self._requests.parts(Call("POST", "/api/chat", body, repeatable=True)):
            yield part

    async def resume_chat(self, session: str, *, tenant: str | None = None) -> AsyncGenerator[Part, None]:
        """Yield the parts of the running answer, from its start; nothing if none is running."""
        path = f"/api/chat/{id_of(session)}/stream"
        async for part in self._requests.parts(Call("GET", path, query={"tenant": tenant}, repeatable=True)):
            yield part

    async def session(
        self, session: str, *, limit: int | None = None, cursor: str | None = None, tenant: str | None = None
    ) -> Session:
        """Return a session: its newest messages, or those before a cursor, and its activity."""
        return await self._get(_session_path(session), Session, limit=limit, cursor=cursor, tenant=tenant)

    async def cancel_session(self, session: str) -> Json:
        """Stop the running job of a session and those in line; return `cancelled`, `jobId` and `reason`."""
        return await self._requests.fetch_record(Call("POST", _session_path(session, "/cancel"), repeatable=True), Json)

    async def delete_session(self, session: str) -> None:
        """Delete the data and the memory of a session without running jobs."""
        await self._requests.response(Call("DELETE", _session_path(session)))

    async def forget_session(self, session: str) -> Json:
        """Delete the memory of a session; return the number of entries."""
        return await self._requests.fetch_record(
            Call("DELETE", _session_path(session, "/memory"), repeatable=True), Json
        )

    async def erase_subject(self, subject_id: str, *, tenant: str | None = None) -> Json:
        """Erase the data of a person; needs an admin key. Return how much; repeat it while `running` is above 0."""
        path, query = f"/api/admin/subjects/{id_of(subject_id)}", {"tenant": tenant}
        return await self._requests.fetch_record(Call("DELETE", path, query=query, repeatable=True), Json)

    async def session_file(self, session: str, name: str) -> bytes:
        """Return a file of one of a session's messages."""
        call = Call("GET", _session_path(session, f"/files/{id_of(name)}"), repeatable=True)
        return (await self._requests.response(call)).content

    async def stream_token(self, *, job: Job | str | None = None, session: str | None = None) -> StreamToken:
        """Make a token that opens the stream of a job or of a session for five minutes, in a page for example."""
        body = {"jobId": job.id if isinstance(job, Job) else job, "sessionId": session}
        return await self._requests.fetch_record(Call("POST", "/api/stream-tokens", body, repeatable=True), StreamToken)


class BudgetCalls(Calls):
    """What keys may spend; all need an admin key. Amounts are US dollars or tokens."""

    async def budgets(self, key: str | None = None) -> AsyncGenerator[Budget, None]:
        """Yield the budgets of a key, or all of them, those last used first."""
        async for budget in self._rows(_BUDGETS, "budgets", Budget, key=key, limit=100):
            yield budget

    async def set_budget(
        self, key: str, per: Per, limit: float, *, unit: Unit | None = None, every: bool = False
    ) -> Budget:
        """Set the limit of the present period, or of every one; calls that wait and have room begin.

        `unit`: needed for a key that has budgets in dollars and in tokens.
        """
        body = {"per": per, "limit": limit, "unit": unit, "period": "every" if every else "present"}
        call = Call("PUT", f"{_BUDGETS}/{id_of(key)}", body, repeatable=True)
        return await self._requests.fetch_record(call, Budget)

    async def clear_budget(self, key: str, per: Per) -> None:
        """Let the limits count again that calls declare; what is spent stays."""
        call = Call("DELETE", f"{_BUDGETS}/{id_of(key)}", query={"per": per}, repeatable=True)
        await self._requests.response(call)


def _session_path(session: str, rest: str = "") -> str:
    return f"/api/sessions/{id_of(session)}{rest}"
