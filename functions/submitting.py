"""How a submitted job begins: it takes its place in the admission's book, and it is created, unless it is there."""

import asyncio
from dataclasses import replace
from typing import Any

from msgspec import structs

from events.core.admission import Standing
from events.core.decide import submit
from events.core.effects import Changes
from events.core.happenings import Submitted
from events.core.legs import wish_leg
from events.core.state import Job
from events.core.stored_bytes import BytesAdded
from events.core.submitting import first_standing
from events.errors import JobGoneError, SessionBusyError
from events.ports import Clock, Created, Heard, Meter, Store, charge, metered, share
from events.schema import Ticket
from functions.asking import Asking
from functions.books import create


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

    async def submit_at_once(self, job: Job, task: dict[str, Any], carrier: str) -> Created:
        """Both in one request; where the job gets its slot at once, its first event says so: that is its ticket.

        It is created with a wish for its slot, which whoever begins with the ticket takes out (BEGIN). Where the ticket
        is lost, the carrier hands on the wish.

        Raises:
            JobGoneError: it was there, and its data is gone.
        """
        now_ms = self._clock.now_ms()
        standing, changes = first_standing(job, now_ms), _changes(job, task, now_ms, slot=False)
        meter, stored = Meter(self._clock, 0), self._asking.quota.submitted(job, changes)
        heard, created = await asyncio.gather(
            self._ask_on(meter, job, standing, carrier, stored),
            create(self._store, changes, carrier, now_ms, _counted(stored)),
            return_exceptions=True,
        )
        if isinstance(created, JobGoneError):
            await self._leave(job, standing, carrier)
        # What ends the invocation comes before what a request ended with.
        for failed in sorted((created, heard), key=lambda answer: isinstance(answer, Exception)):
            if isinstance(failed, BaseException):
                raise failed
        assert isinstance(heard, Heard), "it was not raised"
        assert isinstance(created, Created), "nor this"
        asked = meter.rest()
        for _ in range(asked.shared):
            share()
        if not created.new or not heard.slot or standing.want != "slot":
            charge(requests=asked.requests, commands=asked.commands, size_bytes=asked.size_bytes)
            return self._found(created, standing, now_ms) if heard.slot and not created.new else created
        ticket = Ticket(lap=standing.lap, commands=asked.commands, size_bytes=asked.size_bytes)
        return replace(created, carried=(structs.replace(changes.legs[0], carrier=carrier),), ticket=ticket)

    async def _ask_on(
        self, meter: Meter, job: Job, standing: Standing, carrier: str, stored: BytesAdded | None
    ) -> Heard:
        """Ask, and charge that apart: the creation, which goes with it, is written before its cost is known."""
        with metered(meter):
            return await self._asking.ask(job, standing, carrier, stored=stored)

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
