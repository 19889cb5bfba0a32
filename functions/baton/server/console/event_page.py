"""One app event: its data, what became of it with each handler, and what these have started and sent.

Must not: send or start anything.
"""

import asyncio

from starlette.responses import Response

from baton.queue.ports import QueuedMessage
from baton.server.api.app_events import app_event_view
from baton.server.api.jobs.context import Context
from baton.server.console.gate import Visit
from baton.store.redis.app_events import AppEvents
from baton_events.app_event import AppEvent, parse_app_event
from baton_events.errors import MalformedEventError

_MOST_SENT = 100


async def show_event(context: Context, visit: Visit) -> Response:
    """Show one event."""
    event = await app_event_view(context, visit.principal, visit.request.path_params["event_id"])
    jobs, records = [each["jobId"] for each in event["handlers"] if each["jobId"]], context.container.ports.app_events
    sent = await asyncio.gather(*(sent_by(records, job_id) for job_id in jobs))
    return visit.page("event.html", event=event, sent=dict(zip(jobs, sent, strict=True)))


async def sent_by(records: AppEvents, job_id: str) -> list[tuple[str, str]]:
    """Return ids of the jobs and events that a handler's job has sent out, each with its agent or name; not too many.

    What an attempt with `once_for` has found is among them.
    """
    record = await records.find(job_id, noted=True)
    return list(record.notes.items())[:_MOST_SENT] if record else []


def event_in(message: QueuedMessage) -> AppEvent | None:
    """Return the app event that a message brings; None: it brings something else."""
    try:
        return parse_app_event(message.body.encode("utf-8", "surrogatepass"))
    except MalformedEventError:
        return None
