"""Reading a job's whole transcript."""

from msgspec.structs import replace

from baton.engine.effects import Changes
from tests.contract.store.sample import JOB_ID, NOW_MS, SPENT, a_job, claim_of, creation, first_item
from tests.contract.store.side import Side


async def test_entries_come_in_the_order_in_which_they_were_added(side: Side) -> None:
    await side.store.create(replace(creation(a_job()), transcript=('{"n":1}',)), "m1", NOW_MS)
    await side.store.commit(claim_of(first_item()), Changes(transcript=('{"n":2}', '{"n":3}')), SPENT)
    assert await side.reader.transcript(JOB_ID) == ({"n": 1}, {"n": 2}, {"n": 3})


async def test_an_unknown_job_has_none(side: Side) -> None:
    assert await side.reader.transcript("job_unknown") == ()
