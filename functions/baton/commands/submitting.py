"""How a submitted job begins: it takes its place in the admission's book, and it is created, unless it is there."""

from dataclasses import replace
from typing import Any

from baton.admission.asking import Asking
from baton.core.admission import Standing
from baton.core.decide import submit
from baton.core.effects import Changes
from baton.core.happenings import Submitted
from baton.core.legs import wish_leg
from baton.core.state import Job
from baton.core.stored_bytes import BytesAdded
from baton.core.submitting import first_standing
from baton.dispatch.books import create
from baton.ports import Clock, Created, Store
from baton_events.errors import JobGoneError, SessionBusyError


class Submitting:
    """Takes in submissions."""

    def __init__(self, store: Store, asking: Asking, clock: Clock) -> None:
        self._store = store
        self._asking = asking
        self._clock = clock

    async def submit(
        self, job: Job, task: dict[str, Any], carrier: str, *, known: bool = False, alone: bool = False
    ) -> Created:
        """One after the other: what is created knows whether it has its slot.

        `known`: it is there, and has its place; what is asked is what the carrier still carries. `alone`: it takes no
        place while another job of its session has one. Its witness does not ask for that: what was accepted, and was
        forgotten in a failover, waits for its turn.

        Raises:
            SessionBusyError: it was to be alone. JobGoneError: it was there, and its data is gone.
        """
        now_ms = self._clock.now_ms()
        standing = first_standing(job, now_ms)
        stored = self._asking.quota.submitted(job, _changes(job, task, now_ms, slot=False))
        heard = None if known else await self._asking.ask(job, standing, carrier, alone=alone, stored=stored)
        if heard is not None and heard.busy:
            raise SessionBusyError(f"session {job.session_id!r} is busy: another job of it is at work or in line")
        slot = heard is not None and heard.slot
        try:
            changes = _changes(job, task, now_ms, slot=slot)
            created = await create(self._store, changes, carrier, now_ms, _counted(stored))
        except JobGoneError:
            await self._leave(job, standing, carrier)
            raise
        return created if created.new or not slot else self._found(created, standing, now_ms)

    def _found(self, created: Created, standing: Standing, now_ms: int) -> Created:
        """Somebody created it meanwhile, and the slot that we were given is its own: it must hear of it."""
        return replace(created, carried=(*created.carried, wish_leg(created.job.id, "slot", standing.lap, now_ms)))

    async def _leave(self, job: Job, standing: Standing, carrier: str) -> None:
        await self._asking.ask(job, Standing("gone", standing.lap + 1), carrier)


def _changes(job: Job, task: dict[str, Any], now_ms: int, *, slot: bool) -> Changes:
    changes = submit(Submitted(job, task, slot), now_ms).changes
    assert changes is not None, "a submission always creates"
    return changes


def _counted(stored: BytesAdded | None) -> int:
    return sum(stored.adds.values()) if stored else 0
