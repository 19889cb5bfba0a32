"""App events over HTTP: `POST /api/events`, and the state of one (CONTRACT, Events of your own).

The event is recorded, then published. Invariant: the same Idempotency-Key is the same event. Must not: start a job,
since the event's message does that.
"""

import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.sdk.agents.handler import Handler
from baton.sdk.records.any_json import AnyJson
from baton.sdk.records.redaction import redacted
from baton.server.api.auth import Principal
from baton.server.api.jobs.context import Context
from baton.server.api.jobs.job import idempotency_key_of
from baton.server.api.jobs.submission import OnceKey, OnceSeconds, SubjectId, subject_of
from baton.server.api.problem import ApiError, limited_body, parsed
from baton.store.records.app_events import MISFIT, EventRecord
from baton.store.records.jobs import Snapshot
from baton.worker.commands.once import ONCE_SECONDS, OnceFor, event_of
from baton.worker.container import Container
from baton.worker.runtime.app_events import keep_event, misfits, stored_size
from baton.worker.runtime.batches import Batches, note_of_batch
from baton.worker.runtime.job_view import job_view
from baton_events.app_event import AppEvent, AppEventError, app_event, parse_app_event
from baton_events.errors import TooLargeError
from baton_events.ids import app_event_id, awaited_name, event_job_id, subject_digest
from baton_events.schema import encode_event


class AppEventBody(BaseModel):
    """An app event; `data` is any JSON value."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1)]
    data: AnyJson = None
    key: str = ""
    once_for: OnceKey | None = None
    once_for_seconds: OnceSeconds = ONCE_SECONDS
    subject_id: SubjectId | None = None


async def post_app_event(context: Context, request: Request) -> Response:
    """Answer `POST /api/events` with 202 `{"id", "handlers", "waiters"}`: how many take the event."""
    principal = await context.keys.authenticate(request)
    body, ports = parsed(AppEventBody, await limited_body(request)), context.container.ports
    event = await accept_event(context.container, body, principal.tenant, idempotency_key_of(request))
    name = awaited_name(event.tenant, event.name, event.key)
    waiters = await ports.app_events.count_waiting(name, ports.clock.now_ms())
    handlers = len(context.container.registry.handlers.of(body.name))
    return JSONResponse({"id": event.id, "handlers": handlers, "waiters": waiters}, 202)


async def accept_event(container: Container, body: AppEventBody, tenant: str, key: str = "") -> AppEvent:
    """Record an event and publish it; return it, or the one of the same key. Raises ApiError: it is refused."""
    records, quota, handlers = container.ports.app_events, container.commands.quota, container.registry.handlers
    taking = handlers.of(body.name)
    event = _made(container, body, await _id_of(container, body, tenant, key), tenant)
    _refuse_misfits(taking, event.data)
    if await records.find(event.id) is None:
        await quota.check(event.tenant, stored_size(encode_event(event)))
    record = await keep_event(records, quota, event, tuple(handler.name for handler in taking))
    first = parse_app_event(record.event.encode())
    names_of = container.sealing.names_of
    whose = names_of(subject_digest(event.tenant, body.subject_id)) if body.subject_id else [""]
    same = (first.name, first.key, first.data) == (event.name, event.key, event.data)
    if key and not (same and (first.subject or "") in whose):
        raise ApiError(422, f"another body was sent under Idempotency-Key {key!r} before: use a new key")
    await container.emitter.send(first)
    return first


async def _id_of(container: Container, body: AppEventBody, tenant: str, key: str) -> str:
    """Return the event's id: a random one, unless a key says which event it is."""
    if body.once_for is None:
        return app_event_id(tenant, key) if key else f"evt_{container.ports.randomness.token()}"
    if key:
        detail = "onceFor decides which event this is, and cannot go with Idempotency-Key: leave one of them out"
        raise ApiError(422, detail, [("onceFor", detail)])
    names = [handler.name for handler in container.registry.handlers.of(body.name)]
    once, now_ms = OnceFor(body.once_for, body.once_for_seconds), container.ports.clock.now_ms()
    return await event_of(
        container.ports.app_events, container.commands.submit, (tenant, body.name), names, once, now_ms
    )


def _made(container: Container, body: AppEventBody, event_id: str, tenant: str) -> AppEvent:
    data, now_ms = container.secrets.hide_in(body.data), container.ports.clock.now_ms()
    of_whom = {"tenant": tenant, "subject": subject_of(container.sealing, tenant, body.subject_id)}
    try:
        return app_event(body.name, data, body.key, event_id=event_id, now_ms=now_ms, **of_whom)
    except AppEventError as error:
        raise ApiError(422, str(error), [(error.field, str(error))]) from error
    except TooLargeError as error:
        raise ApiError(413, str(error)) from error


async def show_app_event(context: Context, request: Request) -> Response:
    """Answer `GET /api/events/{id}` with 200 and the event, with its handlers."""
    principal = await context.keys.authenticate(request)
    return JSONResponse(await app_event_view(context, principal, request.path_params["event_id"]))


async def app_event_view(context: Context, principal: Principal, event_id: str) -> dict[str, Any]:
    """Return the event, with its handlers.

    Raises ApiError: 404 it is not known (any more), 403 it is another tenant's.
    """
    record = await context.container.ports.app_events.find(event_id)
    if record is None:
        raise ApiError(404, f"there is no event {event_id!r} (any more), or it has not been delivered yet")
    event = parse_app_event(record.event.encode())
    if not principal.may_see(event.tenant):
        raise ApiError(403, f"event {event_id!r} belongs to another tenant")
    ports = context.container.ports
    jobs = {name: await job_of(context, event, record, name) for name in record.handlers}
    return {
        "id": event.id,
        "name": event.name,
        "key": event.key,
        "data": redacted(event.data),
        "createdAt": json.loads(record.event)["createdAt"],
        "handlers": [_handler_view(name, job, record, ports.clock.now_ms()) for name, job in jobs.items()],
    }


async def job_of(context: Context, event: AppEvent, record: EventRecord, handler: str) -> Snapshot | None:
    first = record.notes.get(note_of_batch(handler))
    taken = (
        event.id
        if first is None
        else await Batches(context.container.ports.app_events).id_of(event, handler, int(first))
    )
    return await context.container.ports.reader.job(event_job_id(taken, handler)) if taken else None


def _refuse_misfits(handlers: tuple[Handler, ...], data: Any) -> None:
    faults = [
        (place, f"handler {handler.name!r}: {text}")
        for handler, misfit in misfits(handlers, data)
        for place, text in misfit.faults
    ]
    if faults:
        listed = "; ".join(f"{place}: {text}" for place, text in faults)
        raise ApiError(422, f"the data does not fit: {listed}", faults)


def _handler_view(name: str, snapshot: Snapshot | None, record: EventRecord, now_ms: int) -> dict[str, Any]:
    """Return one handler as the API shows it: its job, or before there is one, `pending`, or `failed` by a misfit."""
    if snapshot is None:
        misfit = record.notes.get(MISFIT)
        error = {"type": "invalid_data", "message": misfit} if misfit else None
        return {
            "handler": name,
            "jobId": None,
            "status": "failed" if misfit else "pending",
            "attempts": 0,
            "error": error,
        }
    view = job_view(snapshot, now_ms)
    calls = view["toolCalls"]
    errors = [*(call.get("error") for call in calls), view["error"]]
    return {
        "handler": name,
        "jobId": snapshot.job.id,
        "status": view["status"],
        "attempts": sum(call["attempts"] for call in calls),
        "error": next(filter(None, errors), None),
    }
