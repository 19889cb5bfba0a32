"""`/api/admin/agent-worker`: stopping and starting the admission of jobs."""

from baton_events.errors import PublishError
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
        "history": [],
    }


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
