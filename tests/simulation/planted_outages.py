"""Defects that only long outages show: who looks whether the store is back, and what follows then."""

from collections.abc import Callable
from typing import Any

from baton.queue.dispatch import Outcome
from baton.recovery.outage import StoreAway
from baton_events.errors import StoreError
from tests.simulation.planting import Defect, Patch, idle

_GOES_ON = "every_job_goes_on_after_an_outage"


def _by_its_own_clock(arm: Callable[..., Any]) -> Callable[..., Any]:
    async def later(self: StoreAway, _after_ms: int = 0) -> None:
        await arm(self)

    return later


def _requesting_nothing(_original: Any) -> Any:
    async def check(self: StoreAway, at_ms: int) -> Outcome:
        try:
            await self._admission.may_request_reconcile(at_ms)
        except StoreError:
            await self._arm(at_ms)
        return Outcome("looked")

    return check


DEFECTS = (
    Defect("nobody looks whether the store is back", _GOES_ON, (idle(StoreAway, "check_later"),), away=True),
    Defect(
        "the store is back, and no sweep is asked for",
        _GOES_ON,
        (Patch(StoreAway, "check", _requesting_nothing),),
        away=True,
    ),
    Defect(
        "a look goes by a clock that is behind",
        _GOES_ON,
        (Patch(StoreAway, "_arm", _by_its_own_clock),),
        away=True,
    ),
)
