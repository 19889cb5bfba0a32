"""What operators ask of a deployment: admission, health, tools, and messages that are sent again."""

from baton_events.errors import PublishError, StoreError
from tests.unit.baton.api.client import ADMIN, Api, assert_problem

WORKER = "/api/admin/agent-worker"


async def worker(api: Api, method: str = "GET") -> dict[str, object]:
    response = await api.request(method, WORKER, ADMIN)
    assert response.status_code == 200, response.text
    view: dict[str, object] = response.json()
    return view


async def test_at_first_it_runs_and_nobody_is_at_work(api: Api) -> None:
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
    assert (await api.request("POST", WORKER, ADMIN)).status_code == 503
    await worker(api, "POST")
    await api.stage.run()
    assert (await api.read(job["id"]))["status"] == "completed"


async def test_a_process_is_not_ready_while_its_store_is_down(api: Api) -> None:
    api.stage.reader.down = StoreError("no answer from https://store.internal")
    response = await api.request("GET", "/readyz", "")
    assert response.status_code == 503
    assert "store.internal" not in response.text
    api.stage.reader.down = None
    response = await api.request("GET", "/readyz", "")
    assert response.status_code == 200
    assert response.json() == {"status": "ready", "store": "REST"}, "no agent: whoever asks shows no key"


async def test_a_message_whose_step_is_open_is_sent_once_more(api: Api) -> None:
    job = await api.submitted(jobType="answers")
    message_id = api.stage.queue.published[-1][0]
    answer = (await api.request("POST", f"/api/admin/messages/{message_id}/replay", ADMIN)).json()
    assert answer == {"messageId": message_id, "standing": "due", "sent": True, "jobId": job["id"], "expected": 1}
    assert api.stage.queue.published[-1][0] != message_id


async def test_what_a_job_expects_is_redriven(api: Api) -> None:
    """Nothing for one that has ended; an unknown one is 404."""
    job = await api.submitted(jobType="answers")
    path = f"/api/admin/agent-jobs/{job['id']}/drive"
    assert (await api.request("POST", path, ADMIN)).json() == {"jobId": job["id"], "driven": 1}
    await api.stage.run()
    assert (await api.request("POST", path, ADMIN)).json()["driven"] == 0
    assert_problem(await api.request("POST", "/api/admin/agent-jobs/job_0/drive", ADMIN), 404)


async def test_every_tool_is_listed_with_what_became_of_its_attempts(api: Api) -> None:
    before = (await api.request("GET", "/api/admin/tools", ADMIN)).json()
    unused = {"calls": 0, "failures": 0, "p50Ms": None, "p95Ms": None}
    assert before["tools"][0] == {"name": "add", "capabilities": [], **unused}
    await api.stage.submit("adds", "job_1")
    await api.stage.submit("breaks", "job_2")
    await api.stage.run()
    response = await api.request("GET", "/api/admin/tools", ADMIN)
    assert response.status_code == 200
    found = {row["name"]: row for row in response.json()["tools"]}
    assert (found["add"]["calls"], found["add"]["failures"], found["add"]["p95Ms"]) == (2, 0, 0)
    assert (found["broken"]["calls"], found["broken"]["failures"]) == (2, 2)
