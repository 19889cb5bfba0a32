"""A job whose key is lost: each route that needs its texts says so, the others answer, and other jobs go on."""

from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest

from tests.fakes.stored import FakeRedis
from tests.unit.baton.server.api.client import ADMIN
from tests.unit.baton.server.console.operator import Operator, operator_of
from tests.unit.baton.whole.lost_key import JOBS, stage_of
from tests.unit.baton.whole.test_sealed import K1, K2


class Lost(NamedTuple):
    """An ended job and one that waits for a decision, sealed by a key that the operator's process lacks."""

    operator: Operator
    ended: str
    waiting: str


@pytest.fixture
async def lost() -> AsyncIterator[Lost]:
    redis = FakeRedis()
    async with operator_of(stage_of(K1, redis)) as before:
        ended = await before.api.submitted(jobType="echo", taskDescription="canary", sessionId="s")
        waiting = await before.api.submitted(jobType="sign", taskDescription="canary")
        await before.stage.run(within_seconds=5)
    async with operator_of(stage_of(K2, redis)) as operator:
        yield Lost(operator, ended["id"], waiting["id"])


async def test_pages_of_such_a_job_say_what_can_be_done(lost: Lost) -> None:
    """What each route says is in test_lost_key_routes."""
    for path in (lost.ended, f"{lost.ended}/fork", lost.waiting):
        assert "can be cancelled and deleted" in await lost.operator.see(f"/console/jobs/{path}", 409)


async def test_what_needs_no_text_answers(lost: Lost) -> None:
    api = lost.operator.api
    read = await api.read(lost.ended)
    assert (read["status"], read["taskDescription"], read["unreadable"]) == ("completed", None, {"keyIds": ["k1"]})
    listed = (await api.request("GET", JOBS)).json()["jobs"]
    assert {job["id"] for job in listed} == {lost.ended, lost.waiting}
    asked = await api.request("GET", "/api/admin/agent-checkpoints", ADMIN)
    assert (asked.status_code, asked.json()) == (200, {"checkpoints": []})
    pages = ("jobs", "approvals", "sessions", "messages", "dead-letters", "agents", "usage", "schedules")
    for page in ("", *(f"/{name}" for name in pages)):
        await lost.operator.see(f"/console{page}")
    assert "sign" not in await lost.operator.see("/console/approvals")
    answer = await api.request("PATCH", f"{JOBS}/{lost.waiting}", json={"action": "cancel"})
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    for job_id in (lost.ended, lost.waiting):
        assert (await api.request("DELETE", f"{JOBS}/{job_id}")).status_code == 204


async def test_other_jobs_go_on(lost: Lost) -> None:
    api = lost.operator.api
    job = await api.submitted(jobType="echo", taskDescription="canary", idempotency_key="of its own")
    await api.stage.run()
    assert (await api.read(job["id"]))["result"] == {"answer": "done"}


async def test_approvals_of_other_jobs_are_decided(lost: Lost) -> None:
    """Also where one of the same agent cannot be read, which the page of an approval looks at."""
    api = lost.operator.api
    job = await api.submitted(jobType="sign", taskDescription="canary", idempotency_key="of its own")
    await api.stage.run(within_seconds=5)
    [asked] = (await api.request("GET", "/api/admin/agent-checkpoints", ADMIN)).json()["checkpoints"]
    assert asked["jobId"] == job["id"]
    await lost.operator.see(f"/console/approvals/{asked['id']}")
    assert (await api.request("POST", f"/api/admin/agent-checkpoints/{asked['id']}", ADMIN, json={})).status_code == 200
    await api.stage.run(within_seconds=60)
    assert (await api.read(job["id"]))["status"] == "completed"


async def test_with_the_key_it_is_read_again(lost: Lost) -> None:
    async with operator_of(stage_of(f"{K2},{K1}", lost.operator.stage.redis)) as operator:
        assert (await operator.api.read(lost.ended))["taskDescription"] == "canary"
        await operator.see(f"/console/jobs/{lost.ended}")
