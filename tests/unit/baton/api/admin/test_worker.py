"""`/api/admin/agent-worker`: stopping and starting the admission of jobs."""

from baton.engine.waits import A_SLOT, STOPPED
from baton_events.errors import PublishError
from baton_events.timestamps import rfc3339
from tests.unit.baton.api.client import ADMIN, Api

PATH = "/api/admin/agent-worker"


async def worker(api: Api, method: str = "GET") -> dict[str, object]:
    """How it stands, after it was asked for."""
    response = await api.request(method, PATH, ADMIN)
    assert response.status_code == 200, response.text
    view: dict[str, object] = response.json()
    return view


async def test_at_first_it_runs_and_nobody_is_at_work(api: Api) -> None:
    """No sweep has looked."""
    assert await worker(api) == {
        "running": True,
        "stoppedAt": None,
        "activeJobs": 0,
        "pendingJobs": 0,
        "maxConcurrentJobs": 3,
        "lastSweepAt": None,
    }


async def test_a_stopped_worker_admits_nobody_and_says_so(api: Api) -> None:
    """Jobs are accepted and wait; what they wait for is said. Stopping twice is stopping."""
    running = await api.submitted(jobType="adds")
    stopped_at = rfc3339(api.stage.clock.ms)
    for _ in range(2):
        view = await worker(api, "DELETE")
        assert (view["running"], view["stoppedAt"], view["activeJobs"]) == (False, stopped_at, 1)
        api.stage.clock.ms += 1_000
    waiting = await api.submitted()
    await api.stage.run()
    assert (await api.read(running["id"]))["status"] == "completed"
    job = await api.read(waiting["id"])
    assert (job["status"], job["waitingFor"]) == ("pending", STOPPED)
    view = await worker(api)
    assert (view["activeJobs"], view["pendingJobs"]) == (0, 1)


async def test_a_started_worker_admits_those_who_wait_at_once(api: Api) -> None:
    """As many as there are slots, the others after them; all end."""
    await worker(api, "DELETE")
    jobs = [await api.submitted() for _ in range(5)]
    await api.stage.run()
    for _ in range(2):
        view = await worker(api, "POST")
        assert (view["running"], view["activeJobs"], view["pendingJobs"]) == (True, 3, 2)
    assert (await api.read(jobs[4]["id"]))["waitingFor"] == A_SLOT
    await api.stage.run()
    assert [(await api.read(job["id"]))["status"] for job in jobs] == ["completed"] * 5


async def test_a_start_that_could_not_notify_notifies_when_it_is_repeated(api: Api) -> None:
    """503; the slots are given, and nobody has heard of them."""
    await worker(api, "DELETE")
    job = await api.submitted()
    await api.stage.run()
    for _ in range(2):  # the sweep's message, and what tells the job
        api.stage.queue.failing.append(PublishError("full"))
    assert (await api.request("POST", PATH, ADMIN)).status_code == 503
    await worker(api, "POST")
    await api.stage.run()
    assert (await api.read(job["id"]))["status"] == "completed"


async def test_the_last_sweep_is_shown(api: Api) -> None:
    """By the time of the store's word."""
    await api.stage.admission.reconcile(0, api.stage.clock.ms)
    assert (await worker(api))["lastSweepAt"] == rfc3339(api.stage.clock.ms)
