"""The admission's slot table: who gets a slot, who is told, and which sweep is armed; rules and script are the same."""

from baton.engine.all_jobs.slots import QueueEntry
from baton.store.records.all_jobs import SlotAnswer, SlotGranted
from baton.store.redis.admission import Admission
from baton.store.redis.connection import RedisConnection
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import NOW_MS, slot_request
from tests.contract.store.side import SLOTS, SWEEP_INTERVAL_MS, Side

SWEEP_AT_MS = NOW_MS + SWEEP_INTERVAL_MS
HOUR_MS = 3_600_000


async def fill(side: Side) -> None:
    """Give all slots to jobs of the tenant `t`."""
    for name in "abc"[:SLOTS]:
        assert (await slot_request(side, name)).slot


async def test_free_slots_are_given_at_once_and_the_first_one_arms_a_sweep(side: Side) -> None:
    """Who comes when all are taken waits; nobody is told, since everybody asked for themselves."""
    slot_answer = [await slot_request(side, name) for name in "abcd"]
    assert slot_answer[0] == SlotAnswer(slot=True, sweep_at_ms=SWEEP_AT_MS)
    assert slot_answer[1:] == [SlotAnswer(slot=True), SlotAnswer(slot=True), SlotAnswer(slot=False)]


async def test_jobs_of_a_session_run_one_after_the_other(side: Side) -> None:
    """The second waits although slots are free; it is told when the first is gone."""
    assert (await slot_request(side, "a", session="s")).slot
    assert not (await slot_request(side, "b", session="s")).slot
    gone = await slot_request(side, "a", "gone", 1, session="s")
    assert gone == SlotAnswer(slot=False, granted=(SlotGranted("b", 0, "s"),))


async def test_who_wants_to_be_alone_is_not_entered_while_another_one_of_the_session_is_live(side: Side) -> None:
    """Whether that holds a slot, waits for something, or stands in line; nothing of the asker is kept."""
    assert (await slot_request(side, "a", session="s", alone=True)).slot
    assert await slot_request(side, "b", session="s", alone=True) == SlotAnswer(slot=False, busy=True)
    assert (await slot_request(side, "c", tenant="u", session="s", alone=True)).slot
    await slot_request(side, "a", "none", 1, session="s")
    assert (await slot_request(side, "b", session="s", alone=True)).busy
    for name in "xyz":
        await slot_request(side, name)
    await slot_request(side, "a", "gone", 2, session="s")
    assert not (await slot_request(side, "d", session="s")).slot
    assert (await slot_request(side, "b", session="s", alone=True)).busy
    assert "b" not in await side.admission.slot_table()


async def test_who_ran_before_comes_first_then_the_tenant_with_the_fewest_slots(side: Side) -> None:
    """One busy tenant never blocks another, and a wake-up goes before new jobs."""
    await fill(side)
    for name, tenant in (("d", "t"), ("e", "u"), ("f", "u")):
        await slot_request(side, name, tenant=tenant)
    await slot_request(side, "a", "none", 1)  # its slot goes to e: u has none
    await slot_request(side, "a", "slot", 2)  # a has run before
    freed = [(await slot_request(side, name, "gone", 1)).granted for name in ("b", "c", "e")]
    # After a, each tenant holds one: d was there before f.
    assert [found[0].job_id for found in freed] == ["a", "d", "f"]


async def test_the_sweep_gives_a_slot_that_leaving_freed_and_notifies_until_it_is_taken(side: Side) -> None:
    """At each sweep again, and by a copy that arms none: no word of a job gave it, so no other word would tell."""
    await fill(side)
    await slot_request(side, "d", session="the session")
    await side.admission.prune([("a", NOW_MS)])
    for after_ms, armed in ((0, True), (5, False)):
        turn = await side.admission.sweep(SWEEP_AT_MS, SWEEP_AT_MS + after_ms)
        assert (bool(turn.next_ms), turn.granted) == (armed, (SlotGranted("d", 0, "the session"),))
        assert turn.slot_table["d"].slot
        assert turn.slot_table == await side.admission.slot_table()
    assert (await slot_request(side, "b", after_ms=9)).granted == ()
    assert (await slot_request(side, "d")).slot
    assert (await side.admission.sweep(0, SWEEP_AT_MS)).granted == ()


async def test_a_sweep_that_comes_back_sees_those_gone_lately(side: Side) -> None:
    """It may carry what belongs to them; a new one hears of them only once they may leave."""
    await slot_request(side, "a", epoch=1)
    await slot_request(side, "a", "gone", epoch=2)
    assert "a" not in (await side.admission.sweep(SWEEP_AT_MS, NOW_MS + 1)).slot_table
    # And so when it spoke after the sweep had begun: what is asked was under way for a while.
    for at_ms in (NOW_MS + 1, NOW_MS - 5_000):
        assert "a" in (await side.admission.sweep(SWEEP_AT_MS, at_ms, again=True)).slot_table


async def test_names_of_tenants_and_sessions_are_kept_as_they_are(side: Side) -> None:
    """Slashes, quotes and letters of all kinds."""
    told = QueueEntry('te/na"nt', "sess\\ion / 漢", 9, NOW_MS, NOW_MS, "slot")
    await side.admission.slot_request("job_a.1-2", told, NOW_MS)
    entry = (await side.admission.slot_table())["job_a.1-2"]
    assert (entry.tenant, entry.session_id, entry.priority, entry.epoch) == (told.tenant, told.session_id, 9, NOW_MS)


async def test_a_clock_an_hour_ahead_does_not_disarm_the_sweeps(side: Side) -> None:
    """What it armed is much too late, so the next word arms another one."""
    assert (await slot_request(side, "a", after_ms=HOUR_MS)).sweep_at_ms == SWEEP_AT_MS + HOUR_MS
    assert (await slot_request(side, "b")).sweep_at_ms == SWEEP_AT_MS
    assert (await slot_request(side, "c")).sweep_at_ms == 0


async def test_sweeps_are_armed_by_the_store_s_clock(connection: RedisConnection, redis_process: RedisProcess) -> None:
    """Whatever the clock of whoever says a word: no message comes late, and none is armed twice."""
    seconds, micros = redis_process.request("TIME")
    store_ms, admission = int(seconds) * 1000 + int(micros) // 1000, Admission(connection, SLOTS, 60_000)
    entry = QueueEntry("t", "s", 5, store_ms, 0, "slot")
    armed = (await admission.slot_request("a", entry, store_ms + HOUR_MS)).sweep_at_ms
    assert abs(armed - store_ms - SWEEP_INTERVAL_MS) < 30_000
    for wrong_ms in (-HOUR_MS, 0, HOUR_MS):
        assert not (await admission.slot_request("a", entry, store_ms + wrong_ms)).sweep_at_ms
    turn = await admission.sweep(armed, store_ms + HOUR_MS)
    assert abs(turn.next_ms - store_ms - SWEEP_INTERVAL_MS) < 30_000
