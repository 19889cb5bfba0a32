"""One app event: its data, and what became of it with each handler. Must not: send or start anything."""

from starlette.responses import Response

from baton.queue.ports import QueuedMessage
from baton.server.api.app_events import app_event_view
from baton.server.api.jobs.context import Context
from baton.server.console.gate import Visit
from baton_events.app_event import AppEvent, parse_app_event
from baton_events.errors import MalformedEventError


async def show_event(context: Context, visit: Visit) -> Response:
    """Show one event."""
    event = await app_event_view(context, visit.principal, visit.request.path_params["event_id"])
    return visit.page("event.html", event=event)


def event_in(message: QueuedMessage) -> AppEvent | None:
    """Return the app event that a message brings; None: it brings something else."""
    try:
        return parse_app_event(message.body.encode("utf-8", "surrogatepass"))
    except MalformedEventError:
        return None
