"""Who gets compute when many want it, through the whole product over fakes: tenants, priority, and delayed starts."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from baton.engine.state import Job
from tests.unit.baton.kit.stage import SETTINGS, Stage

SLOTS = 3
MANY = 500


class Enough(Exception):  # noqa: N818 - no error: what was to be seen was seen
    """Ends a run."""


async def submit(stage: Stage, job_id: str, tenant: str, *, priority: int = 5, start_at_ms: int = 0) -> None:
    job = Job(job_id, f"session-{job_id}", tenant, "adds", stage.clock.now_ms(), priority, start_at_ms=start_at_ms)
    await stage.container.commands.submit(job, {"text": "do it", "data": {}})


def watching(stage: Stage, claim_result: list[str], until: Callable[[], bool]) -> Callable[[], Awaitable[None]]:
    """Notes in which order jobs are given slots, until that holds."""

    async def check() -> None:
        fresh = [name for name, entry in stage.admission.entries.items() if entry.started and name not in claim_result]
        claim_result.extend(sorted(fresh))
        if until():
            raise Enough

    return check


async def order_of_beginning(stage: Stage, until: Callable[[], bool]) -> list[str]:
    claim_result: list[str] = []
    check = watching(stage, claim_result, until)
    await check()
    with pytest.raises(Enough):
        await stage.run(check)
    return claim_result


async def test_a_tenant_with_500_waiting_jobs_delays_another_tenants_single_job_by_no_more_than_the_jobs_running() -> (
    None
):
    """The first slot that is given back is the other tenant's; none of the waiting ones goes before."""
    stage = Stage(settings=replace(SETTINGS, max_concurrent_jobs=SLOTS))
    for number in range(SLOTS + MANY):
        await submit(stage, f"job_{number:03d}", "busy")
        stage.clock.ms += 1
    running = [name for name, entry in stage.admission.entries.items() if entry.slot]
    assert len(running) == SLOTS
    await submit(stage, "job_single", "quiet")
    ended_before: list[int] = []

    def single_has_ended() -> bool:
        if stage.admission.entries["job_single"].slot and not ended_before:
            ended_before.append(sum(stage.store.tree(name).jobs[name].ended for name in running))
        return stage.store.tree("job_single").jobs["job_single"].ended

    claim_result = await order_of_beginning(stage, single_has_ended)
    assert claim_result[: SLOTS + 1] == [*running, "job_single"]
    assert ended_before == [1]  # not even the longest of those that were running is waited for


async def test_two_tenants_in_line_take_turns_however_many_jobs_each_has() -> None:
    stage = Stage(settings=replace(SETTINGS, max_concurrent_jobs=2))
    for number in range(20):
        await submit(stage, f"job_a{number:02d}", "busy")
        stage.clock.ms += 1
    for number in range(5):
        await submit(stage, f"job_b{number:02d}", "quiet")
        stage.clock.ms += 1
    last = "job_b04"
    claim_result = await order_of_beginning(stage, lambda: stage.admission.entries[last].started)
    of_busy = [name for name in claim_result[2:] if name.startswith("job_a")]
    assert len(of_busy) <= 5 + 1


async def test_among_one_tenants_jobs_priority_decides_then_order() -> None:
    stage = Stage(settings=replace(SETTINGS, max_concurrent_jobs=1))
    priorities = {"job_1": 5, "job_2": 0, "job_3": 5, "job_4": 9, "job_5": 9, "job_6": 5}
    for name, priority in priorities.items():
        await submit(stage, name, "t", priority=priority)
        stage.clock.ms += 1
    claim_result = await order_of_beginning(stage, lambda: stage.admission.entries["job_2"].started)
    assert claim_result == ["job_1", "job_4", "job_5", "job_3", "job_6", "job_2"]


async def test_a_job_that_starts_later_holds_no_slot_and_no_place_until_its_time() -> None:
    """Whoever comes meanwhile goes first; at its time it is in line as others are."""
    stage = Stage(settings=replace(SETTINGS, max_concurrent_jobs=1))
    await submit(stage, "job_1", "t", priority=9, start_at_ms=stage.clock.now_ms() + 600_000)
    stage.clock.ms += 1
    await submit(stage, "job_2", "t", priority=0)
    claim_result = await order_of_beginning(stage, lambda: stage.store.tree("job_1").jobs["job_1"].ended)
    assert claim_result == ["job_2", "job_1"]
    job = stage.store.tree("job_1").jobs["job_1"]
    assert (job.started_at_ms or 0) >= job.start_at_ms
