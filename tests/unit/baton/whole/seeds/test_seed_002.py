"""Seed 002, row by row: tasks that a front-end submits, a worker takes up, and everybody sees change.

tests/seeds.md lists these rows beside their endpoints; a test holds both lists to each other.
"""

from baton.worker.recovery.sweep import Page
from tests.unit.baton.kit.approval_kit import run_for_an_hour
from tests.unit.baton.server.api.client import ADMIN, Api


async def test_seed_002_a_submitted_task_is_pending_until_it_is_taken_up(api: Api) -> None:
    job = await api.submitted(jobType="simple", taskDescription="Are you online?", inputData={"a": 1})
    assert (job["status"], job["taskDescription"], job["inputData"]) == ("pending", "Are you online?", {"a": 1})
    assert job["createdAt"] == job["updatedAt"]


async def test_seed_002_nobody_polls_a_submission_is_an_event(api: Api) -> None:
    job = await api.submitted(jobType="simple")
    assert [event.type for event in api.stage.events() if event.job_id == job["id"]][-1] == "agent.loop.init"


async def test_seed_002_status_goes_from_pending_over_processing_to_completed(api: Api) -> None:
    job, seen = await api.submitted(jobType="simple"), ["pending"]

    async def look() -> None:
        status = (await api.read(job["id"]))["status"]
        if status != seen[-1]:
            seen.append(status)

    await api.stage.run(look)
    assert seen == ["pending", "processing", "completed"]
    ended = await api.read(job["id"])
    assert ended["result"]["answer"].startswith("Listed the library")
    assert ended["updatedAt"] >= ended["createdAt"]


async def test_seed_002_a_task_that_meets_an_error_is_failed_and_says_why(api: Api) -> None:
    job = await api.submitted(jobType="doomed")
    await run_for_an_hour(api)
    ended = await api.read(job["id"])
    assert (ended["status"], ended["error"]) == ("failed", {"type": "model_error", "message": "the model is gone"})


async def test_seed_002_each_update_reaches_who_listens(api: Api) -> None:
    job = await api.submitted(jobType="simple")
    await api.stage.run()
    stream = (await api.request("GET", f"/api/agent-jobs/{job['id']}/stream", ADMIN)).text
    assert stream.count('"type":"data-event"') == 12
    assert stream.endswith("data: [DONE]\n\n")


async def test_seed_002_a_task_stuck_in_processing_is_brought_on_without_a_person(api: Api) -> None:
    job = await api.submitted(jobType="simple")
    api.stage.queue.published.clear()  # whoever was to bring its first event has died
    api.stage.clock.ms += 120_000
    sweep = api.stage.container._sweep
    await sweep.handle(Page(0), "the backstop", "drive", again=False)
    await api.stage.run()
    assert (await api.read(job["id"]))["status"] == "completed"


async def test_seed_002_high_priority_tasks_come_first(api: Api) -> None:
    low = [await api.submitted(jobType="simple", priority=1) for _ in range(5)]
    high = await api.submitted(jobType="simple", priority=9)
    waiting = [name for name, entry in api.stage.admission.entries.items() if not entry.slot]
    assert waiting == [*(job["id"] for job in low[3:]), high["id"]]
    ended: list[str] = []

    async def look() -> None:
        for job in (*low[3:], high):
            if job["id"] not in ended and (await api.read(job["id"]))["status"] == "completed":
                ended.append(job["id"])

    await api.stage.run(look)
    assert ended[0] == high["id"]
