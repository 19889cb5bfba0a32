"""What happens when a schedule is due: an ordinary publish in its name, then the next run is planned."""

from dataclasses import replace
from typing import Any

from baton_local.qstash.core.destination import parse_destination
from baton_local.qstash.core.publishing import Publish, publish
from baton_local.qstash.core.schedule_commands import plan
from baton_local.qstash.core.state import Transition
from baton_local.qstash.core.tenant import Tenant
from baton_local.stand_in.api_error import ApiError


def run_schedule(step: Transition, tenant: Tenant, schedule_id: str, due_ms: int) -> None:
    """Make the messages of one tick; a timer that no longer applies is ignored."""
    schedule = tenant.schedules.get(schedule_id)
    if schedule is None or schedule.paused or schedule.next_at_ms != due_ms:
        return
    command = Publish(
        tenant.user,
        parse_destination(schedule.destination),
        schedule.headers,
        schedule.body,
        schedule.caller_ip,
        schedule.queue,
        schedule_id,
    )
    try:
        states = dict.fromkeys(_message_ids(publish(step, command).body), "IN_PROGRESS")
        error = None
    except ApiError as refusal:  # such as a group that is gone; shown on the schedule, tried again at the next tick
        states, error = {}, refusal.message
    plan(step, tenant, replace(schedule, last_at_ms=step.now_ms, last_states=states, error=error))


def _message_ids(body: Any) -> list[str]:
    return [item["messageId"] for item in (body if isinstance(body, list) else [body])]
