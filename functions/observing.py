"""What is told of each delivery: one line in the log, with what it is about, what became of it, and how long it took.

Must not: change what becomes of a delivery; what it raises is raised.
"""

import logging
from collections.abc import Awaitable, Callable

from events.ports import Clock
from events.schema import Event
from functions.delivery import Outcome
from functions.log_context import speak_of

_log = logging.getLogger("baton.delivery")


class Observing:
    """Watches deliveries."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def delivery(
        self, work: Callable[[], Awaitable[Outcome]], message_id: str, retried: int, event: Event | None = None
    ) -> Outcome:
        """Do the work of one delivery; `event`: None for messages that carry none."""
        speak_of(message_id, event)
        began_ms, word, handed_on = self._clock.now_ms(), "error", 0
        try:
            outcome = await work()
            word, handed_on = outcome.word, outcome.handed_on
        except Exception as error:
            word = f"error: {type(error).__name__}"
            raise
        finally:
            duration_ms = self._clock.now_ms() - began_ms
            fields = {"outcome": word, "handedOn": handed_on, "durationMs": duration_ms, "retried": retried}
            _log.info("%s: %s", event.type if event else "message", word, extra={"fields": fields})
        return outcome
