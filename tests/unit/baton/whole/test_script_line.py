"""Scripts of several tenants in one process: those that wait in line have not begun, and fail nobody's job."""

import asyncio
from dataclasses import replace

from msgspec import structs

from baton import Agent, Call, CodeMode, Registry, ScriptedModel, tool
from baton.engine.all_jobs.slots import SlotState
from baton.engine.transitions import JobStatus
from baton.engine.waits import status_and_wait
from baton.sdk.code_mode.places import SCRIPTS_AT_ONCE
from baton_events.schema import Event
from tests.unit.baton.kit.stage import SETTINGS, Stage

LONGER_THAN_ONE_WAITS = CodeMode(seconds=6)


@tool
async def look(n: int) -> int:
    return n


def _coder(name: str, code: str) -> Agent:
    model = ScriptedModel([[Call("run_code", {"code": code})], "done"])
    return Agent(name, model=model, tools=[look], code_mode=LONGER_THAN_ONE_WAITS)


class Coders(Stage):
    """Two agents: one whose scripts take all of their time, and a quick one."""

    def __init__(self) -> None:
        settings = replace(SETTINGS, max_concurrent_jobs=100, continuation="inline")
        registry = Registry([_coder("loops", "while True: pass"), _coder("quick", "6 * 7")])
        super().__init__(settings=settings, registry=registry)

    async def submitted(self, agent: str, job_id: str, tenant: str) -> Event:
        job = structs.replace(self.job(agent, job_id), tenant=tenant)
        await self.container.commands.submit(job, {"text": "x", "data": {}})
        return self.events()[-1]


async def test_a_script_in_line_is_given_back_without_an_attempt_and_other_tenants_begin_at_once() -> None:
    stage = Coders()
    ids = [f"job_{number}" for number in range(SCRIPTS_AT_ONCE + 2)]
    events = [await stage.submitted("loops", job_id, "mallory") for job_id in ids]
    quick = await stage.submitted("quick", "job_quick", "alice")
    loops = [asyncio.create_task(stage.deliver(event, f"m{at}")) for at, event in enumerate(events)]
    await asyncio.sleep(2)
    async with asyncio.timeout(3):
        await stage.deliver(quick, "m-quick")
    assert (await stage.now("job_quick")).status is JobStatus.COMPLETED
    await asyncio.gather(*loops)
    found = [await stage.snapshot(job_id) for job_id in ids]
    ended = [snapshot.calls[0].error for snapshot in found if snapshot.job.ended]
    assert len(ended) == SCRIPTS_AT_ONCE - 1
    assert all(error and "TimeoutError" in error.message for error in ended)
    waiting = [(snapshot.job, snapshot.items) for snapshot in found if not snapshot.job.ended]
    assert [(one.attempt, one.lost, one.owner) for _, (one, *_) in waiting] == [(1, 0, "")] * 3
    waits = {status_and_wait(job, items, SlotState(slot=True), stage.clock.ms)[1] for job, items in waiting}
    assert waits == {"the line of scripts for the model's turn 2"}
