"""One app event: its data, and what became of it with each handler. Must not: send or start anything."""

from starlette.responses import Response

from baton.queue.ports import QueuedMessage
from baton.server.api.app_events import AppEventsApi
from baton.server.console.gate import Visit
from baton_events.app_event import AppEvent, parse_app_event
from baton_events.errors import MalformedEventError


class EventPage:
    """Shows events."""

    def __init__(self, events: AppEventsApi) -> None:
        self._events = events

    async def show(self, visit: Visit) -> Response:
        """Show one event."""
        event = await self._events.view(visit.principal, visit.request.path_params["event_id"])
        return visit.page("event.html", event=event)


def event_in(message: QueuedMessage) -> AppEvent | None:
    """Return the app event that a message brings; None: it brings something else."""
    try:
        return parse_app_event(message.body.encode("utf-8", "surrogatepass"))
    except MalformedEventError:
        return None
