"""`/v2/schedules` (qstash.md 17)."""

from urllib.parse import unquote

from baton_local.qstash.core import schedule_commands
from baton_local.qstash.core.answer import Answer
from baton_local.qstash.wire.call import Call
from baton_local.qstash.wire.publishing import read_publish


async def create_schedule(call: Call) -> Answer:
    """Create or replace a schedule."""
    given = read_publish(call, None)
    command = schedule_commands.CreateSchedule(
        call.user, given.destination, given.headers, given.body, given.caller_ip, given.queue
    )
    return await call.engine.execute(command)


async def list_schedules(call: Call) -> Answer:
    """All schedules."""
    return schedule_commands.list_schedules(call.tenant)


async def get_schedule(call: Call) -> Answer:
    """One schedule."""
    return schedule_commands.get_schedule(call.tenant, unquote(call.params["id"]))


async def delete_schedule(call: Call) -> Answer:
    """Delete a schedule."""
    return await call.engine.execute(schedule_commands.DeleteSchedule(call.user, unquote(call.params["id"])))


async def pause_schedule(call: Call) -> Answer:
    """Pause a schedule."""
    return await _set_paused(call, paused=True)


async def resume_schedule(call: Call) -> Answer:
    """Resume a schedule."""
    return await _set_paused(call, paused=False)


async def _set_paused(call: Call, *, paused: bool) -> Answer:
    schedule_id = unquote(call.params["id"])
    return await call.engine.execute(schedule_commands.SetSchedulePaused(call.user, schedule_id, paused))
