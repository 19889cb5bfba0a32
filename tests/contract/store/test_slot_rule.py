"""The slot rule, clause by clause: who gets a free slot (decisions/0011-admission), and what an update changes."""

from dataclasses import replace

from baton.engine.all_jobs.slots import QueueEntry
from baton.engine.commit.stored_bytes import BytesAdded
from baton.sdk.clock import SystemClock
from baton.store.records.all_jobs import SlotAnswer
from baton.store.redis import keys
from baton.store.redis.admission import Admission
from baton.store.redis.connection import RedisConnection
from baton.store.redis.semaphore import Semaphore, member_of
from baton.store.transport.meter import Meter, metered, take
from tests.contract.store.sample import NOW_MS, slot_request
from tests.contract.store.side import SLOTS, SWEEP_INTERVAL_MS, Side, side_over


async def fill(side: Side, tenant: str = "t") -> None:
    """Give all slots to the jobs a, b and c."""
    for name in "abc"[:SLOTS]:
        assert (await slot_request(side, name, tenant=tenant)).slot


async def freed(side: Side, name: str) -> list[str]:
    """Who gets the slot that a job gives back at its end."""
    return [one.job_id for one in (await slot_request(side, name, "gone", 9)).granted]


async def test_a_free_slot_goes_to_a_job_that_has_run_before_whatever_its_tenant_holds(side: Side) -> None:
    """Before a new job of a tenant that holds none, and of one that holds fewer."""
    await fill(side)
    await slot_request(side, "a", "none", 1)
    await slot_request(side, "d", tenant="u")
    await slot_request(side, "e", tenant="v")
    await slot_request(side, "a", "slot", 2)
    assert await freed(side, "b") == ["a"]
    assert await freed(side, "c") == ["e"]


async def test_of_a_tenant_who_has_run_before_goes_first_whatever_its_priority_and_age(side: Side) -> None:
    await fill(side)
    await slot_request(side, "c", "none", 1)
    await slot_request(side, "d", tenant="u")
    await slot_request(side, "aa", priority=9)
    await slot_request(side, "c", "slot", 2)
    assert await freed(side, "b") == ["c"]
    assert await freed(side, "a") == ["aa"]


async def test_who_only_repeats_that_it_wants_a_slot_has_not_run(side: Side) -> None:
    """Nor has one that ran, ended, and was begun anew."""
    await fill(side)
    await slot_request(side, "d")
    await slot_request(side, "e")
    await slot_request(side, "e", "slot", 1)
    assert await freed(side, "a") == ["d"]
    await slot_request(side, "a", "slot", 10)
    await slot_request(side, "x", tenant="u")
    assert await freed(side, "b") == ["x"]
    assert await freed(side, "c") == ["a"]


async def test_a_job_that_was_given_a_slot_by_another_one_has_run(side: Side) -> None:
    await fill(side)
    await slot_request(side, "z")
    assert await freed(side, "a") == ["z"]
    await slot_request(side, "z", "none", 1)
    assert (await slot_request(side, "d", tenant="u")).slot
    await slot_request(side, "e", tenant="v")
    await slot_request(side, "z", "slot", 2)
    assert await freed(side, "d") == ["z"]


async def test_a_higher_priority_goes_first_within_a_tenant_and_between_tenants_that_hold_as_many(side: Side) -> None:
    await fill(side)
    for name, priority, tenant in (("d", 5, "u"), ("e", 6, "u"), ("f", 7, "v"), ("g", 9, "t")):
        await slot_request(side, name, priority=priority, tenant=tenant)
    assert await freed(side, "a") == ["f"]
    assert await freed(side, "b") == ["e"]
    assert await freed(side, "c") == ["g"]
    assert await freed(side, "e") == ["d"]


async def test_of_equals_the_oldest_goes_first(side: Side) -> None:
    await fill(side)
    for name in ("f", "e", "d"):
        await slot_request(side, name)
    assert [await freed(side, name) for name in "abc"] == [["d"], ["e"], ["f"]]


async def test_the_tenant_with_the_fewest_slots_goes_first_whatever_the_priority(side: Side) -> None:
    await slot_request(side, "a")
    await slot_request(side, "b")
    await slot_request(side, "c", tenant="u")
    await slot_request(side, "d", priority=9)
    await slot_request(side, "e", tenant="u", priority=1)
    await slot_request(side, "f", tenant="v", priority=0)
    assert await freed(side, "a") == ["f"]  # t: 1, u: 1, v: 1
    assert await freed(side, "b") == ["d"]  # t had none any more
    assert await freed(side, "c") == ["e"]


async def test_a_session_belongs_to_a_job_that_has_begun_until_it_ends(side: Side) -> None:
    """Also while that wants no slot, and to a younger one before an older one; what has not begun holds up nobody."""
    assert (await slot_request(side, "m", session="s")).slot
    assert not (await slot_request(side, "k", session="s")).slot
    assert (await slot_request(side, "m", "none", 1, session="s")).granted == ()
    assert not (await slot_request(side, "k", session="s")).slot
    assert (await slot_request(side, "m", "slot", 2, session="s")).slot
    assert [one.job_id for one in (await slot_request(side, "m", "gone", 3, session="s")).granted] == ["k"]
    await slot_request(side, "i", "none", session="other")
    assert (await slot_request(side, "j", session="other")).slot


async def test_whatever_its_names_are_a_session_has_its_place_in_the_order(side: Side) -> None:
    """Names before digits and behind letters, beside those that others have."""
    await fill(side)
    for name, tenant, session in (("d", "!", "!"), ("e", "~", "!"), ("f", "!", "~")):
        await slot_request(side, name, tenant=tenant, session=session)
    assert [await freed(side, name) for name in "abc"] == [["d"], ["e"], ["f"]]


async def test_any_number_of_members_is_written_at_once(redis: RedisConnection) -> None:
    """Lua's unpack has room for a few thousand texts."""
    semaphore = Semaphore(redis, 2_100, SWEEP_INTERVAL_MS)
    entry = QueueEntry("t", "s", 5, NOW_MS, 0, "slot")
    members = {f"root.{n}": member_of(f"root.{n}", entry) for n in range(2_100)}
    await semaphore.run(NOW_MS, members, {"fill": "root.0"})
    assert sorted(await semaphore.holders()) == sorted(members)


async def test_who_finds_a_free_slot_takes_few_commands(redis: RedisConnection) -> None:
    """It is not put in line first."""
    side = side_over(redis)
    with metered(Meter(SystemClock(), memory_mb=512)):
        await slot_request(side, "a")
        assert take().commands == 4


async def test_a_child_waits_for_no_other_job_of_its_session(side: Side) -> None:
    assert (await slot_request(side, "a", session="s")).slot
    assert (await slot_request(side, "a.1", session="s")).slot
    assert not (await slot_request(side, "b", session="s")).slot


async def test_an_older_update_changes_nothing_and_is_answered_with_the_later_one(side: Side) -> None:
    await slot_request(side, "a", "slot", 5)
    before = await side.admission.slot_table()
    for want in ("none", "gone"):
        answer = await slot_request(side, "a", want, 4, after_ms=7)
        assert answer == SlotAnswer(slot=False, later_epoch=5)
    assert await side.admission.slot_table() == before


async def test_a_repeated_update_counts_as_a_sign_of_life_and_never_an_earlier_one(side: Side) -> None:
    await slot_request(side, "a", after_ms=5)
    assert (await slot_request(side, "a", after_ms=9)).slot
    assert (await slot_request(side, "a", after_ms=2)).slot
    assert (await side.admission.slot_table())["a"].since_ms == NOW_MS + 9


async def test_who_leaves_the_line_is_counted_no_more(side: Side) -> None:
    await fill(side)
    await slot_request(side, "d")
    await slot_request(side, "e")
    assert (await side.admission_control.state()).pending == 2
    await slot_request(side, "d", "none", 1)
    assert (await side.admission_control.state()).pending == 1
    await slot_request(side, "e", "gone", 1)
    state = await side.admission_control.state()
    assert (state.active, state.pending) == (SLOTS, 0)


async def test_a_granted_slot_is_told_by_who_caused_it_until_it_is_taken(side: Side) -> None:
    """To nobody else, and by a sweep."""
    await fill(side)
    await slot_request(side, "d")
    await slot_request(side, "e")
    assert await freed(side, "a") == ["d"]
    assert await freed(side, "a") == ["d"]
    assert await freed(side, "b") == ["e"]
    assert [one.job_id for one in (await side.admission.sweep(0, NOW_MS)).granted] == ["d", "e"]
    await slot_request(side, "d")
    assert await freed(side, "a") == []


async def test_a_sweep_is_armed_while_a_job_holds_a_slot_and_by_one_update_alone(side: Side) -> None:
    """Again where the last one is overdue by more than its interval, or is set for a time that no clock here has."""
    due_ms = NOW_MS + SWEEP_INTERVAL_MS
    assert (await slot_request(side, "a", "none")).sweep_at_ms == 0
    assert (await slot_request(side, "b")).sweep_at_ms == due_ms
    assert (await slot_request(side, "c")).sweep_at_ms == 0
    late_ms = 2 * SWEEP_INTERVAL_MS
    assert (await slot_request(side, "c", after_ms=late_ms)).sweep_at_ms == 0
    assert (await slot_request(side, "c", after_ms=late_ms + 1)).sweep_at_ms == due_ms + late_ms + 1
    assert (await slot_request(side, "c", after_ms=SWEEP_INTERVAL_MS + 1)).sweep_at_ms == 0
    assert (await slot_request(side, "c", after_ms=SWEEP_INTERVAL_MS)).sweep_at_ms == late_ms + NOW_MS


async def test_a_sweep_is_armed_by_the_store_s_clock(redis: RedisConnection) -> None:
    """A caller's may be wrong."""
    clock = SystemClock()
    admission = Admission(redis, SLOTS, SWEEP_INTERVAL_MS)
    before_ms = clock.now_ms() + SWEEP_INTERVAL_MS
    armed_ms = (await slot_request(replace(side_over(redis), admission=admission), "a")).sweep_at_ms
    assert before_ms <= armed_ms <= clock.now_ms() + SWEEP_INTERVAL_MS


async def test_a_sweep_that_comes_arms_the_next_one_and_its_copy_none(side: Side) -> None:
    due_ms = (await slot_request(side, "a")).sweep_at_ms
    assert (await side.admission.sweep(due_ms, due_ms)).next_ms == due_ms + SWEEP_INTERVAL_MS
    assert (await side.admission.sweep(due_ms, due_ms + 1)).next_ms == 0
    await slot_request(side, "a", "gone", 1)
    assert (await side.admission.sweep(due_ms + SWEEP_INTERVAL_MS, due_ms + SWEEP_INTERVAL_MS)).next_ms == 0


async def test_what_a_job_stores_is_counted_with_its_first_update_alone(side: Side) -> None:
    more, sums = BytesAdded({NOW_MS: 7}, 1000), list[dict[int, int]]()
    for name, epoch in (("a", 0), ("a", 0), ("b", 0), ("a", 1)):
        await slot_request(side, name, "slot", epoch, stored=more)
        sums.append(await side.stored_bytes.sums("t"))
    assert sums == [{NOW_MS: size} for size in (7, 7, 14, 14)]


async def test_sums_of_stored_bytes_are_kept_for_longer_with_a_new_one_alone(redis: RedisConnection) -> None:
    """What is added to one that is there expires when it did."""
    side, key, kept_ms = side_over(redis), keys.stored_bytes_key("t"), list[bool]()
    for name, expiry, ms in (("a", NOW_MS, 100_000), ("b", NOW_MS, 300_000), ("c", NOW_MS + 1, 200_000)):
        await slot_request(side, name, stored=BytesAdded({expiry: 7}, ms))
        kept_ms.append(int(await redis.execute("PTTL", key)) > 150_000)
    assert kept_ms == [False, False, True]


async def test_a_pruned_job_leaves_if_it_was_not_heard_of_since(side: Side) -> None:
    await fill(side)
    await slot_request(side, "d")
    await side.admission.prune([("a", NOW_MS - 1), ("b", NOW_MS)])
    assert set(await side.admission.slot_table()) == {"a", "c", "d"}
    assert not (await side.admission.slot_table())["d"].slot  # the sweep gives it: nobody would tell


async def test_nothing_of_a_session_stays_once_its_jobs_are_dropped(redis: RedisConnection) -> None:
    """The number of its jobs is dropped with the last one of them."""
    side = side_over(redis)
    for name, session in (("a", "s"), ("b", "s"), ("c", "t")):
        await slot_request(side, name, session=session)
    for name in "ac":
        await slot_request(side, name, "gone", 1)
    for left, gone in ((["queue:t\0s\0"], "ac"), ([], "b")):
        await side.admission.prune([(name, NOW_MS) for name in gone])
        fields = await redis.execute("HKEYS", keys.SLOTS)
        assert [name for name in fields if name.startswith("queue:")] == left


async def test_who_comes_does_not_pass_over_who_waits_for_a_slot_that_is_free(side: Side) -> None:
    """A pruned job frees one, and nobody is told; the next update gives it to who waits."""
    await fill(side)
    await slot_request(side, "d")
    await side.admission.prune([("a", NOW_MS)])
    answer = await slot_request(side, "x", session="another")
    assert (answer.slot, [one.job_id for one in answer.granted]) == (False, ["d"])
