"""What is done from time to time, by the messages that arrive at the sweep's endpoint.

A sweep looks at jobs without progress, then reads the stream of outcomes, and each hour prunes the lists. The message
of a waiting operation reads the stream alone, one of an outage asks the store alone, and one that carries pruning on
prunes alone. Must not: decide what a sweep does.
"""

import json
from typing import Any

from baton.commands.operation_outcomes import LAST_LOOK, Look, OperationOutcomes
from baton.core.counts import REDRIVEN, SWEEPS
from baton.core.listing import is_position
from baton.dispatch.delivery import Outcome
from baton.observability.counting import count
from baton.ports import Counters
from baton.recovery.pruning import Pruning
from baton.recovery.store_away import StoreAway
from baton.recovery.sweeping import Sweep, read_page
from baton_events.errors import MalformedEventError


def read_away_ms(body: bytes) -> int:
    """The time for which a look at the store was armed; 0: the message asks for something else."""
    return _numbers(body, "awayMs")[0]


def read_look(body: bytes) -> Look | None:
    """The look at the stream of outcomes that was armed; None: the message asks for something else.

    A message of a version before is the last of its looks: that version armed one each minute.
    """
    slot_ms, number = _numbers(body, "operationsMs", "look")
    return Look(slot_ms, number) if slot_ms else None


def _numbers(body: bytes, name: str, other: str = "") -> tuple[int, int]:
    """A number of the body, or 0, and how many looks there were; without that it is the last one."""
    try:
        told: Any = json.loads(body) if body else {}
        if not isinstance(told, dict):
            return 0, 0
        return int(told.get(name, 0)), min(LAST_LOOK, int(told.get(other, LAST_LOOK)))
    except (ValueError, TypeError, RecursionError) as error:
        raise MalformedEventError(f"not a body for this endpoint: {body[:100]!r}") from error


def read_prune_after(body: bytes) -> str:
    """The position from which the lists are to be pruned further; empty: the message asks for something else."""
    told: Any = json.loads(body) if body else {}
    after = str(told.get("pruneAfter", "")) if isinstance(told, dict) else ""
    if after and not is_position(after):
        raise MalformedEventError(f"no position to prune from: {after[:100]!r}")
    return after


class Maintenance:
    """Does what a message of the sweep's endpoint asks for."""

    def __init__(
        self, sweep: Sweep, outcomes: OperationOutcomes, pruning: Pruning, counters: Counters, away: StoreAway
    ) -> None:
        self._sweep = sweep
        self._away = away
        self._outcomes = outcomes
        self._pruning = pruning
        self._counters = counters

    async def handle(self, body: bytes, relay_id: str, redrive: str, *, again: bool) -> Outcome:
        """One message; as for a sweep."""
        away_ms = read_away_ms(body)
        if away_ms:
            return await self._away.look(away_ms)
        look = read_look(body)
        if look:
            return Outcome("looked", await self._outcomes.look(look))
        prune_after = read_prune_after(body)
        if prune_after:
            return Outcome("pruned", await self._pruning.prune(prune_after))
        page = read_page(body)
        swept = await self._sweep.handle(page, relay_id, redrive, again=again)
        if not page.after:
            await self._outcomes.look()
        if not page.due_ms and not page.after:  # the hourly backstop
            await self._pruning.prune()
        await count(self._counters, {SWEEPS: 1, **({REDRIVEN: swept.dispatched} if swept.dispatched else {})})
        return swept
