"""One app event: its data, what became of it with each handler, and what these have started and sent.

Must not: send or start anything.
"""

import asyncio

from starlette.responses import Response

from baton.queue.ports import QueuedMessage
from baton.server.api.app_events import app_event_view
from baton.server.console.gate import Visit
from baton.store.records.app_events import SENT_BY, EventRecord
from baton_events.app_event import AppEvent, parse_app_event
from baton_events.errors import MalformedEventError

_MOST_SENT = 100


async def show(visit: Visit) -> Response:
    event = await app_event_view(visit.context, visit.principal, visit.request.path_params["event_id"])
    jobs, records = [each["jobId"] for each in event["handlers"] if each["jobId"]], visit.container.ports.app_events
    own, *found = await asyncio.gather(*(records.find(name, noted=True) for name in (event["id"], *jobs)))
    sent, by = dict(zip(jobs, map(sent_of, found), strict=True)), own.notes.get(SENT_BY) if own else None
    return visit.page("event.html", event=event, sent=sent, by=by)


def sent_of(record: EventRecord | None) -> list[tuple[str, str]]:
    """Return ids of the jobs and events that a handler's job has sent out, each with its agent or name; not too many.

    `record`: that job's. What an attempt with `once_for` has found is among them.
    """
    return list(record.notes.items())[:_MOST_SENT] if record else []


def event_in(message: QueuedMessage) -> AppEvent | None:
    """Return the app event that a message brings; None: it brings something else."""
    try:
        return parse_app_event(message.body.encode("utf-8", "surrogatepass"))
    except MalformedEventError:
        return None
