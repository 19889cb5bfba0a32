"""An admission kept by a version before: one slot table, taken over while instances of both versions run."""

import json

import pytest

from baton.core.admission import Entry, Place, SlotState
from baton.core.records import load_entry
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import NOW_MS
from tests.contract.store.side import SLOTS, SWEEP_INTERVAL_MS, Side

BOOK, GONE, STOPPED = (f"baton:{{admission}}:{name}" for name in ("book", "gone", "stopped"))
HUNDREDS = 300


def place(name: str) -> Place:
    """Where a job stands."""
    return Place("t", f"s-{name}", 5, NOW_MS + 1_000_000)


def stored(number: int, **changes: object) -> str:
    """An entry as version 0.2.0 has written it."""
    entry = {"tenant": "t", "session_id": f"s-j{number:04}", "priority": 5, "created_ms": NOW_MS + number, "lap": 1}
    said = {"want": "slot", "slot": False, "started": False, "cause": "", "since_ms": NOW_MS, "agent": "a"}
    return json.dumps({**entry, **said, **changes})


def write(process: RedisProcess, key: str, texts: dict[str, str]) -> None:
    """What a version before writes."""
    for name, text in texts.items():
        process.ask("HSET", key, name, text)


async def test_who_held_a_slot_holds_it_and_who_waits_keeps_the_order(real: Side, redis_process: RedisProcess) -> None:
    """By the first word of this version."""
    held = {f"j{n:04}": stored(n, slot=True, started=True) for n in range(SLOTS)}
    write(redis_process, BOOK, {**held, **{f"j{n:04}": stored(n) for n in range(SLOTS, 9)}})
    write(redis_process, GONE, {"j0099": stored(99, want="gone", lap=7)})
    assert not (await real.admission.slot_request("new", SlotState("slot", 1), place("new"), NOW_MS)).slot
    assert (await real.admission_control.state()).active == SLOTS
    assert (await real.admission_control.state()).pending == 9 - SLOTS + 1
    slot_answer = await real.admission.slot_request("j0000", SlotState("gone", 2), place("j0000"), NOW_MS)
    assert [told.job_id for told in slot_answer.tell] == ["j0003"]
    assert (await real.admission.slot_request("j0099", SlotState("slot", 3), place("j0099"), NOW_MS)).later_epoch == 7
    assert redis_process.ask("EXISTS", BOOK, GONE) == 0


async def test_a_large_book_is_taken_over_piece_by_piece_and_a_job_at_its_own_word(
    real: Side, redis_process: RedisProcess
) -> None:
    """Nobody is left in it, and everybody is found meanwhile."""
    texts = {f"j{n:04}": stored(n, started=n == HUNDREDS - 1) for n in range(HUNDREDS)}
    write(redis_process, BOOK, texts)
    last = f"j{HUNDREDS - 1:04}"
    slot_answer = await real.admission.slot_request(last, SlotState("slot", 1), place(last), NOW_MS)
    assert slot_answer.slot
    assert set(await real.admission.slot_table()) == set(texts)
    assert await real.admission.entry("j0150") == load_entry(texts["j0150"])
    for number in range(HUNDREDS):
        await real.admission.sweep(0, NOW_MS + number)
        if not redis_process.ask("EXISTS", BOOK):
            break
    assert redis_process.ask("EXISTS", BOOK) == 0
    assert set(await real.admission.slot_table()) == set(texts)
    state = await real.admission_control.state()
    assert (state.active, state.pending) == (SLOTS, HUNDREDS - SLOTS)


async def test_instances_of_the_version_before_give_no_slot_and_what_they_take_is_taken_over(
    real: Side, redis_process: RedisProcess
) -> None:
    """They read that the admission is stopped, and write into their slot table, whose jobs get slots here."""
    await real.admission.slot_request("first", SlotState("slot", 1), place("first"), NOW_MS)
    assert int(redis_process.ask("GET", STOPPED)) > 0
    assert (await real.admission_control.state()).stopped_ms == 0
    write(redis_process, BOOK, {"first": stored(1, want="none", lap=5), "late": stored(2)})
    turn = await real.admission.sweep(0, NOW_MS + SWEEP_INTERVAL_MS)
    assert [told.job_id for told in turn.tell] == ["late"]
    slot_table = await real.admission.slot_table()
    assert (slot_table["first"].want, slot_table["first"].slot, slot_table["late"].slot) == ("none", False, True)


@pytest.mark.parametrize("epoch", [0, 1])
async def test_an_older_word_in_the_book_changes_nothing(real: Side, redis_process: RedisProcess, epoch: int) -> None:
    """It was said before the one that is known, or is the same."""
    await real.admission.slot_request("j0001", SlotState("slot", 1), place("j0001"), NOW_MS)
    write(redis_process, BOOK, {"j0001": stored(1, want="none" if epoch == 0 else "slot", lap=epoch)})
    assert (await real.admission.slot_request("j0001", SlotState("slot", 1), place("j0001"), NOW_MS)).slot
    assert (await real.admission.slot_table())["j0001"] == Entry(
        "t", "s-j0001", 5, NOW_MS + 1_000_000, 1, "slot", slot=True, started=True, since_ms=NOW_MS
    )


async def test_an_admission_that_was_stopped_stays_stopped(real: Side, redis_process: RedisProcess) -> None:
    """Since then; a start starts it."""
    redis_process.ask("SET", STOPPED, NOW_MS - 5)
    write(redis_process, BOOK, {"j0001": stored(1)})
    assert not (await real.admission.slot_request("new", SlotState("slot", 1), place("new"), NOW_MS)).slot
    assert (await real.admission_control.state()).stopped_ms == NOW_MS - 5
    started = await real.admission_control.start(NOW_MS)
    assert sorted(told.job_id for told in started.tell) == ["j0001", "new"]


async def test_a_holder_that_asked_an_instance_of_the_version_before_is_told_by_the_next_word(
    real: Side, redis_process: RedisProcess
) -> None:
    """There it was told that it holds none, so it waits until somebody says otherwise."""
    await real.admission.slot_request("j0001", SlotState("slot", 1), place("j0001"), NOW_MS)
    for _ in range(2):
        write(redis_process, BOOK, {"j0001": stored(1, epoch=1)})
        slot_answer = await real.admission.slot_request("other", SlotState("slot", 1), place("other"), NOW_MS)
        assert [told.job_id for told in slot_answer.tell] == ["j0001"]
    assert (await real.admission.slot_request("j0001", SlotState("slot", 1), place("j0001"), NOW_MS)).slot
    assert (await real.admission.slot_request("other", SlotState("slot", 1), place("other"), NOW_MS)).tell == ()
