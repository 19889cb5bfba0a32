"""Defects that only long outages show: who looks whether the store is back, and what follows then."""

from collections.abc import Callable
from typing import Any

from functions import dead_callbacks
from functions.store_away import StoreAway
from tests.simulation.admission_faults import SimAdmission
from tests.simulation.planting import Defect, Patch, idle

_GOES_ON = "every_job_goes_on_after_an_outage"


def _by_its_own_clock(look_later: Callable[..., Any]) -> Callable[..., Any]:
    async def later(self: StoreAway, _after_ms: int = 0) -> None:
        await look_later(self)

    return later


DEFECTS = (
    Defect("nobody looks whether the store is back", _GOES_ON, (idle(StoreAway, "look_later"),), away=True),
    Defect(
        "the store is back, and no sweep is asked for",
        _GOES_ON,
        (idle(SimAdmission, "may_ask_for_sweep", answer=False),),
        away=True,
    ),
    Defect(
        "a look goes by a clock that is behind",
        _GOES_ON,
        (Patch(StoreAway, "look_later", _by_its_own_clock),),
        away=True,
    ),
    Defect(
        "after an outage dead failure callbacks stay dead",
        _GOES_ON,
        (idle(dead_callbacks.DeadCallbacks, "revive", 0),),
        away=True,
    ),
)
