"""`PATCH /api/agent-jobs/{id}`, which cancels and retries, and `DELETE /api/agent-jobs/{id}`."""

from typing import Any

import httpx
import pytest

from baton_events.ids import call_id, operation_id
from tests.fakes.stored import RETENTION_MS, TREES
from tests.unit.baton.server.api.client import ADMIN, OTHER, Api, assert_problem

CANCEL = {"action": "cancel"}


async def change(api: Api, job_id: str, body: dict[str, Any]) -> httpx.Response:
    return await api.request("PATCH", f"/api/agent-jobs/{job_id}", json=body)


async def delete(api: Api, job_id: str) -> httpx.Response:
    return await api.request("DELETE", f"/api/agent-jobs/{job_id}")


async def cancelled(api: Api) -> str:
    """The id of a job that was cancelled before its first event."""
    job_id: str = (await api.submitted(jobType="adds"))["id"]
    assert (await change(api, job_id, CANCEL)).status_code == 200
    return job_id


async def test_a_live_job_is_cancelled_once_and_nothing_of_it_runs_any_more(api: Api) -> None:
    job_id = (await api.submitted(jobType="adds"))["id"]
    response = await change(api, job_id, CANCEL)
    job = response.json()
    assert (response.status_code, job["id"], job["status"]) == (200, job_id, "cancelled")
    assert job["error"] == {"type": "cancelled", "message": "cancelled by acme"}
    assert job["waitingFor"] is None
    api.stage.clock.ms += 1_000
    again = await change(api, job_id, CANCEL)
    assert (again.status_code, again.json()["finishedAt"]) == (200, job["finishedAt"])
    await api.stage.run()
    assert api.stage.step_result.runs == []


async def test_a_completed_job_is_not_cancelled_is_retried_from_its_start_only_and_expires(api: Api) -> None:
    """An unknown one is not found."""
    job_id = (await api.submitted(jobType="adds"))["id"]
    await api.stage.run()
    for body in ({"action": "retry"}, {"action": "retry", "from": "failure"}):
        assert "from the start" in assert_problem(await change(api, job_id, body), 409)
    assert (await change(api, job_id, {"action": "retry", "from": "start"})).status_code == 200
    await api.stage.run()
    job = await api.read(job_id)
    assert (job["status"], len(job["toolCalls"]), len(api.stage.step_result.runs)) == ("completed", 4, 4)
    assert f"job '{job_id}' is completed" in assert_problem(await change(api, job_id, CANCEL), 409)
    assert (await api.read(job_id))["status"] == "completed"
    api.stage.clock.ms = api.stage.store.tree(job_id).expires_ms
    assert "has expired" in assert_problem(await api.request("GET", f"/api/agent-jobs/{job_id}"), 410)
    api.stage.clock.ms += RETENTION_MS
    assert_problem(await api.request("GET", f"/api/agent-jobs/{job_id}"), 404)


async def test_a_deleted_job_is_gone_and_nothing_brings_it_back(api: Api) -> None:
    """Its backup messages come, and what was on its way: all of it is acknowledged, and the slot is free."""
    job_id = await cancelled(api)
    response = await delete(api, job_id)
    assert (response.status_code, response.content) == (204, b"")
    await api.stage.run()
    assert api.stage.step_result.runs == []
    assert not [entry for entry in api.stage.admission.entries.values() if entry.slot]
    for path in ("", "/stream", "/checkpoints", "/recording"):
        detail = assert_problem(await api.request("GET", f"/api/agent-jobs/{job_id}{path}"), 410)
        assert detail == f"the data of job {job_id!r} was deleted"
    assert_problem(await change(api, job_id, {"action": "retry"}), 410)
    question = operation_id(call_id(job_id, 1, 2_000_001, "tool_approval", {}))
    assert_problem(await api.request("POST", f"/api/admin/agent-checkpoints/{question}", ADMIN, json={}), 410)
    assert_problem(await delete(api, job_id), 410)
    assert_problem(await api.request("GET", f"/api/agent-jobs/{job_id}", OTHER), 403)
    assert_problem(await api.request("GET", f"/api/agent-jobs/{job_id}", ADMIN), 410)


async def test_a_key_of_a_deleted_job_submits_no_other(api: Api) -> None:
    """410: who uses it again may mean the old job."""
    job_id = (await api.submit(idempotency_key="one")).json()["id"]
    await api.stage.run()
    assert (await delete(api, job_id)).status_code == 204
    published = len(api.stage.outgoing())
    assert "is gone" in assert_problem(await api.submit(idempotency_key="one"), 410)
    assert len(api.stage.outgoing()) == published
    assert not [entry for entry in api.stage.admission.entries.values() if entry.slot]


@pytest.mark.parametrize("retried", [False, True])
async def test_a_deletion_that_a_failover_forgot_is_sent_again(api: Api, retried: bool) -> None:
    """By its backup message; it does not take a job that somebody wanted to run again since."""
    job_id = await cancelled(api)
    failover = api.stage.redis.failover(*TREES)
    await delete(api, job_id)
    failover()
    assert (await api.read(job_id))["status"] == "cancelled"
    if retried:
        assert (await change(api, job_id, {"action": "retry"})).status_code == 200
    await api.stage.run()
    found = await api.request("GET", f"/api/agent-jobs/{job_id}")
    assert (found.status_code, found.json()["status"]) == ((200, "completed") if retried else (410, 410))
