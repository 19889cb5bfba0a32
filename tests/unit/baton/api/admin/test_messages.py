"""Replaying over HTTP: `POST /api/admin/messages/{id}/replay` and `POST /api/admin/agent-jobs/{id}/drive`."""

from tests.unit.baton.api.client import ADMIN, Api, assert_problem


async def test_a_message_whose_step_is_open_is_sent_once_more(api: Api) -> None:
    """And the job goes on."""
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
