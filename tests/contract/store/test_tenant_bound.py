"""MAX_JOBS_PER_TENANT: as many jobs of one tenant hold a slot; more wait in line, in nobody else's way."""

from dataclasses import replace
from typing import Any

import pytest

from baton.engine.all_jobs.slots import Want
from baton.store.redis.admission import Admission, AdmissionControl
from baton.store.redis.connection import RedisConnection
from baton.testing.dice import Dice
from tests.contract.store.sample import slot_request
from tests.contract.store.side import SWEEP_INTERVAL_MS, Side, side_over

_SLOTS = 4
_WANTS: tuple[Want, ...] = ("slot", "slot", "none", "gone")


def bound_to(redis: RedisConnection, most: int, slots: int = _SLOTS) -> Side:
    numbers = (slots, SWEEP_INTERVAL_MS, most)
    side, control = side_over(redis), AdmissionControl(redis, *numbers, store_clock=False)
    return replace(side, admission=Admission(redis, *numbers, store_clock=False), admission_control=control)


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
