"""Every key that a script touches is declared, and all keys of one script share one hash tag.

Source: decisions/0008-one-hash-tag.
"""

import re

from msgspec.structs import replace

from baton.engine.all_jobs.slots import QueuedJob, SlotState
from baton.engine.commit.answers import Recorded, Signal
from baton.engine.effects import Changes, Report
from baton.engine.transitions import JobStatus
from tests.contract.store.monitor import ScriptRun, monitor
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import (
    JOB_ID,
    NOW_MS,
    SPENT,
    a_job,
    claim_of,
    complete_item,
    creation,
    fan_out,
    first_item,
    loaded_of,
    next_turn,
    record_of,
    table_of,
)
from tests.contract.store.side import Side
from tests.contract.store.test_signals import wait_item

_TAG = re.compile(r"\{([^}]*)\}")


async def every_script(side: Side) -> None:
    """Each script at least once, each of its branches that touches a key."""
    child = a_job(f"{JOB_ID}.1")
    place = QueuedJob("tenant_a", "session_a", 5, NOW_MS)
    await side.admission.slot_request(JOB_ID, SlotState("slot", 0), place, NOW_MS)
    await side.admission.reconcile(NOW_MS + 60_000, NOW_MS + 60_000)
    await side.admission.prune([(JOB_ID, 0)])
    items = await fan_out(side, 2)
    await side.store.create(creation(child), "m1", NOW_MS)
    await side.store.claim(claim_of(first_item(child.id), "m9"))
    claim = claim_of(items[0], "m2", "o2")
    await side.store.claim(claim)
    await side.store.append(claim, 1, ["{}"])
    await side.store.undelivered(claim_of(items[0], "cb1"), "m2")
    await side.store.reconcile(JOB_ID, "sweep", NOW_MS + 100_000_000, 60_000, table_of(JOB_ID))
    everything = Changes(
        job=a_job(),
        items=(complete_item(0),),
        join=next_turn(),
        calls=(record_of(items[0]),),
        results={items[0].call_id: "{}"},
        transcript=("{}",),
        parts=("{}",),
    )
    await side.store.commit(claim, everything, SPENT)
    loaded = await loaded_of(side)
    assert (await side.store.record(loaded, "m4", Changes(job=a_job(), parts=("{}",)), NOW_MS))[0] is Recorded.COMMITTED
    started = Changes(items=(wait_item(1, "paid"),), child=creation(a_job(f"{JOB_ID}.2"), slot=False))
    await side.store.signal(JOB_ID, "w1", Signal("evt_1", "{}", event="paid"), NOW_MS)
    await side.store.commit(claim_of(items[1], "m3"), started, SPENT)
    await side.store.claim(claim_of(wait_item(1), "m3"))
    report = Report(items[1].call_id, '{"ok":1}')
    done = Changes(job=replace(child, status=JobStatus.COMPLETED), ends=True, report=report)
    await side.store.commit(claim_of(first_item(child.id), "m9"), done, SPENT)
    ended = Changes(job=replace(a_job(), status=JobStatus.COMPLETED), ends=True, closing=("{}",))
    await side.store.commit(claim_of(wait_item(1), "m3"), ended, SPENT)


async def runs_of_every_script(real: Side, process: RedisProcess) -> list[ScriptRun]:
    async with monitor(process) as watching:
        await every_script(real)
        runs = await watching.runs()
    assert len(runs) == 21
    assert all(run.touched for run in runs)
    return runs


async def test_every_key_that_a_script_touches_is_declared(real: Side, redis_process: RedisProcess) -> None:
    """Upstash locks the declared keys only, and reads others from disk under the lock (redis-rest.md 9)."""
    for run in await runs_of_every_script(real, redis_process):
        assert set(run.touched) <= set(run.declared)


async def test_no_script_touches_two_hash_tags(real: Side, redis_process: RedisProcess) -> None:
    """So that a clustered Redis can run it; a job and its children have the root's tag."""
    for run in await runs_of_every_script(real, redis_process):
        tags = {tuple(_TAG.findall(key)[:1]) for key in run.declared}
        assert tags in ({(JOB_ID,)}, {("admission",)}), run.declared
