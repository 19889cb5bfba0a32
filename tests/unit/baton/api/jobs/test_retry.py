"""`PATCH /api/agent-jobs/{id}` with `retry`, and `DELETE /api/agent-jobs/{id}`."""

from typing import Any

import httpx
import pytest

from baton.engine.commit.tree import Tree
from tests.unit.baton.api.client import ADMIN, OTHER, Api, assert_problem


async def change(api: Api, job_id: str, body: dict[str, Any], key: str = "key-of-acme") -> httpx.Response:
    """Ask for a change."""
    return await api.request("PATCH", f"/api/agent-jobs/{job_id}", key, json=body)


async def delete(api: Api, job_id: str, key: str = "key-of-acme") -> httpx.Response:
    """Ask for its deletion."""
    return await api.request("DELETE", f"/api/agent-jobs/{job_id}", key)


async def cancelled(api: Api, agent: str = "adds") -> str:
    """The id of a job that was cancelled before its first event."""
    job_id: str = (await api.submitted(jobType=agent))["id"]
    assert (await change(api, job_id, {"action": "cancel"})).status_code == 200
    return job_id


async def test_a_completed_job_is_retried_from_its_start_only(api: Api) -> None:
    """409 that says so; then all of it happens again."""
    job_id = (await api.submitted(jobType="adds"))["id"]
    await api.stage.run()
    for body in ({"action": "retry"}, {"action": "retry", "from": "failure"}):
        assert "from the start" in assert_problem(await change(api, job_id, body), 409)
    assert (await change(api, job_id, {"action": "retry", "from": "start"})).status_code == 200
    await api.stage.run()
    job = await api.read(job_id)
    assert (job["status"], len(job["toolCalls"]), len(api.stage.step_result.runs)) == ("completed", 4, 4)


@pytest.mark.parametrize(
    "body",
    [
        {"action": "cancel", "from": "start"},
        {"action": "retry", "from": "middle"},
        {"action": "retry", "begin": "start"},
    ],
    ids=str,
)
async def test_a_body_that_says_something_else_is_refused(api: Api, body: dict[str, Any]) -> None:
    """422."""
    job_id = await cancelled(api)
    assert (await change(api, job_id, body)).status_code == 422


async def test_a_deleted_job_is_gone(api: Api) -> None:
    """204; whoever reads it, its stream or what belongs to it is told 410, and another tenant still 403."""
    job_id = await cancelled(api)
    response = await delete(api, job_id)
    assert (response.status_code, response.content) == (204, b"")
    for path in ("", "/stream", "/checkpoints", "/recording"):
        detail = assert_problem(await api.request("GET", f"/api/agent-jobs/{job_id}{path}"), 410)
        assert detail == f"the data of job {job_id!r} was deleted"
    assert_problem(await change(api, job_id, {"action": "retry"}), 410)
    assert_problem(await delete(api, job_id), 410)
    assert_problem(await api.request("GET", f"/api/agent-jobs/{job_id}", OTHER), 403)
    assert_problem(await api.request("GET", f"/api/agent-jobs/{job_id}", ADMIN), 410)


async def test_nothing_brings_a_deleted_job_back(api: Api) -> None:
    """Its backup messages come, and what was on its way: all of it is acknowledged, and the slot is free."""
    job_id = await cancelled(api)
    await delete(api, job_id)
    await api.stage.run()
    assert_problem(await api.request("GET", f"/api/agent-jobs/{job_id}"), 410)
    assert api.stage.step_result.runs == []
    assert not [entry for entry in api.stage.admission.entries.values() if entry.slot]


async def test_a_key_of_a_deleted_job_submits_no_other(api: Api) -> None:
    """410: who uses it again may mean the old job."""
    job_id = (await api.submit(idempotency_key="one")).json()["id"]
    await api.stage.run()
    assert (await delete(api, job_id)).status_code == 204
    published = len(api.stage.outgoing())
    assert "is gone" in assert_problem(await api.submit(idempotency_key="one"), 410)
    assert len(api.stage.outgoing()) == published
    assert not [entry for entry in api.stage.admission.entries.values() if entry.slot]


async def test_an_expired_job_is_gone_and_an_unknown_one_is_not_found(api: Api) -> None:
    """410 while its tombstone is kept, 404 afterwards."""
    job_id = (await api.submitted())["id"]
    await api.stage.run()
    kept = api.stage.store.trees[job_id].tombstone
    api.stage.store.trees[job_id] = Tree(tombstone=kept)
    assert "has expired" in assert_problem(await api.request("GET", f"/api/agent-jobs/{job_id}"), 410)
    del api.stage.store.trees[job_id]
    assert_problem(await api.request("GET", f"/api/agent-jobs/{job_id}"), 404)


async def test_a_deletion_that_a_failover_forgot_is_sent_again(api: Api) -> None:
    """By its backup message."""
    job_id = await cancelled(api)
    before = dict(api.stage.store.trees)
    await delete(api, job_id)
    api.stage.store.trees = before
    assert (await api.read(job_id))["status"] == "cancelled"
    await api.stage.run()
    assert_problem(await api.request("GET", f"/api/agent-jobs/{job_id}"), 410)


async def test_a_deletion_does_not_take_a_job_that_was_retried_since(api: Api) -> None:
    """What a failover brought back, and somebody wanted to run again, is not what was deleted."""
    job_id = await cancelled(api)
    before = dict(api.stage.store.trees)
    await delete(api, job_id)
    api.stage.store.trees = before
    assert (await change(api, job_id, {"action": "retry"})).status_code == 200
    await api.stage.run()
    assert (await api.read(job_id))["status"] == "completed"
