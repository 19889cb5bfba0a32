"""The leg that remembers an ended job outlives its end: the same for the fake and for Redis."""

from msgspec.structs import replace

from baton.core.admission import Entry
from baton.core.decide import decide
from baton.core.effects import Changes
from baton.core.happenings import ModelAnswered
from baton.core.legs import Leg, LegKind, remember_leg
from baton.core.state import State
from baton.ports import Verdict
from tests.contract.store.sample import (
    JOB_ID,
    LEASE_MS,
    NOW_MS,
    SPENT,
    a_job,
    by_key,
    claim_of,
    creation,
    first_leg,
)
from tests.contract.store.side import Side

REMEMBER = remember_leg(JOB_ID, 1, 1, NOW_MS)


async def ended(side: Side) -> tuple[Leg, ...]:
    """A job that remembers has answered; what its last message carries."""
    job = replace(a_job(), remembers=True)
    await side.store.create(creation(job), "witness", NOW_MS)
    changes = decide(State(job, first_leg()), ModelAnswered("done"), NOW_MS).changes
    assert changes is not None
    committed = await side.store.commit(claim_of(first_leg(), "m1"), changes, SPENT)
    assert committed.applied
    return committed.carried


async def test_an_ended_job_keeps_this_leg_and_its_last_wish(side: Side) -> None:
    """Both are carried by the message that ended it."""
    carried = await ended(side)
    assert [leg.kind for leg in carried] == [LegKind.REMEMBER, LegKind.WISH]
    snapshot = await side.reader.job(JOB_ID)
    assert snapshot is not None
    assert by_key(snapshot.legs) == by_key(carried)
    assert snapshot.job.remembers


async def test_who_claims_it_is_told_what_the_job_was_asked(side: Side) -> None:
    """And nothing more; it needs no slot."""
    await ended(side)
    begun = await side.store.begin(claim_of(REMEMBER, "m2", "o2"))
    assert begun.verdict is Verdict.GRANTED
    assert [entry["text"] for entry in begun.history.transcript] == ["do it"]
    assert begun.history.results == {}
    assert begun.state is not None
    assert begun.state.job.result == {"answer": "done"}
    busy = await side.store.begin(claim_of(REMEMBER, "m3", "o3"))
    assert busy.verdict is Verdict.BUSY


async def test_it_is_done_once(side: Side) -> None:
    """The first commit wins, and the job stays as it ended."""
    await ended(side)
    claim = claim_of(REMEMBER, "m2", "o2")
    await side.store.begin(claim)
    assert (await side.store.commit(claim, Changes(), SPENT)).applied
    assert not (await side.store.commit(claim, Changes(), SPENT)).applied
    assert (await side.store.begin(claim)).verdict is Verdict.APPLIED
    snapshot = await side.reader.job(JOB_ID)
    assert snapshot is not None
    assert snapshot.job.ended
    assert [leg.kind for leg in snapshot.legs] == [LegKind.WISH]


async def test_the_sweep_drives_it_and_keeps_the_job_in_the_book_until_then(side: Side) -> None:
    """Else nobody would look for it any more."""
    carried = await ended(side)
    [wish] = [leg for leg in carried if leg.kind is LegKind.WISH]
    heard = claim_of(wish, "m2", "o2")
    await side.store.begin(heard)
    await side.store.commit(heard, Changes(admitted=True), SPENT)
    book = {JOB_ID: Entry("tenant_a", "session_a", 5, NOW_MS, lap=wish.attempt, want="gone")}
    later_ms = NOW_MS + LEASE_MS
    looked = await side.store.look(JOB_ID, "sweep", later_ms, 60_000, book)
    assert ([leg.key for leg in looked.lost], looked.ended) == ([REMEMBER.key], ())
    claim = claim_of(REMEMBER, "sweep", "o3", after_ms=LEASE_MS)
    await side.store.begin(claim)
    await side.store.commit(claim, Changes(), SPENT)
    looked = await side.store.look(JOB_ID, "sweep2", later_ms, 60_000, book)
    assert (looked.lost, looked.ended) == ((), (JOB_ID,))
