"""`PATCH /api/agent-jobs/{id}`: cancelling."""

from typing import Any

import pytest

from tests.unit.baton.api.client import ADMIN, OTHER, Api, assert_problem


async def cancel(api: Api, job_id: str, key: str = "key-of-acme", **options: Any) -> Any:
    """Ask for it."""
    body = options or {"json": {"action": "cancel"}}
    return await api.request("PATCH", f"/api/agent-jobs/{job_id}", key, **body)


async def test_a_live_job_is_cancelled_at_once(api: Api) -> None:
    """200 and the job; nothing of it runs any more."""
    job_id = (await api.submitted(jobType="adds"))["id"]
    response = await cancel(api, job_id)
    job = response.json()
    assert (response.status_code, job["id"], job["status"]) == (200, job_id, "cancelled")
    assert job["error"] == {"type": "cancelled", "message": "cancelled by client of acme"}
    assert job["waitingFor"] is None
    await api.stage.run()
    assert api.stage.step_result.runs == []


async def test_cancelling_a_cancelled_job_is_no_error(api: Api) -> None:
    """200 again, and nothing changes."""
    job_id = (await api.submitted())["id"]
    first = (await cancel(api, job_id)).json()
    api.stage.clock.ms += 1_000
    again = await cancel(api, job_id)
    assert again.status_code == 200
    assert again.json()["finishedAt"] == first["finishedAt"]


async def test_a_job_that_has_ended_otherwise_cannot_be_cancelled(api: Api) -> None:
    """409; it stays as it is."""
    job_id = (await api.submitted())["id"]
    await api.stage.run()
    assert f"job '{job_id}' is completed" in assert_problem(await cancel(api, job_id), 409)
    assert (await api.read(job_id))["status"] == "completed"


async def test_operators_may_cancel_and_other_tenants_may_not(api: Api) -> None:
    """403, and the job goes on."""
    job_id = (await api.submitted())["id"]
    assert_problem(await cancel(api, job_id, OTHER), 403)
    assert (await cancel(api, job_id, ADMIN)).json()["error"]["message"] == "cancelled by admin of operators"


@pytest.mark.parametrize(
    ("options", "status", "fields"),
    [
        ({"content": b"not json"}, 400, []),
        ({"content": b""}, 400, []),
        ({"json": []}, 422, ["body"]),
        ({"json": {}}, 422, ["action"]),
        ({"json": {"action": "explode"}}, 422, ["action"]),
        ({"json": {"action": "cancel", "why": "x"}}, 422, ["why"]),
        ({"content": b"x" * 1_000_001}, 413, []),
    ],
    ids=["not json", "empty", "list", "none", "unknown", "more", "large"],
)
async def test_a_wrong_body_is_refused(api: Api, options: dict[str, Any], status: int, fields: list[str]) -> None:
    """The job goes on."""
    job_id = (await api.submitted())["id"]
    assert_problem(await cancel(api, job_id, **options), status, *fields)
    assert (await api.read(job_id))["status"] == "pending"
