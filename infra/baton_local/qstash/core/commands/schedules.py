"""Commands on schedules (qstash.md 17)."""

from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from baton_local.qstash.core.answer import Answer, bad_request, not_found, over_quota
from baton_local.qstash.core.changes import ThingDropped, ThingStored
from baton_local.qstash.core.destinations import Destination, destination_text
from baton_local.qstash.core.headers import HeaderMap
from baton_local.qstash.core.message import DEFAULT_RETRIES
from baton_local.qstash.core.options import parse_options
from baton_local.qstash.core.schedules import SCHEDULE_DUE, Schedule, next_run_ms, parse_cron
from baton_local.qstash.core.state import Transition
from baton_local.qstash.core.tenant import Tenant
from baton_local.qstash.core.views import View, body_fields, flow_fields, label_fields, shown_body, without_unset


@dataclass(frozen=True, slots=True)
class CreateSchedule:
    """Create a schedule, or replace the one with the same id entirely."""

    user: str
    destination: Destination
    headers: HeaderMap
    body: bytes | None = None
    caller_ip: str | None = None
    queue: str | None = None


@dataclass(frozen=True, slots=True)
class SetSchedulePaused:
    """Pause or resume a schedule."""

    user: str
    schedule_id: str
    paused: bool


@dataclass(frozen=True, slots=True)
class DeleteSchedule:
    """Delete a schedule; messages already made still go."""

    user: str
    schedule_id: str


def create_schedule(step: Transition, command: CreateSchedule) -> Answer:
    """Create a schedule. Everything is checked now, so that a tick can fail only for what changed since."""
    tenant, limits = step.state.tenant(command.user), step.state.limits
    options = parse_options(command.headers, limits)
    if options.cron is None:
        raise bad_request("Upstash-Cron: is missing; a schedule needs one, like '*/5 * * * *'")
    parse_cron(options.cron)
    if options.not_before_ms is not None:
        raise bad_request("Upstash-Not-Before: has no meaning for a schedule; use Upstash-Delay")
    if len(command.body or b"") > limits.max_message_bytes:
        raise bad_request(f"body: is over the limit of {limits.max_message_bytes} bytes")
    schedule_id = options.schedule_id or step.state.ids.next("scd")
    if schedule_id not in tenant.schedules and len(tenant.schedules) >= limits.max_schedules:
        raise over_quota(f"schedule: there are {limits.max_schedules} already, the limit; delete one first")
    schedule = Schedule(
        id=schedule_id,
        cron=options.cron,
        destination=destination_text(command.destination),
        headers=_kept(command.headers),
        options=options,
        created_at_ms=step.now_ms,
        body=command.body,
        caller_ip=command.caller_ip,
        queue=command.queue or options.queue,
    )
    plan(step, tenant, schedule)
    return Answer(HTTPStatus.OK, {"scheduleId": schedule_id})


def plan(step: Transition, tenant: Tenant, schedule: Schedule) -> None:
    """Store the schedule with its next run, and be woken then."""
    at_ms = None if schedule.paused else next_run_ms(schedule, step.now_ms, step.state.limits.time_scale)
    schedule = replace(schedule, next_at_ms=at_ms)
    tenant.schedules[schedule.id] = schedule
    step.changes.append(ThingStored("schedule", tenant.user, schedule.id, schedule))
    if at_ms is not None:
        step.state.wake_at(at_ms, SCHEDULE_DUE, tenant.user, schedule.id)


def set_schedule_paused(step: Transition, command: SetSchedulePaused) -> Answer:
    """Pause, or go on with the next run from now."""
    tenant = step.state.tenant(command.user)
    plan(step, tenant, replace(_schedule(tenant, command.schedule_id), paused=command.paused))
    return Answer(HTTPStatus.OK)


def delete_schedule(step: Transition, command: DeleteSchedule) -> Answer:
    """Delete; its timer is ignored when it rings."""
    tenant = step.state.tenant(command.user)
    del tenant.schedules[_schedule(tenant, command.schedule_id).id]
    step.changes.append(ThingDropped("schedule", tenant.user, command.schedule_id))
    return Answer(HTTPStatus.OK)


def list_schedules(tenant: Tenant) -> Answer:
    """Return all schedules."""
    return Answer(HTTPStatus.OK, [schedule_view(each) for each in tenant.schedules.values()])


def get_schedule(tenant: Tenant, schedule_id: str) -> Answer:
    """Return one schedule."""
    return Answer(HTTPStatus.OK, schedule_view(_schedule(tenant, schedule_id)))


def schedule_view(schedule: Schedule) -> View:
    """Return a schedule in JSON."""
    options = schedule.options
    always: dict[str, Any] = {
        "scheduleId": schedule.id,
        "cron": schedule.cron,
        "destination": schedule.destination,
        "createdAt": schedule.created_at_ms,
        "method": options.method,
        "retries": DEFAULT_RETRIES if options.max_retries is None else options.max_retries,
        "isPaused": schedule.paused,
    }
    callback, failure_callback = options.callback, options.failure_callback
    optional = {
        "header": options.redaction.shown_headers(options.header),
        "delay": options.delay_ms // 1_000 or None,
        "timeout": None if options.timeout_ms is None else options.timeout_ms // 1_000,
        "callback": callback and callback.url,
        "failureCallback": failure_callback and failure_callback.url,
        "callbackHeader": callback and callback.headers,
        "failureCallbackHeader": failure_callback and failure_callback.headers,
        "callerIP": schedule.caller_ip,
        "callerIp": schedule.caller_ip,
        "queueName": schedule.queue,
        "retryDelayExpression": options.retry_delay,
        "lastScheduleTime": schedule.last_at_ms,
        "nextScheduleTime": schedule.next_at_ms,
        "lastScheduleStates": schedule.last_states,
        "error": schedule.error,
    }
    return (
        always
        | without_unset(optional)
        | body_fields(shown_body(schedule.body, options.redaction), "body")
        | label_fields(options.labels)
        | flow_fields(options.flow)
    )


def _schedule(tenant: Tenant, schedule_id: str) -> Schedule:
    schedule = tenant.schedules.get(schedule_id)
    if schedule is None:
        raise not_found(f"schedule {schedule_id[:80]!r} does not exist")
    return schedule


def _kept(headers: HeaderMap) -> HeaderMap:
    """Return the headers needed to publish again, without the caller's credentials."""
    return {name: values for name, values in headers.items() if name != "authorization"}
