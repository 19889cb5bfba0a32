"""What a line of our logs is about: the delivered event and its job, known to everything that runs for it.

Invariant: it holds for one task, which is one request, and ends with it. Must not: hold anything but ids and names.
"""

from collections.abc import Mapping
from contextvars import ContextVar

from baton_events.schema import Event

_ABOUT: ContextVar[Mapping[str, str]] = ContextVar("baton_log_about")


def about() -> Mapping[str, str]:
    """Ids by name, as the log shows them; empty outside of a delivery."""
    return _ABOUT.get({})


def speak_of(message_id: str, event: Event | None = None) -> None:
    """From now on, lines of this task are about this message, and the event that it carries."""
    told = {"messageId": message_id}
    if event is not None:
        told |= {
            "eventId": event.id,
            "eventType": event.type,
            "jobId": event.job_id,
            "sessionId": event.session_id,
        }
    _ABOUT.set(told)
