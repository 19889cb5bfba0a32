"""An admission kept by a version before: entries are taken over while instances of both versions run."""

import asyncio
import json

import pytest

from baton.engine.all_jobs.slots import QueueEntry, Want
from baton.engine.commit.codec import load_entry
from baton.storage.ports.all_jobs import SlotAnswer
from baton.storage.redis import keys
from baton.storage.redis.semaphore import BESIDE_MS
from tests.contract.store.one_slot import OneSlot
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import NOW_MS, slot_request
from tests.contract.store.side import RECONCILE_INTERVAL_MS, SLOTS, Side, several, side_over

SLOT_TABLE, GONE, INDEXED = keys.SLOTS_BEFORE
BY_RECONCILER = keys.TRACES_BEFORE[-1]
MANY = 1_200


async def ask(side: Side, name: str, want: Want = "slot", epoch: int = 1) -> SlotAnswer:
    """By an instance of this version."""
    return await slot_request(side, name, want, epoch, session=f"s-{name}", created_ms=NOW_MS + 1_000_000, agent="")


def stored(number: int, **changes: object) -> str:
    """An entry as version 0.2.0 has written it."""
    entry = {"tenant": "t", "session_id": f"s-j{number:04}", "priority": 5, "created_ms": NOW_MS + number, "lap": 1}
    shown = {"want": "slot", "slot": False, "started": False, "cause": "", "since_ms": NOW_MS, "agent": "a"}
    return json.dumps({**entry, **shown, **changes})


def write(process: RedisProcess, key: str, texts: dict[str, str]) -> None:
    """What a version before writes."""
    for name, text in texts.items():
        process.request("HSET", key, name, text)


@pytest.mark.parametrize("key", [SLOT_TABLE, INDEXED])
async def test_who_held_a_slot_holds_it_and_who_waits_keeps_the_order(
    real: Side, redis_process: RedisProcess, key: str
) -> None:
    """By the first update of this version, whether there was one slot table or one with indexes."""
    held = {f"j{n:04}": stored(n, slot=True, started=True) for n in range(SLOTS)}
    write(redis_process, key, {**held, **{f"j{n:04}": stored(n) for n in range(SLOTS, 9)}})
    write(redis_process, GONE, {"j0099": stored(99, want="gone", lap=7)})
    assert not (await ask(real, "new")).slot
    assert (await real.admission_control.state()).active == SLOTS
    assert (await real.admission_control.state()).pending == 9 - SLOTS + 1
    slot_answer = await ask(real, "j0000", "gone", 2)
    assert [found.job_id for found in slot_answer.granted] == ["j0003"]
    assert (await ask(real, "j0099", "slot", 3)).later_epoch == 7
    assert redis_process.request("EXISTS", *keys.SLOTS_BEFORE) == 0


async def test_a_large_slot_table_is_taken_over_before_the_first_slot_is_given(
    real: Side, redis_process: RedisProcess
) -> None:
    """So nobody is passed over, and no slot is given twice."""
    texts = {f"j{n:04}": stored(n, slot=n >= MANY - SLOTS, started=n >= MANY - SLOTS - 1) for n in range(MANY)}
    redis_process.request("HSET", SLOT_TABLE, *(word for pair in texts.items() for word in pair))
    assert await real.admission.entry("j0150") == load_entry(texts["j0150"])
    slot_answer = await ask(real, f"j{MANY - 1}", "gone", 2)
    assert [found.job_id for found in slot_answer.granted][-1:] == [f"j{MANY - SLOTS - 1}"]
    assert set(await real.admission.slot_table()) == set(texts)
    state = await real.admission_control.state()
    assert (state.active, state.pending) == (SLOTS, MANY - SLOTS - 1)


async def test_instances_of_the_version_before_give_no_slot_and_what_they_take_is_taken_over(
    real: Side, redis_process: RedisProcess
) -> None:
    """They read that the admission is stopped, and write into their slot table, whose jobs get slots here."""
    redis_process.request("SET", BY_RECONCILER, NOW_MS)
    await ask(real, "first")
    assert int(redis_process.request("GET", keys.STOPPED_BEFORE)) > 0
    assert int(redis_process.request("HGET", keys.FLAGS_BEFORE, "stopped")) > 0
    assert (await real.admission_control.state()).stopped_ms == 0
    write(redis_process, SLOT_TABLE, {"first": stored(1, want="none", lap=5), "late": stored(2)})
    turn = await real.admission.reconcile(0, NOW_MS + RECONCILE_INTERVAL_MS)
    assert [found.job_id for found in turn.granted] == ["late"]
    slot_table = await real.admission.slot_table()
    assert (slot_table["first"].want, slot_table["first"].slot, slot_table["late"].slot) == ("none", False, True)


@pytest.mark.parametrize("epoch", [0, 1])
async def test_an_older_update_in_the_slot_table_changes_nothing(
    real: Side, redis_process: RedisProcess, epoch: int
) -> None:
    await ask(real, "j0001")
    write(redis_process, SLOT_TABLE, {"j0001": stored(1, want="none" if epoch == 0 else "slot", lap=epoch)})
    assert (await ask(real, "j0001")).slot
    assert (await real.admission.slot_table())["j0001"] == QueueEntry(
        "t", "s-j0001", 5, NOW_MS + 1_000_000, 1, "slot", slot=True, started=True, since_ms=NOW_MS
    )


async def test_an_admission_that_was_stopped_stays_stopped(real: Side, redis_process: RedisProcess) -> None:
    """Since then; a start starts it."""
    redis_process.request("SET", keys.STOPPED_BEFORE, NOW_MS - 5)
    write(redis_process, SLOT_TABLE, {"j0001": stored(1)})
    assert not (await ask(real, "new")).slot
    assert (await real.admission_control.state()).stopped_ms == NOW_MS - 5
    started = await real.admission_control.start(NOW_MS)
    assert sorted(found.job_id for found in started.granted) == ["j0001", "new"]


async def test_a_holder_that_asked_an_instance_of_the_version_before_is_informed_by_the_next_update(
    real: Side, redis_process: RedisProcess
) -> None:
    """There it was told that it holds none, so it waits until somebody says otherwise."""
    redis_process.request("SET", BY_RECONCILER, NOW_MS)
    await ask(real, "j0001")
    for _ in range(2):
        write(redis_process, SLOT_TABLE, {"j0001": stored(1, epoch=1)})
        slot_answer = await ask(real, "other")
        assert [found.job_id for found in slot_answer.granted] == ["j0001"]
    assert (await ask(real, "j0001")).slot
    assert (await ask(real, "other")).granted == ()


@pytest.mark.parametrize("since", [0, NOW_MS - 5])
async def test_instances_that_open_it_at_once_keep_whether_it_was_stopped(
    redis_process: RedisProcess, since: int
) -> None:
    async with several(redis_process, 5, OneSlot) as connections:
        write(redis_process, SLOT_TABLE, {f"j{n:04}": stored(n) for n in range(30)})
        if since:
            redis_process.request("HSET", keys.FLAGS_BEFORE, "stopped", since)
        sides = [side_over(connection) for connection in connections]
        await asyncio.gather(*(ask(side, f"n{at}") for at, side in enumerate(sides)))
        states = [await side.admission_control.state() for side in sides]
    held = 0 if since else SLOTS
    assert {(state.stopped_ms, state.active, state.pending) for state in states} == {(since, held, 35 - held)}


async def test_a_day_later_what_was_before_is_deleted(real: Side, redis_process: RedisProcess) -> None:
    write(redis_process, SLOT_TABLE, {"j0001": stored(1)})
    await ask(real, "first")
    assert 0 < redis_process.request("PTTL", keys.BESIDE_BEFORE) <= BESIDE_MS
    redis_process.request("DEL", keys.BESIDE_BEFORE)
    write(redis_process, INDEXED, {"j0002": stored(2)})
    for _ in range(2):
        await ask(real, "first", "slot", 2)
    assert redis_process.request("EXISTS", *keys.ALL_BEFORE) == 0
    assert sorted(await real.admission.slot_table()) == ["first", "j0001", "j0002"]
