"""The admission: who gets a slot and who is told, which sweep is armed, and what operators see of it."""

import dataclasses
from typing import Any

import pytest
from msgspec.structs import replace

from baton.engine.all_jobs.days import DAYS_KEPT, DayUsed, VersionSeen, day_of
from baton.engine.all_jobs.ends import AgentCounters, End, MonthUsed, with_end
from baton.engine.all_jobs.slots import MINUTE_MS, SAMPLES_KEPT_MS, QueueEntry, Want
from baton.store.records.all_jobs import AdmissionState, SlotAnswer, SlotGranted, Started
from baton.store.redis.admission import Admission, AdmissionControl
from baton.store.redis.connection import RedisConnection
from baton.testing.dice import Dice
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import NOW_MS, slot_request
from tests.contract.store.side import SLOTS, SWEEP_INTERVAL_MS, Side, side_over

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


END = End("completed", 1_500, 1, 100, 20, 2_500)


async def test_what_jobs_used_adds_up_by_month_and_tenant(side: Side) -> None:
    used = {"jobs": 1, "messages": 3, "redis_bytes": 700}
    for name, tenant, month in (("a", "t", "2026-11"), ("b", "t", "2026-11"), ("c", "t u", "2026-10")):
        await slot_request(side, name, tenant=tenant)
        for _ in range(2):
            await slot_request(side, name, "gone", 1, tenant=tenant, end=replace(END, month=month, used=used))
    twice = {name: 2 * much for name, much in used.items()}
    assert await side.admission_control.used() == (MonthUsed("2026-10", "t u", used), MonthUsed("2026-11", "t", twice))


async def test_what_jobs_used_adds_up_by_day_agent_tenant_and_model(side: Side) -> None:
    """With the versions of their agents; an end that an older version wrote has no day."""
    day_ms, used = 86_400_000, {"jobs": 1, "messages": 3}
    ended = [("a", 0, "m", "v1"), ("b", 1, "m", "v2"), ("c", 2 * day_ms, "n", "v2"), ("d", 2 * day_ms, "n", "")]
    for name, later_ms, model, version in ended:
        end = replace(END, used=used, ended_ms=NOW_MS + later_ms, model=model, version=version)
        await slot_request(side, name)
        await slot_request(side, name, "gone", 1, end=end)
    await slot_request(side, "e")
    await slot_request(side, "e", "gone", 1, end=END)
    first, last = day_of(NOW_MS), day_of(NOW_MS + 2 * day_ms)
    twice = {"jobs": 2, "messages": 6, "completed": 2}
    found = await side.admission_control.days([first, last, "2020-01-01"])
    assert found == (DayUsed(first, "a", "t", "m", twice), DayUsed(last, "a", "t", "n", twice))
    assert await side.admission_control.versions("a") == (
        VersionSeen("v2", NOW_MS + 1, NOW_MS + 2 * day_ms, 2, "n"),
        VersionSeen("v1", NOW_MS, NOW_MS, 1, "m"),
    )
    assert await side.admission_control.versions("b") == ()


async def test_days_that_are_over_are_forgotten(side: Side) -> None:
    for name, days in (("a", 0), ("b", DAYS_KEPT - 1), ("c", DAYS_KEPT)):
        await slot_request(side, name)
        await slot_request(side, name, "gone", 1, end=replace(END, ended_ms=NOW_MS + days * 86_400_000))
        kept = await side.admission_control.days([day_of(NOW_MS)])
        assert bool(kept) == (name != "c")


async def test_a_sweep_notes_how_the_admission_stands(side: Side) -> None:
    """A later one in the same minute replaces it; what is older than the ring is none of the last hours."""
    for name in "abcd":
        await slot_request(side, name)
    for later_ms in (0, 1, MINUTE_MS):
        await side.admission.sweep(0, NOW_MS - NOW_MS % MINUTE_MS + later_ms)
    found = await side.admission_control.samples(NOW_MS + MINUTE_MS)
    assert [(each.active, each.pending, each.slots) for each in found] == [(3, 1, 3)] * 2
    assert await side.admission_control.samples(NOW_MS + SAMPLES_KEPT_MS + MINUTE_MS) == ()


async def test_nobody_is_admitted_while_it_is_stopped(side: Side) -> None:
    """Not by a word, not by a sweep; who holds a slot keeps it, and one that is given back stays free."""
    assert (await slot_request(side, "a")).slot
    await side.admission_control.stop(NOW_MS + 1)
    assert not (await slot_request(side, "b")).slot
    assert (await side.admission.sweep(0, NOW_MS)).granted == ()
    assert (await slot_request(side, "a")).slot
    assert await slot_request(side, "a", "none", 1) == SlotAnswer(slot=False)
    assert not (await slot_request(side, "a", "slot", 2)).slot
    assert (await side.admission_control.state()).active == 0


async def test_a_start_fills_the_free_slots_and_notifies_until_they_are_taken(side: Side) -> None:
    """By the usual order; a start that is repeated tells again, and so does a sweep."""
    await side.admission_control.stop(NOW_MS)
    for name in "dcba":
        await slot_request(side, name)
    found = tuple(SlotGranted(name, 0, f"session-{name}") for name in "abc")
    assert await side.admission_control.start(NOW_MS) == Started(SWEEP_AT_MS, found)
    assert await side.admission_control.start(NOW_MS) == Started(0, found)
    assert (await side.admission.sweep(SWEEP_AT_MS, SWEEP_AT_MS)).granted == found
    assert (await slot_request(side, "a")).slot
    slot_table = await side.admission.slot_table()
    assert (await side.admission_control.start(NOW_MS)).granted == found[1:]
    assert await side.admission.slot_table() == slot_table
    assert not (await slot_request(side, "d")).slot


async def test_a_start_says_how_many_slots_there_are_until_another_one_says_otherwise(side: Side) -> None:
    """Fewer take nothing from anybody; a start that says nothing of it keeps what there was."""
    for name in "abcde":
        await slot_request(side, name)
    assert len((await side.admission_control.start(NOW_MS, 5)).granted) == 2
    assert (await side.admission_control.start(NOW_MS)).sweep_at_ms == 0
    assert (await side.admission_control.state()).slots == 5
    await side.admission_control.start(NOW_MS, 1)
    assert not (await slot_request(side, "f")).slot
    for name in "abcde":
        await slot_request(side, name, "gone", 1)
    assert [(await slot_request(side, name)).slot for name in "fg"] == [True, False]
    await side.admission_control.start(NOW_MS, 0)
    assert (await side.admission_control.state()).slots == SLOTS
    assert (await slot_request(side, "g")).slot


async def test_the_state_says_since_when_it_is_stopped_and_who_works_and_waits(side: Side) -> None:
    assert await side.admission_control.state() == AdmissionState(SLOTS, 0, 0)
    for name in "abcde":
        await slot_request(side, name)
    await slot_request(side, "f", "none")
    await side.admission_control.stop(NOW_MS + 5)
    await side.admission_control.stop(NOW_MS + 9)
    await side.admission.sweep(0, NOW_MS + 7)
    state = await side.admission_control.state()
    assert state == AdmissionState(SLOTS, active=3, pending=2, stopped_ms=NOW_MS + 5, swept_ms=NOW_MS + 7)
    await side.admission_control.start(NOW_MS)
    assert (await side.admission_control.state()).stopped_ms == 0


async def test_live_jobs_are_those_that_have_not_reported_that_they_are_gone(side: Side) -> None:
    """With their agent, so that a list need not read each."""
    await slot_request(side, "a")
    await slot_request(side, "b", "none", agent="other")
    await slot_request(side, "c", "gone")
    live = await side.admission_control.live()
    assert {name: (e.agent, e.slot) for name, e in live.items()} == {"a": ("a", True), "b": ("other", False)}
    assert live["a"] == QueueEntry("t", "session-a", 5, NOW_MS + 97, 0, "slot", True, True, "", NOW_MS, "a")


async def test_each_end_is_counted_once_by_agent(side: Side) -> None:
    """Not again when it is told again, or by an older word, nor by a newer one that says the same."""
    assert await side.admission_control.ends() == {}
    for name, agent in (("a", "a"), ("b", "other"), ("c", "third")):
        await slot_request(side, name, agent=agent)
    for epoch in (5, 5, 4, 6):
        await slot_request(side, "a", "gone", epoch, end=END)
    failed = End("failed", 100_000_000, 13, 3, 4, 5)
    await slot_request(side, "b", "gone", 5, agent="other", end=failed)
    await slot_request(side, "c", "gone", 5, agent="third")  # without an end
    expected = {"a": with_end(AgentCounters(), END), "other": with_end(AgentCounters(), failed)}
    assert await side.admission_control.ends() == expected


async def test_a_job_that_comes_back_and_ends_again_is_counted_again(side: Side) -> None:
    """A late copy of the update of one that has left counts nothing."""
    await slot_request(side, "a")
    await slot_request(side, "a", "gone", 1, end=END)
    assert (await slot_request(side, "a", "slot", 2)).slot
    cancelled = End("cancelled", 0, 0, 0, 0, 0)
    await slot_request(side, "a", "gone", 3, end=cancelled)
    expected = {"a": with_end(with_end(AgentCounters(), END), cancelled)}
    assert await side.admission_control.ends() == expected
    await side.admission.prune([("a", NOW_MS)])
    await slot_request(side, "a", "gone", 3, end=cancelled)
    assert await side.admission_control.ends() == expected


async def test_a_tenant_s_live_jobs_are_read_without_those_of_others(side: Side) -> None:
    """Whatever the names, also who is to start later; children are none of them."""
    ours: dict[str, Any] = {"tenant": "t\0 u", "session": ""}
    wants: list[tuple[str, Want]] = [("a", "slot"), ("b", "slot"), ("c", "none"), ("a.1-0", "slot"), ("g", "gone")]
    for name, want in wants:
        await slot_request(side, name, want, **ours)
    await slot_request(side, "d", tenant="t\0 u", session="s\1")
    elsewhere: tuple[Want, ...] = ("slot", "none")
    for tenant in ("t", "t\0 u\1", "t\0 u\0", "t\0 u2", ""):
        for want in elsewhere:
            await slot_request(side, f"other-{tenant}-{want}", want, tenant=tenant, session="x")
    live = await side.admission_control.live()
    assert await side.admission_control.live("t\0 u") == {name: live[name] for name in ("a", "b", "c", "d")}
    later: list[tuple[str, Want]] = [("c", "slot"), ("a", "none"), ("b", "gone")]
    for name, want in later:
        await slot_request(side, name, want, 1, tenant="t\0 u", session="")
    assert sorted(await side.admission_control.live("t\0 u")) == ["a", "c", "d"]
    assert await side.admission_control.live("nobody") == {}


async def test_a_session_s_line_is_its_jobs_at_work_or_in_line(side: Side) -> None:
    """Of that tenant and session alone, whatever their names; children, and who is to start later, are none of them."""
    ours: dict[str, Any] = {"tenant": "t\0 u", "session": "s\1\0é"}
    wants: list[tuple[str, Want]] = [("a", "slot"), ("b", "slot"), ("c", "none"), ("a.1-0", "slot"), ("g", "gone")]
    for name, want in wants:
        await slot_request(side, name, want, **ours)
    for tenant, session in (("t\0 u", "s\1\0é2"), ("t", "s\1\0é"), ("t", " u\0s")):
        await slot_request(side, f"other-{tenant}-{session}", tenant=tenant, session=session)
    await slot_request(side, "a", "none", 1, **ours)
    line = await side.admission_control.line(ours["tenant"], ours["session"])
    assert sorted(line) == ["a", "b"]
    assert line == {name: entry for name, entry in (await side.admission_control.live()).items() if name in line}
    assert await side.admission_control.line("nobody", ours["session"]) == {}


_SLOTS = 4
_WANTS: tuple[Want, ...] = ("slot", "slot", "none", "gone")


def bound_to(redis: RedisConnection, most: int, slots: int = _SLOTS) -> Side:
    numbers = (slots, SWEEP_INTERVAL_MS, most)
    side, control = side_over(redis), AdmissionControl(redis, *numbers, store_clock=False)
    return dataclasses.replace(side, admission=Admission(redis, *numbers, store_clock=False), admission_control=control)


async def holders(side: Side) -> list[str]:
    return sorted(name for name, entry in (await side.admission.slot_table()).items() if entry.slot)


async def test_more_of_a_tenant_wait_and_hold_nobody_else_up(redis: RedisConnection) -> None:
    side = bound_to(redis, 2)
    assert [(await slot_request(side, name)).slot for name in "abcd"] == [True, True, False, False]
    assert (await slot_request(side, "e", tenant="u")).slot
    assert [one.job_id for one in (await slot_request(side, "b", "gone", 1)).granted] == ["c"]
    assert not (await slot_request(side, "z", priority=9)).slot
    assert [one.job_id for one in (await slot_request(side, "a", "none", 1)).granted] == ["z"]
    assert not (await slot_request(side, "a", "slot", 2)).slot
    assert [one.job_id for one in (await slot_request(side, "c", "gone", 1)).granted] == ["a"]
    assert await holders(side) == ["a", "e", "z"]


@pytest.mark.parametrize(("before", "after"), [(0, 1), (3, 1), (1, 3), (1, 0)])
async def test_another_bound_holds_from_the_next_update_on(redis: RedisConnection, before: int, after: int) -> None:
    side = bound_to(redis, before)
    for name in "abcdef":
        await slot_request(side, name)
    held = await holders(side)
    side = bound_to(redis, after)
    await slot_request(side, held.pop(), "gone", 1)
    most = min(after or _SLOTS, _SLOTS)
    assert len(await holders(side)) == max(len(held), most)


async def test_no_slot_stays_free_that_the_bound_lets_somebody_have(redis: RedisConnection) -> None:
    """Whatever comes in whatever order: tenants, sessions, priorities, waits, ends, and a stop."""
    dice, most = Dice(7), 2
    side, of = bound_to(redis, most), dict[str, dict[str, Any]]()
    for epoch in range(1, 300):
        name = dice.one_of(tuple("abcdefghij"), epoch, 1)
        of.setdefault(name, {"tenant": dice.one_of(("t", "u", "v"), epoch, 2), "priority": dice.whole(0, 9, epoch, 3)})
        want = dice.one_of(_WANTS, epoch, 4)
        await slot_request(side, name, want, epoch, **of[name])
        if dice.chance(0.1, epoch, 5):
            await side.admission_control.stop(epoch)
            await side.admission_control.start(epoch)
        entries = await side.admission.slot_table()
        held = {tenant: sum(e.slot for e in entries.values() if e.tenant == tenant) for tenant in "tuv"}
        assert max(held.values()) <= most
        free = sum(held.values()) < _SLOTS
        waiting = [e for e in entries.values() if e.want == "slot" and not e.slot and held[e.tenant] < most]
        assert not (free and waiting), (epoch, waiting)
