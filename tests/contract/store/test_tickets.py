"""A ticket stands for the wish that the admission has granted: whoever begins with it takes the slot."""

import pytest
from msgspec.structs import replace

from events.core.admission import KEEP_SLOT_MS, Standing
from events.ports import Begun, Verdict
from tests.contract.store.sample import FIRST_LAP, NOW_MS, a_job, claim_of, creation, first_leg
from tests.contract.store.side import Side
from tests.contract.store.test_wishes import standing_of, waiting_job, wish_claim


async def test_a_ticket_stands_for_the_wish_that_was_granted(side: Side) -> None:
    """Whoever begins with it has the slot, and the wish is out; coming again it finds its leg in hand."""
    await waiting_job(side)
    claim = replace(claim_of(first_leg(), "m2"), ticket=FIRST_LAP)
    begun = await side.store.begin(claim)
    assert (begun.verdict, begun.carried) == (Verdict.GRANTED, ())
    assert begun.state is not None
    assert begun.state.leg.carrier == "m2"
    assert await standing_of(side) == Standing("slot", FIRST_LAP, slot=True)
    assert (await side.store.begin(wish_claim(FIRST_LAP))).verdict is Verdict.APPLIED
    assert (await side.store.begin(replace(claim, message_id="m3", owner="o2"))).verdict is Verdict.BUSY


@pytest.mark.parametrize("lap", [FIRST_LAP - 1, FIRST_LAP + 1])
async def test_a_ticket_for_another_wish_is_void(side: Side, lap: int) -> None:
    """The work stays behind the wish that there is."""
    await waiting_job(side)
    begun = await side.store.begin(replace(claim_of(first_leg(), "m2"), ticket=lap))
    assert begun == Begun(Verdict.GATED)
    assert await standing_of(side) == Standing("slot", FIRST_LAP)


async def test_a_ticket_gives_no_slot_to_a_job_that_wants_none(side: Side) -> None:
    """It has given it back since."""
    job = replace(a_job(), start_at_ms=NOW_MS + KEEP_SLOT_MS + 1)
    await side.store.create(creation(job, slot=False), "m1", NOW_MS)
    lap = (await standing_of(side)).lap
    due_ms = job.start_at_ms - NOW_MS
    begun = await side.store.begin(replace(claim_of(first_leg(), "m1", after_ms=due_ms), ticket=lap))
    assert begun.verdict is Verdict.GATED
