"""What one invocation keeps in mind while it handles one message, and what it spends, which is metered."""

import pytest
from msgspec.structs import replace

from baton.engine.commit.answers import ClaimResult, Committed, Verdict
from baton.engine.commit.usage_ledger import Metered
from baton.engine.outbox import event_of
from baton.engine.work_items import CLOCK_ERROR_MS, ItemKind, WorkItem
from baton.queue.dispatch import Delivered
from baton.store.redis.totals import Counters
from baton.store.transport.meter import charge, take
from baton.worker.runtime.claims import Claims
from baton.worker.runtime.invocation import Dispatched, HeldJob, Invocation, claimed_step
from baton.worker.runtime.metering import Metering
from baton.worker.runtime.policy import RENEW_SECONDS, Policy
from tests.fakes.clock import FakeClock
from tests.fakes.stored import FakeConnection, FakeStore
from tests.unit.baton.engine.sample_state import NOW_MS, turn_state

TURN = WorkItem("loop:job_1:1:1", ItemKind.LOOP, "job_1", 1, 1)
CALL = WorkItem("call:a:1", ItemKind.CALL, "job_1", 1, 1, call_id="a", tool="look")
OTHER = replace(CALL, key="call:b:1", call_id="b")
SLOT_REQUEST = WorkItem("slot_request:job_1:2", ItemKind.SLOT_REQUEST, "job_1", 1, 2, want="slot")


def run_of(item: WorkItem, retried: int = 0) -> Invocation:
    claims = Claims(FakeStore(), FakeClock(), Policy({}))
    return Invocation(Delivered("m1", retried, event_of("s", item)), "o1", NOW_MS, claims)


@pytest.mark.parametrize(
    ("item", "call_id", "slot_request"), [(TURN, "", False), (CALL, "a", False), (SLOT_REQUEST, "", True)]
)
def test_whatever_way_an_item_comes_it_is_the_same_step(item: WorkItem, call_id: str, *, slot_request: bool) -> None:
    """By the message itself, carried by it, or claimed by a COMMIT, which names its owner."""
    run = run_of(item)
    assert (run.first.item_key, run.first.job_id, run.first.call_id, run.first.slot_request) == (
        item.key,
        "job_1",
        call_id,
        slot_request,
    )
    assert run.step_of(item) == run.first
    run.begin(claimed_step(claimed(replace(item, owner="o1.1"))))
    [step] = run.todo
    assert step == replace(run.first, owner="o1.1", event=None, claim_result=step.claim_result)
    assert run.in_progress == {item.key}


def claimed(item: WorkItem) -> ClaimResult:
    return ClaimResult(Verdict.GRANTED, state=replace(turn_state(), item=item))


NEXT = replace(CALL, owner="o1.1", claimed_ms=NOW_MS)
ALONE = Committed(applied=True, claimed=(claimed(NEXT),))


@pytest.mark.parametrize(
    ("first", "committed", "later_ms", "alone", "todo", "goes_on"),
    [
        (TURN, ALONE, 1_000 * RENEW_SECONDS, True, False, True),
        (TURN, ALONE, 1_000 * RENEW_SECONDS + 1, True, False, False),  # another may have taken over
        (TURN, ALONE, 0, False, False, False),
        (TURN, ALONE, 0, True, True, False),
        (SLOT_REQUEST, ALONE, 0, True, False, False),
        (TURN, replace(ALONE, applied=False), 0, True, False, False),
        (TURN, replace(ALONE, pending=(OTHER,)), 0, True, False, False),
        (TURN, replace(ALONE, claimed=()), 0, True, False, False),
        (TURN, replace(ALONE, claimed=(claimed(NEXT), claimed(OTHER))), 0, True, False, False),
        (TURN, replace(ALONE, claimed=(claimed(replace(NEXT, died=1)),)), 0, True, False, False),  # it may kill
        (TURN, replace(ALONE, claimed=(claimed(replace(NEXT, kind=ItemKind.COMPLETE)),)), 0, True, False, False),
    ],
)
async def test_a_step_goes_on_with_the_one_piece_of_work_that_follows_alone(
    first: WorkItem, committed: Committed, later_ms: float, *, alone: bool, todo: bool, goes_on: bool
) -> None:
    """Its claim is held in the place of the one before; else that one's is over, and all that follows is begun."""
    run = run_of(first)
    claim = run.claim_of(run.first, NOW_MS)
    run.in_progress.add(first.key)
    if todo:
        run.begin(run.step_of(OTHER))
    held = HeldJob(run.claims, run.first, claim, claimed(first))
    assert run.goes_on(held, committed, NOW_MS + round(later_ms), alone=alone) is goes_on
    assert held.claim.item_key == (NEXT.key if goes_on else first.key)
    if goes_on:
        assert (held.claim.owner, held.claim.now_ms, held.step) == ("o1.1", NOW_MS, claimed_step(ALONE.claimed[0]))
        assert run.in_progress == {NEXT.key}
        assert run.ends(run.first, done=True)  # it is known to be done


def test_what_it_has_in_hand_or_has_dispatched_is_seen() -> None:
    """Until it has ended; what is left to somebody else stays so."""
    run = run_of(TURN)
    run.begin(run.step_of(CALL))
    run.dispatched.add(OTHER)
    assert [run.is_seen(item, NOW_MS) for item in (CALL, OTHER, TURN)] == [True, True, False]
    run.ends(run.step_of(CALL), done=True)
    run.begin(run.first)
    run.leaves(run.first)
    assert [run.is_seen(item, NOW_MS) for item in (CALL, OTHER, TURN)] == [False, True, True]
    assert run.in_progress == set()


def test_a_commit_takes_nothing_that_is_in_hand_or_went_out() -> None:
    run = run_of(TURN)
    for item in (TURN, CALL):
        run.begin(run.step_of(item))
    run.dispatched.add(OTHER)
    assert run.excluded(run.first) == {CALL.key, OTHER.key}
    assert run.excluded(run.step_of(SLOT_REQUEST)) == {TURN.key, CALL.key}


def test_what_is_done_twice_was_brought_back_by_a_failover() -> None:
    """What was overtaken was not done; what was dispatched and is done now may go out again."""
    run = run_of(CALL)
    run.dispatched.add(CALL)
    assert not run.ends(run.first, done=False)
    assert run.is_seen(CALL, NOW_MS)
    assert not run.ends(run.first, done=True)
    assert not run.is_seen(CALL, NOW_MS)
    assert run.ends(run.first, done=True)
    assert not run.ends(run.first, done=False)


def test_no_two_commits_claim_under_the_same_name_and_no_two_rounds_replay_alike() -> None:
    """Nor two deliveries of a message; the same one does, so the queue swallows what it dispatches twice."""
    run = run_of(TURN)
    names = {run.name_of_claims() for _ in range(3)}
    assert len(names) == 3
    assert all(name.startswith("o1.") for name in names)
    replays = [run.replay_id, run_of(TURN).replay_id, run_of(TURN, retried=1).replay_id]
    run.dispatched.begin_anew()
    assert replays[0] == replays[1]
    assert len({*replays, run.replay_id}) == 3


DUE = WorkItem("call:a:1", ItemKind.CALL, "job_1", 1, 1, call_id="a")
LATER = replace(DUE, key="wait:b:1", kind=ItemKind.WAIT, call_id="b", not_before_ms=NOW_MS + CLOCK_ERROR_MS + 1)
SOON = replace(LATER, key="wait:c:1", call_id="c", not_before_ms=NOW_MS + CLOCK_ERROR_MS)


def test_what_is_published_or_left_is_dispatched_no_more() -> None:
    """Until it is done: where a failover brings it back then, it goes out again."""
    dispatched = Dispatched()
    assert not dispatched.has(DUE, NOW_MS)
    dispatched.add(DUE)
    dispatched.leave_open("loop:job_1:1:1")
    assert dispatched.has(DUE, NOW_MS)
    assert dispatched.keys() == {DUE.key, "loop:job_1:1:1"}
    dispatched.discard(DUE.key)
    assert not dispatched.has(DUE, NOW_MS)


def test_after_news_all_goes_out_again_but_for_what_is_to_come_later() -> None:
    """Whatever the admission says: a timer that is under way comes by itself, unless it is for another time by now."""
    dispatched = Dispatched()
    for item in (DUE, LATER, SOON):
        dispatched.add(item)
    dispatched.begin_anew()
    assert dispatched.keys() == frozenset()
    assert [dispatched.has(item, NOW_MS) for item in (DUE, LATER, SOON)] == [False, True, False]
    assert not dispatched.has(replace(LATER, not_before_ms=LATER.not_before_ms + 1), NOW_MS)
    assert not dispatched.has(LATER, NOW_MS + 1)


def test_each_time_it_begins_anew_is_another_round() -> None:
    """Else the queue would take what goes out again for the same message, and swallow it."""
    dispatched, rounds = Dispatched(), set[int]()
    for _ in range(3):
        rounds.add(dispatched.rounds)
        dispatched.begin_anew()
    assert len(rounds) == 3


class Measured:
    def __init__(self) -> None:
        self.clock, self.counters = FakeClock(), Counters(FakeConnection())
        self.metering = Metering(self.clock, self.counters, memory_mb=512)

    async def spend(self, requests: int, *, kept: int = 0) -> None:
        async with self.metering.invocation():
            charge(requests=kept)
            take()
            charge(requests=requests)


async def test_what_no_job_keeps_is_overhead_and_reported_after_a_minute() -> None:
    """By the next invocation: no request is made for it before. It is told once, and what that takes with the next."""
    measured = Measured()
    await measured.spend(2, kept=5)
    measured.clock.ms += 59_999
    await measured.spend(1)
    assert await measured.counters.sums() == {}
    measured.clock.ms += 1
    await measured.spend(4)
    assert await measured.counters.sums() == {"overhead:requests": 7}
    await measured.metering.flush()
    assert (await measured.counters.sums())["overhead:requests"] == 7 + 1


async def test_an_invocation_that_fails_is_metered_too() -> None:
    measured = Measured()

    async def fail() -> None:
        async with measured.metering.invocation():
            charge(requests=3)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    await measured.metering.flush()
    assert await measured.counters.sums() == {"overhead:requests": 3}


async def test_within_another_invocation_there_is_one_meter() -> None:
    measured = Measured()
    async with measured.metering.invocation():
        async with measured.metering.invocation():
            charge(requests=1)
        assert take() == Metered(requests=1)


@pytest.mark.parametrize(("events", "retried", "messages"), [(False, 0, 1), (False, 1, 0), (True, 0, 0)])
async def test_a_delivery_is_counted_each_time_and_a_message_once(events: bool, retried: int, messages: int) -> None:
    """The message of an event is its handler's to count: a fact has counted its own."""
    async with Measured().metering.delivery(retried, events=events):
        assert take() == Metered(messages=messages, deliveries=1)
