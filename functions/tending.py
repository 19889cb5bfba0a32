"""What is done from time to time, by the messages that arrive at the sweep's endpoint.

A sweep looks at jobs without progress, then reads the stream of outcomes, and each hour tidies the list; the message
of a waiting operation reads the stream alone, and one of an outage asks the store alone. Must not: decide what a sweep
does.
"""

import json
from typing import Any

from events.core.counts import DRIVEN, SWEEPS
from events.errors import MalformedEventError
from events.ports import Figures
from functions.counting import count
from functions.delivery import Outcome
from functions.operation_outcomes import OperationOutcomes
from functions.store_away import StoreAway
from functions.sweeping import Sweep, read_page
from functions.tidying import Tidying


def read_slot_ms(body: bytes, what: str = "operationsMs") -> int:
    """The time for which a look at the stream of outcomes was armed, or at the store; 0: the message is a sweep's."""
    try:
        told: Any = json.loads(body) if body else {}
        return int(told.get(what, 0)) if isinstance(told, dict) else 0
    except (ValueError, TypeError, RecursionError) as error:
        raise MalformedEventError(f"not a body for this endpoint: {body[:100]!r}") from error


class Tending:
    """Does what a message of the sweep's endpoint asks for."""

    def __init__(
        self, sweep: Sweep, outcomes: OperationOutcomes, tidying: Tidying, figures: Figures, away: StoreAway
    ) -> None:
        self._sweep = sweep
        self._away = away
        self._outcomes = outcomes
        self._tidying = tidying
        self._figures = figures

    async def handle(self, body: bytes, carrier: str, drive: str, *, again: bool) -> Outcome:
        """One message; as for a sweep."""
        if read_slot_ms(body, "awayMs"):
            return await self._away.look()
        slot_ms = read_slot_ms(body)
        if slot_ms:
            return Outcome("looked", await self._outcomes.look(slot_ms))
        page = read_page(body)
        swept = await self._sweep.handle(page, carrier, drive, again=again)
        if not page.after:
            await self._outcomes.look()
        if not page.due_ms and not page.after:  # the hourly backstop
            await self._tidying.tidy()
        await count(self._figures, {SWEEPS: 1, **({DRIVEN: swept.handed_on} if swept.handed_on else {})})
        return swept
