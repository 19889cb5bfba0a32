"""By which clock sweeps are armed: one that is wrong neither disarms them nor arms many."""

from baton.engine.all_jobs.slots import QueuedJob, SlotState
from baton.storage.ports.all_jobs import SlotAnswer
from baton.storage.redis.admission import RedisAdmission
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import NOW_MS
from tests.contract.store.side import RECONCILE_INTERVAL_MS, SLOTS, Side, connection_to

RECONCILE_AT_MS = NOW_MS + RECONCILE_INTERVAL_MS


async def word(side: Side, name: str, *, after_ms: int = 0) -> SlotAnswer:
    return await side.admission.slot_request(
        name, SlotState("slot", 0), QueuedJob("t", name, 5, NOW_MS), NOW_MS + after_ms
    )


async def test_a_clock_an_hour_ahead_does_not_disarm_the_sweeps(side: Side) -> None:
    """What it armed is much too late, so the next word arms another one."""
    ahead = await word(side, "a", after_ms=3_600_000)
    assert ahead.reconcile_at_ms == RECONCILE_AT_MS + 3_600_000
    assert (await word(side, "b")).reconcile_at_ms == RECONCILE_AT_MS
    assert (await word(side, "c")).reconcile_at_ms == 0


async def test_sweeps_are_armed_by_the_store_s_clock(redis_process: RedisProcess) -> None:
    """Whatever the clock of whoever says a word: no message comes late, and none is armed twice."""
    redis_process.request("FLUSHALL")
    connection = connection_to(redis_process)
    try:
        seconds, micros = redis_process.request("TIME")
        store_ms, admission = int(seconds) * 1000 + int(micros) // 1000, RedisAdmission(connection, SLOTS, 60_000)
        place = QueuedJob("t", "s", 5, store_ms)
        armed = (await admission.slot_request("a", SlotState("slot", 0), place, store_ms + 3_600_000)).reconcile_at_ms
        assert abs(armed - store_ms - RECONCILE_INTERVAL_MS) < 30_000
        for wrong_ms in (-3_600_000, 0, 3_600_000):
            assert not (
                await admission.slot_request("a", SlotState("slot", 0), place, store_ms + wrong_ms)
            ).reconcile_at_ms
        turn = await admission.reconcile(armed, store_ms + 3_600_000)
        assert abs(turn.next_ms - store_ms - RECONCILE_INTERVAL_MS) < 30_000
    finally:
        await connection.close()
