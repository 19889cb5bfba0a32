"""CLAIM: what it answers and what it leaves behind; claims are prolonged or given back only by who holds them.

Going on in place, a COMMIT claims what follows for its invocation, and tells it as CLAIM would. A message that comes
again while its first delivery goes on in place is acknowledged, so that one ends its chain. Whoever comes with the
message dispatches what it carries, not before its lease ends. What the first one commits after that has nobody who
brings it back: it is published, to get relay messages of its own.
"""

from collections.abc import Awaitable, Callable

import pytest
from msgspec.structs import replace

from baton.engine.all_jobs.slots import STALLED_AFTER_MS, SlotState
from baton.engine.commit.answers import Claim, ClaimResult, Committed, Signal, Verdict
from baton.engine.effects import Changes
from baton.engine.outbox import Continuation
from baton.engine.state import BudgetScope, State
from baton.engine.work_items import CLOCK_ERROR_MS, ItemKind, WorkItem, following, loop_item
from tests.contract.store.sample import (
    FIRST_EPOCH,
    JOB_ID,
    LEASE_MS,
    NOW_MS,
    a_job,
    call_item,
    claim_of,
    creation,
    fan_out,
    first_item,
    job_of,
    leases_of,
    loaded_of,
    next_turn,
    record_of,
    slot_request_of,
    state_of,
    table_of,
)
from tests.contract.store.side import Side

UNTIL_MS = NOW_MS + 3 * LEASE_MS
MINE = claim_of(first_item())


async def created(side: Side) -> None:
    await side.store.create(creation(a_job()), "witness", NOW_MS)


def claimed(item: WorkItem, message: str, owner: str, at_ms: int) -> WorkItem:
    return replace(item, relay_id=message, owner=owner, claimed_ms=at_ms, lease_until_ms=at_ms + LEASE_MS)


async def test_a_free_item_is_granted_with_the_state(side: Side) -> None:
    """The message is the work item's relay message from now on, and does not carry it besides."""
    await created(side)
    claim_result = await side.store.claim(MINE)
    assert (claim_result.verdict, claim_result.pending) == (Verdict.GRANTED, ())
    held = claimed(first_item(), "m1", "o1", NOW_MS)
    assert claim_result.state == State(a_job(), held, budget_scopes=(BudgetScope(a_job()),))
    assert (await side.store.claim(replace(MINE, item_key="none", message_id="witness"))).pending == ()


async def test_another_owner_finds_an_item_busy_until_its_lease_ends_and_then_takes_over(side: Side) -> None:
    """From the moment the lease ends; the first message carries it no longer."""
    await created(side)
    first = await side.store.claim(MINE)
    busy = await side.store.claim(claim_of(first_item(), "m2", "o2", after_ms=LEASE_MS - 1))
    assert busy == ClaimResult(Verdict.BUSY, free_at_ms=NOW_MS + LEASE_MS)
    assert (await side.store.claim(MINE)).state == first.state
    taken = await side.store.claim(claim_of(first_item(), "m2", "o2", after_ms=LEASE_MS))
    again = replace(claimed(first_item(), "m2", "o2", NOW_MS + LEASE_MS), lost=1, abandoned=1)
    assert taken.state == State(a_job(), again, budget_scopes=(BudgetScope(a_job()),))
    late = await side.store.claim(claim_of(first_item(), "m1", "o1", after_ms=LEASE_MS))
    assert (late.verdict, late.free_at_ms, late.pending) == (Verdict.BUSY, NOW_MS + 2 * LEASE_MS, ())


async def test_a_message_id_that_begins_like_another_is_another(side: Side) -> None:
    """Ids are compared whole, with dots and dashes as they are."""
    await fan_out(side, 2, "m.1-a")
    for other in ("m.1-", "m.1-a.b", "mx1-a", "m.1-A"):
        assert (await side.store.claim(claim_of(first_item(), other))).pending == ()


async def test_compacted_entries_are_not_loaded(side: Side) -> None:
    """Neither entries nor the results of their calls; what only looks like a call has no result."""
    streamed_text = [
        f'{{"calls":[{{"arguments":{{"id":"{JOB_ID}-9-9-a"}},"id":"c{n}","tool":"t"}}],"role":"model","turn":{n}}}'
        for n in range(1, 6)
    ]
    changes = Changes(
        job=replace(a_job(), compacted=(1, 4)),
        transcript=tuple(streamed_text),
        results={f"c{n}": f'{{"ok":{n}}}' for n in range(1, 5)},
        items=(loop_item(JOB_ID, 6, 1, NOW_MS),),
    )
    await created(side)
    assert (await side.store.commit(MINE, changes)).applied
    history = (await side.store.claim(claim_of(loop_item(JOB_ID, 6, 1, NOW_MS), "m2"))).history
    assert [entry.get("turn") for entry in history.transcript] == [None, 4, 5]
    assert (history.results, history.compacted) == ({"c4": {"ok": 4}}, (1, 4))


async def lease_of(side: Side, key: str) -> tuple[str, int]:
    item = next(item for item in (await job_of(side)).items if item.key == key)
    return item.owner, item.lease_until_ms


async def test_who_holds_an_item_prolongs_its_claim(side: Side) -> None:
    """Several at once, never for less than it lasts."""
    await fan_out(side, 3)
    claims = [claim_of(call_item(place), "m1", f"o1.{place}") for place in range(2)]
    for claim in claims:
        await side.store.claim(claim)
    assert await side.store.renew(claims, UNTIL_MS) == []
    assert await side.store.renew(claims, NOW_MS) == []
    assert [await lease_of(side, claim.item_key) for claim in claims] == [("o1.0", UNTIL_MS), ("o1.1", UNTIL_MS)]
    busy = await side.store.claim(claim_of(call_item(0), "m2", "o2", after_ms=LEASE_MS))
    assert busy == ClaimResult(Verdict.BUSY, free_at_ms=UNTIL_MS)


async def test_a_late_prolongation_takes_nothing_back(side: Side) -> None:
    """Neither from who took over, nor of what was given back, nor of what is done or unknown."""
    await fan_out(side, 2)
    mine, given = claim_of(call_item(0), "m1", "o1"), claim_of(call_item(1), "m1", "o1")
    await side.store.claim(mine)
    await side.store.claim(given)
    await side.store.claim(claim_of(call_item(0), "m2", "o2", after_ms=LEASE_MS))
    await side.store.give_back(given, NOW_MS, begun=True)
    gone = replace(mine, item_key="call:none:1")
    assert await side.store.renew([mine, given, gone], UNTIL_MS) == [mine.item_key, given.item_key, gone.item_key]
    assert await lease_of(side, mine.item_key) == ("o2", NOW_MS + 2 * LEASE_MS)
    assert await lease_of(side, given.item_key) == ("", NOW_MS - CLOCK_ERROR_MS)
    assert await side.store.renew([claim_of(first_item("nobody"))], UNTIL_MS) == [first_item("nobody").key]


async def test_what_is_given_back_is_free_at_once_and_no_death(side: Side) -> None:
    """Of a turn that was begun, the model may have been called."""
    await created(side)
    found = list[tuple[int, int]]()
    for number, begun in enumerate((True, False, True)):
        claim = claim_of(first_item(), f"m{number}", f"o{number}")
        item = (await state_of(side.store, claim)).item
        found.append((item.lost, item.abandoned))
        for _ in range(2):
            await side.store.give_back(claim, NOW_MS, begun=begun)
    assert found == [(0, 0), (1, 0), (1, 0)]
    assert sum('"broken off"' in part for part in (await side.reader.parts(JOB_ID, 0)).parts) == 2


async def test_a_claim_that_is_given_back_says_what_its_call_waits_for(side: Side) -> None:
    """Until it is claimed again."""
    await created(side)
    await side.store.claim(MINE)
    await side.store.give_back(replace(MINE, limited_by="crm"), NOW_MS, begun=False)
    assert [item.limited_by for item in (await job_of(side)).items if item.key == MINE.item_key] == ["crm"]
    assert (await state_of(side.store, claim_of(first_item(), "m2", "o2"))).item.limited_by == ""


async def test_a_call_that_comes_by_itself_is_not_replayed(side: Side) -> None:
    """Each sweep would bring one message more; the call is left to one once its own message has not come."""
    await created(side)
    await side.store.claim(MINE)
    comes_ms = NOW_MS + 10 * STALLED_AFTER_MS
    await side.store.give_back(replace(MINE, limited_by="crm", comes_ms=comes_ms), NOW_MS, begun=False)
    for now_ms, replayed in ((comes_ms - 1, []), (comes_ms + STALLED_AFTER_MS + 1, [MINE.item_key])):
        found = await side.store.reconcile(JOB_ID, f"sweep at {now_ms}", now_ms, STALLED_AFTER_MS, table_of(JOB_ID))
        assert [item.key for item in found.stalled] == replayed


async def test_a_call_that_waits_for_its_budget_may_come_before_its_time(side: Side) -> None:
    """Somebody may have raised it. Its job has no slot any more, and asks for one."""
    await created(side)
    state = await state_of(side.store, MINE)
    waits = replace(first_item(), since_ms=NOW_MS + 1, not_before_ms=NOW_MS + 86_400_000, limited_by="budget 'k'")
    await side.store.commit(MINE, Changes(job=state.job, items=(waits,)))
    early = claim_of(waits, "m2", "o2", after_ms=1_000)
    assert (await side.store.claim(early)).verdict is Verdict.GATED
    (slot,) = [item for item in (await job_of(side)).items if item.want == "slot"]
    assert slot.relay_id == "m2"


async def test_a_claim_that_comes_late_leaves_the_time_of_a_call_that_comes_by_itself(side: Side) -> None:
    """It was sent before the call was due, and has stood still; the call has begun to wait for a limit meanwhile."""
    again = replace(call_item(0), not_before_ms=NOW_MS + 1, since_ms=NOW_MS + 60_000, limited_by="limit 'crm'")
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    await side.store.commit(claim_of(first_item(), "m1"), Changes(items=(again,), calls=(record_of(again),)))
    assert (await side.store.claim(claim_of(again, "m2"))).verdict is Verdict.EARLY
    (item,) = (await job_of(side)).items
    assert (item.since_ms, item.not_before_ms) == (NOW_MS + 60_000, NOW_MS + 1)


async def test_only_its_owner_gives_a_claim_back(side: Side) -> None:
    await fan_out(side, 1)
    await side.store.claim(claim_of(call_item(0), "m1", "o1"))
    await side.store.give_back(claim_of(call_item(0), "m1", "o2"), NOW_MS, begun=True)
    assert await lease_of(side, call_item(0).key) == ("o1", NOW_MS + LEASE_MS)


CALL_MS = leases_of()[ItemKind.CALL]
CALL = call_item(0)
OVER = Changes(join=next_turn(), results={CALL.call_id: '{"ok":1}'})


def room(number: int, invocation: str = "o1") -> Continuation:
    return Continuation(f"{invocation}.{number}", leases_of(), 9)


async def turn_of(side: Side, count: int) -> Committed:
    """The invocation o1 has made m1's turn, and holds its calls as o1.1."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    assert (await side.store.claim(claim_of(first_item()))).verdict is Verdict.GRANTED
    items = [call_item(at) for at in range(count)]
    turn = Changes(items=tuple(items), calls=tuple(map(record_of, items)))
    return await side.store.commit(claim_of(first_item()), turn, room(1))


async def in_place(side: Side, count: int = 1) -> list[WorkItem]:
    assert len((await turn_of(side, count)).claimed) == count
    return [call_item(at) for at in range(count)]


async def committed(side: Side, changes: Changes = OVER) -> Committed:
    return await side.store.commit(claim_of(CALL, owner="o1.1"), changes, room(2))


def kinds_of(done: Committed) -> list[ItemKind]:
    return [claimed.state.item.kind for claimed in done.claimed if claimed.state]


def is_released(done: Committed) -> bool:
    """Whether nothing was claimed, since somebody else dispatches what follows, too."""
    follows = [item for item in done.pending if item.kind is not ItemKind.SLOT_REQUEST]
    assert not (done.claimed and follows)
    return bool(follows) and all(item.redelivered for item in follows)


async def test_what_follows_is_claimed_and_sent_as_begin_sends_it(side: Side) -> None:
    done = await turn_of(side, 2)
    assert (done.applied, done.pending) == (True, ())
    states = [claim_result.state for claim_result in done.claimed]
    assert [state.call for state in states if state] == [record_of(CALL), record_of(call_item(1))]
    assert {(state.item.owner, state.item.relay_id) for state in states if state} == {("o1.1", "m1")}
    assert (await side.store.claim(claim_of(CALL, "m2", "o2"))).verdict is Verdict.BUSY
    assert await state_of(side.store, claim_of(CALL, "m1", "o1.1")) == states[0]


async def test_a_turn_is_given_its_history(side: Side) -> None:
    """The last call of a turn claims the next turn, with the whole conversation and its limits."""
    await in_place(side)
    done = await committed(side, changes=replace(OVER, transcript=('{"a":1}',)))
    assert kinds_of(done) == [ItemKind.LOOP]
    claim_result = await side.store.claim(claim_of(loop_item(JOB_ID, 2, 1, NOW_MS), "m1", "o1.2"))
    assert (done.claimed[0].history, done.claimed[0].state) == (claim_result.history, claim_result.state)
    assert len(claim_result.history.transcript) == 2
    assert claim_result.history.results == {CALL.call_id: {"ok": 1}}


async def test_what_the_invocation_has_in_hand_is_not_given_to_it(side: Side) -> None:
    """Its other work items go on at the same time: their answers would grow with each other."""
    await in_place(side, 3)
    done = await committed(side)
    assert (done.applied, done.claimed, done.pending) == (True, (), ())


async def test_a_due_wait_is_claimed_with_its_outcome(side: Side) -> None:
    """The outcome that it ends with is fixed, as at a CLAIM."""
    await in_place(side)
    wait = replace(following(CALL, ItemKind.WAIT, NOW_MS, not_before_ms=NOW_MS), timeout_result='{"ok":"late"}')
    done = await committed(side, changes=Changes(items=(wait,)))
    assert [claim_result.state.outcome for claim_result in done.claimed if claim_result.state] == ['{"ok":"late"}']


async def again(side: Side) -> None:
    claim_result = await side.store.claim(claim_of(first_item(), owner="o2"))
    assert (claim_result.verdict, [item.key for item in claim_result.pending]) == (Verdict.APPLIED, [CALL.key])


async def as_a_callback(side: Side) -> None:
    found = await side.store.undelivered(claim_of(first_item(), "cb1"), "m1")
    assert [item.key for item in found.pending] == [CALL.key]


async def as_a_callback_about_the_item(side: Side) -> None:
    """The queue has given up on a message with the held work item's own event: that event is published anew."""
    assert (await side.store.undelivered(claim_of(CALL, "cb1"), "m1")).state is not None


async def as_a_submission(side: Side) -> None:
    created = await side.store.create(creation(a_job()), "m1", NOW_MS)
    assert (created.new, [item.key for item in created.pending]) == (False, [CALL.key])


async def as_a_repeated_command(side: Side) -> None:
    signal = Signal("evt_1", '{"ok":1}', event="paid")
    await side.store.signal(JOB_ID, "m9", signal, NOW_MS)
    assert [item.key for item in (await side.store.signal(JOB_ID, "m1", signal, NOW_MS)).items] == [CALL.key]


async def as_a_busy_one(side: Side) -> None:
    """The held work item is the message's own: it publishes itself again."""
    assert (await side.store.claim(claim_of(CALL, owner="o2"))).verdict is Verdict.BUSY


async def as_a_recorded_command(side: Side) -> None:
    """A job that was let run again goes on in place by the message that told so."""
    _, items = await side.store.record(await loaded_of(side), "m1", Changes(), NOW_MS)
    assert [(item.key, item.redelivered) for item in items] == [(CALL.key, True)]


async def as_a_sweep(side: Side) -> None:
    """Who held it long ago may wake up, and its message has had its retries."""
    late_ms = NOW_MS + CALL_MS + STALLED_AFTER_MS + 1
    reconciled = await side.store.reconcile(JOB_ID, "sweep1", late_ms, STALLED_AFTER_MS, table_of(JOB_ID))
    assert [(item.key, item.redelivered) for item in reconciled.stalled] == [(CALL.key, True)]


async def as_another_one_after_the_lease(side: Side) -> None:
    """Somebody else has begun the work item: its message has been told again."""
    assert (await side.store.claim(claim_of(CALL, "m2", "o2", after_ms=CALL_MS + 1))).verdict is Verdict.GRANTED


@pytest.mark.parametrize(
    "comes",
    [
        *(again, as_a_callback, as_a_callback_about_the_item, as_a_submission, as_a_repeated_command, as_a_busy_one),
        *(as_a_recorded_command, as_a_sweep, as_another_one_after_the_lease),
    ],
    ids=lambda comes: comes.__name__,
)
async def test_who_has_lost_its_message_goes_on_with_nothing(
    side: Side, comes: Callable[[Side], Awaitable[None]]
) -> None:
    await in_place(side)
    await comes(side)
    done = await committed(side)
    assert (done.applied, is_released(done)) == (True, True)
    assert [item.kind for item in done.pending if item.kind is not ItemKind.SLOT_REQUEST] == [ItemKind.LOOP]


async def test_all_that_it_holds_is_dispatched(side: Side) -> None:
    items = await in_place(side, 2)
    pending = (await side.store.claim(claim_of(first_item(), owner="o2"))).pending
    assert [(item.key, item.redelivered) for item in pending] == [(item.key, True) for item in items]
    assert (await committed(side)).applied
    last = await side.store.commit(claim_of(items[1], owner="o1.1"), OVER, room(3))
    assert (last.applied, is_released(last)) == (True, True)


async def test_without_its_items_nothing_is_continued_post_commit(side: Side) -> None:
    """The answer was lost: what a repeated COMMIT is told no longer knows of the item that was dispatched."""
    await in_place(side)
    await again(side)
    assert is_released(await committed(side))
    repeated = await committed(side)
    assert (repeated.applied, is_released(repeated)) == (False, True)
    (turn,) = [item for item in repeated.pending if item.kind is ItemKind.LOOP]
    assert (await side.store.claim(claim_of(turn))).verdict is Verdict.GRANTED
    done = await side.store.commit(claim_of(turn), Changes(items=(call_item(1),)), room(3))
    assert is_released(done)


async def test_another_message_that_finds_it_busy_takes_nothing_away(side: Side) -> None:
    await in_place(side)
    assert (await side.store.claim(claim_of(CALL, "m2", "o2"))).verdict is Verdict.BUSY
    assert kinds_of(await committed(side)) == [ItemKind.LOOP]


async def test_an_invocation_does_not_release_what_it_has_in_hand(side: Side) -> None:
    """It asks for a further work item while others are under way: it is told those, too."""
    await in_place(side, 2)
    later = following(call_item(1), ItemKind.FAILED, NOW_MS)
    failed = Changes(items=(later,), calls=(record_of(call_item(1)),))
    assert (await side.store.commit(claim_of(call_item(1), owner="o1.1"), failed)).applied
    assert (await side.store.claim(claim_of(later, owner="o1"))).verdict is Verdict.GRANTED
    done = await committed(side, changes=replace(OVER, join=None, items=(loop_item(JOB_ID, 2, 1, NOW_MS),)))
    assert kinds_of(done) == [ItemKind.LOOP]


async def test_a_new_claim_is_not_dispatched(side: Side) -> None:
    await in_place(side)
    await again(side)
    late = claim_of(CALL, "m2", "o2", after_ms=CALL_MS + 1)
    assert not (await state_of(side.store, late)).item.redelivered
    assert kinds_of(await side.store.commit(late, OVER, room(1, "o2"))) == [ItemKind.LOOP]


@pytest.mark.parametrize("continuation", [room(1, "o2"), None], ids=["in place", "not in place"])
async def test_who_comes_too_late_dispatches_what_another_one_holds(
    side: Side, continuation: Continuation | None
) -> None:
    """Its own COMMIT finds the work item gone, and is told what the message carries since."""
    await in_place(side)
    late = await side.store.commit(claim_of(first_item(), owner="o2"), Changes(), continuation)
    assert (late.applied, [(item.key, item.redelivered) for item in late.pending]) == (False, [(CALL.key, True)])
    assert is_released(await committed(side))


async def test_what_nobody_has_claimed_yet_is_dispatched_once(side: Side) -> None:
    """Its first delivery is about to ask for it: that request is slow, and the message comes again."""
    items = await in_place(side)
    taken_in = Changes(items=(following(items[0], ItemKind.COMPLETE, NOW_MS),), results={items[0].call_id: '{"ok":1}'})
    first = await side.store.commit(claim_of(items[0], owner="o1.1"), taken_in)
    second = await side.store.claim(claim_of(first_item(), owner="o2"))
    assert [(item.key, item.redelivered) for item in second.pending] == [(first.pending[0].key, True)]
    assert (await side.store.claim(claim_of(first.pending[0], owner="o1"))).verdict is Verdict.GRANTED
    done = await side.store.commit(claim_of(first.pending[0]), Changes(join=next_turn()), room(2))
    assert is_released(done)


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        pytest.param(claim_of(CALL, owner="o2", after_ms=CALL_MS + 1), Verdict.GATED, id="about the item"),
        pytest.param(claim_of(first_item(), owner="o2"), Verdict.APPLIED, id="about what is done"),
    ],
)
async def test_who_comes_again_while_its_job_has_no_slot_releases_what_was_begun_with_one(
    side: Side, claim: Claim, verdict: Verdict
) -> None:
    """The admission forgot a job at work, which asks again; the message is acknowledged, since the request is told."""
    await in_place(side)
    await side.store.reconcile(JOB_ID, "sweep1", NOW_MS + STALLED_AFTER_MS, STALLED_AFTER_MS, {})
    claim_result = await side.store.claim(claim)
    assert (claim_result.verdict, claim_result.pending) == (verdict, ())
    assert [item.redelivered for item in (await job_of(side)).items if item.kind is ItemKind.CALL] == [True]


async def test_a_slot_request_that_is_taken_from_somebody_else_is_released(side: Side) -> None:
    """Nobody holds a slot request: whoever is told of it may claim it, also who has lost its message meanwhile."""
    await side.store.create(creation(a_job(), slot=False), "m1", NOW_MS)
    slot_request = slot_request_of("slot", "m1", FIRST_EPOCH)
    claim_result = [
        await side.store.claim(claim_of(slot_request, *who)) for who in (("m2", "o2"), ("m2", "o2.1"), ("m1", "o1"))
    ]
    assert [each.state.item.redelivered for each in claim_result if each.state] == [False, False, True]
    done = await side.store.commit(claim_of(slot_request), Changes(admitted=True), room(1))
    assert (is_released(done), [item.key for item in done.pending]) == (True, [first_item().key])


async def test_an_invocation_that_continues_nothing_releases_what_follows_too(side: Side) -> None:
    await in_place(side)
    await again(side)
    done = await side.store.commit(claim_of(CALL, owner="o1.1"), OVER)
    assert (done.applied, is_released(done)) == (True, True)


@pytest.mark.parametrize("continuation", [room(1, "o3"), None], ids=["in place", "not in place"])
async def test_a_slot_that_is_given_anew_brings_what_somebody_works_on(
    side: Side, continuation: Continuation | None
) -> None:
    """A failover forgot that the job had it: who tells of the slot carries the job's work from then on."""
    await in_place(side)
    slot_request = slot_request_of("slot", "m3", NOW_MS + 1)
    again = Changes(items=(slot_request,), slot_state=SlotState("slot", NOW_MS + 1, slot=False))
    loaded = await loaded_of(side)
    await side.store.record(loaded, "m3", replace(again, job=loaded.job), NOW_MS)
    found = await side.store.commit(claim_of(slot_request, "m3", "o3"), Changes(admitted=True), continuation)
    assert [(item.key, item.redelivered) for item in found.pending] == [(CALL.key, True)]
    assert is_released(await committed(side))
