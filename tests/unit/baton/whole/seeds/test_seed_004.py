"""Seed 004, row by row: a jobs API, checkpoints that a person decides, a worker to start and stop, metrics.

tests/seeds.md lists these rows beside their endpoints; a test holds both lists to each other.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.baton.kit.approval_kit import checkpoints, decide, pending, run_for_an_hour
from tests.unit.baton.server.api.client import ACME, ADMIN, Api, assert_problem

FILES = [{"path": "lib/auth.ts", "content": "export function authenticate() { ... }"}]
JOB: dict[str, Any] = {
    "jobType": "code-generation",
    "taskDescription": "Generate user authentication code",
    "priority": 8,
}
WORKER = "/api/admin/agent-worker"


async def requested(api: Api) -> tuple[str, dict[str, object]]:
    job = await api.submitted(**JOB, inputData={"files": FILES})
    await run_for_an_hour(api)
    (question,) = await pending(api, job["id"])
    return job["id"], question


async def test_seed_004_post_agent_jobs_enqueues(api: Api) -> None:
    job = await api.submitted(**JOB, inputData={"files": FILES})
    assert {name: job[name] for name in JOB} == JOB
    assert job["inputData"] == {"files": FILES}


async def test_seed_004_get_agent_jobs_lists_with_filters(api: Api) -> None:
    done = await api.submitted(jobType="simple-task", taskDescription="Test task")
    await api.stage.run()
    await api.submitted(jobType="code-generation", inputData={"files": FILES})
    page = (await api.request("GET", "/api/agent-jobs?status=completed&jobType=simple-task")).json()
    assert [job["id"] for job in page["jobs"]] == [done["id"]]


async def test_seed_004_get_agent_job_has_the_details(api: Api) -> None:
    job = await api.submitted(jobType="simple-task", taskDescription="Test task", inputData={"test": "data"})
    await run_for_an_hour(api)
    details = await api.read(job["id"])
    assert (details["status"], details["result"]["answer"]) == ("completed", "Done: Test task")
    assert len(details["toolCalls"]) == 1


async def test_seed_004_patch_cancels_and_retries(api: Api) -> None:
    job_id, _ = await requested(api)
    path = f"/api/agent-jobs/{job_id}"
    assert (await api.request("PATCH", path, json={"action": "cancel"})).json()["status"] == "cancelled"
    assert (await api.request("PATCH", path, json={"action": "retry"})).json()["finishedAt"] is None
    await run_for_an_hour(api)
    assert len(await pending(api, job_id)) == 1


async def test_seed_004_get_a_jobs_checkpoints(api: Api) -> None:
    job = await api.submitted(jobType="simple-task", taskDescription="Test task", inputData={"test": "data"})
    await run_for_an_hour(api)
    (mark,) = await checkpoints(api, job["id"])
    assert (mark["type"], mark["status"], mark["title"]) == ("info", "recorded", "the task has begun")
    assert mark["data"] == {"task": "Test task", "inputData": {"test": "data"}}
    assert (mark["jobId"], mark["createdAt"][:4], mark["id"][:5]) == (job["id"], "2027", "info_")


async def test_seed_004_get_admin_checkpoints_lists_what_is_pending(api: Api) -> None:
    _, question = await requested(api)
    path = "/api/admin/agent-checkpoints"
    assert [one["id"] for one in (await api.request("GET", path, ADMIN)).json()["checkpoints"]] == [question["id"]]
    assert_problem(await api.request("GET", path, ACME), 403)


async def test_seed_004_post_admin_checkpoint_approves(api: Api) -> None:
    job_id, question = await requested(api)
    await decide(api, question)
    await run_for_an_hour(api)
    assert (await api.read(job_id))["status"] == "completed"


async def test_seed_004_delete_admin_checkpoint_rejects_with_a_reason(api: Api, tmp_path: Path) -> None:
    job_id, question = await requested(api)
    path = f"/api/admin/agent-checkpoints/{question['id']}"
    assert (await api.request("DELETE", path, ADMIN, json={"reason": 1})).status_code == 422
    await decide(api, question, "DELETE", reason="Code doesn't meet security standards")
    await run_for_an_hour(api)
    job = await api.read(job_id)
    assert job["error"]["message"] == "step 'write' failed: Code doesn't meet security standards"
    assert not (tmp_path / ".baton").exists()


@pytest.mark.parametrize("body", [b"", b"{}", b'{"reason": " "}'])
async def test_seed_004_a_rejection_may_be_without_a_reason(api: Api, body: bytes) -> None:
    job_id, question = await requested(api)
    path = f"/api/admin/agent-checkpoints/{question['id']}"
    assert (await api.request("DELETE", path, ADMIN, content=body)).json()["reason"] == "rejected without a reason"
    await run_for_an_hour(api)
    assert (await api.read(job_id))["error"]["message"] == "step 'write' failed: rejected without a reason"


async def test_seed_004_get_worker_has_its_status(api: Api) -> None:
    state = (await api.request("GET", WORKER, ADMIN)).json()
    assert (state["running"], state["activeJobs"], state["maxConcurrentJobs"]) == (True, 0, 3)


async def test_seed_004_delete_worker_stops_and_post_starts_it(api: Api) -> None:
    assert (await api.request("DELETE", WORKER, ADMIN)).json()["running"] is False
    job = await api.submitted(jobType="simple-task")
    await run_for_an_hour(api)
    assert (await api.read(job["id"]))["status"] == "pending"
    assert (await api.request("POST", WORKER, ADMIN)).json()["running"] is True
    await run_for_an_hour(api)
    assert (await api.read(job["id"]))["status"] == "completed"


async def test_seed_004_the_worker_runs_so_many_jobs_at_a_time(api: Api) -> None:
    for _ in range(5):
        await api.submitted(jobType="simple-task")
    state = (await api.request("GET", WORKER, ADMIN)).json()
    assert (state["activeJobs"], state["pendingJobs"]) == (3, 2)


async def test_seed_004_post_worker_takes_its_configuration(api: Api) -> None:
    """`{"pollInterval": 5000, "maxConcurrentJobs": 5, "enableSentry": true}`: the second one counts at once."""
    for _ in range(5):
        await api.submitted(jobType="simple-task")
    body = {"pollInterval": 5000, "maxConcurrentJobs": 5, "enableSentry": True}
    state = (await api.request("POST", WORKER, ADMIN, json=body)).json()
    assert (state["activeJobs"], state["maxConcurrentJobs"]) == (5, 5)
    assert (await api.request("POST", WORKER, ADMIN, json={})).json()["maxConcurrentJobs"] == 5
    back = await api.request("POST", WORKER, ADMIN, json={"maxConcurrentJobs": None})
    assert back.json()["maxConcurrentJobs"] == 3
    refused = await api.request("POST", WORKER, ADMIN, json={"maxConcurrentJobs": 0})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "maxConcurrentJobs")


async def test_seed_004_the_admin_page_leads_to_the_console(api: Api) -> None:
    answer = await api.request("GET", "/admin/agent-checkpoints", "")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/approvals")


async def test_seed_004_data_processing_has_several_checkpoints(api: Api) -> None:
    job = await api.submitted(jobType="data-processing", inputData={"rows": [{"value": 1}, {"value": 2}]})
    await run_for_an_hour(api)
    marks = [(mark["type"], mark["title"], mark["data"]) for mark in await checkpoints(api, job["id"])]
    assert sorted(marks, key=lambda mark: mark[1]) == [
        ("info", "columns are summed up", {"columns": ["value"]}),
        ("info", "rows are cleaned", {"kept": 2, "leftOut": 0}),
        ("info", "rows are loaded", {"rows": 2}),
    ]


@pytest.mark.parametrize(
    "name",
    [
        "agent_jobs_total",
        "agent_jobs_duration_seconds",
        "agent_checkpoints_total",
        "agent_checkpoints_pending",
        "agent_worker_active_jobs",
    ],
)
async def test_seed_004_metrics_has(api: Api, name: str) -> None:
    await requested(api)
    text = (await api.request("GET", "/api/metrics", ADMIN)).text
    assert f"# TYPE {name} " in text


async def test_seed_004_a_job_that_fails_can_be_retried(api: Api) -> None:
    job = await api.submitted(jobType="doomed")
    await run_for_an_hour(api)
    answer = await api.request("PATCH", f"/api/agent-jobs/{job['id']}", json={"action": "retry", "from": "start"})
    assert answer.status_code == 200
    await run_for_an_hour(api)
    assert (await api.read(job["id"]))["status"] == "failed"


async def submitted(api: Api, job_type: str, task: str = "", **data: Any) -> str:
    """A job that has come to its end, or to a question."""
    job = await api.submitted(jobType=job_type, taskDescription=task, inputData=data)
    await run_for_an_hour(api)
    return str(job["id"])


async def test_a_path_out_of_the_workspace_is_refused(api: Api, tmp_path: Path) -> None:
    job_id = await submitted(api, "code-generation", files=[{"path": "../evil.txt", "content": "x"}])
    await decide(api, (await pending(api, job_id))[0])
    await run_for_an_hour(api)
    job = await api.read(job_id)
    assert job["status"] == "failed"
    assert "'..'" in job["error"]["message"]
    assert not (tmp_path / ".baton/evil.txt").exists()


async def test_code_without_files_is_a_note_of_the_task(api: Api) -> None:
    """So that the type can be tried with a task alone."""
    job_id = await submitted(api, "code-generation", "Build a lamp")
    files = [{"path": "generated/TASK.md", "content": "# Build a lamp\n"}]
    assert (await pending(api, job_id))[0]["arguments"] == {"files": files}


async def test_data_processing_leaves_a_mark_after_each_step(api: Api) -> None:
    sample = await submitted(api, "data-processing")
    assert (await api.read(sample))["result"]["output"]["rows"] == 3
    job_id = await submitted(api, "data-processing", rows=[{"n": 1, "ok": True}, {"n": 3}, {}, {"n": None}, 5])
    assert (await api.read(job_id))["result"]["output"] == {
        "rows": 3,
        "columns": {
            "n": {"count": 2, "min": 1, "max": 3, "mean": 2.0},
            "value": {"count": 1, "min": 5, "max": 5, "mean": 5.0},
        },
    }
