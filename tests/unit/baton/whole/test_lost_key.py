"""A job whose key is lost: each route that needs its texts says so, the others answer, and other jobs go on."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest

from tests.fakes.stored import FakeRedis
from tests.unit.baton.server.api.client import ACME, ADMIN, assert_problem
from tests.unit.baton.server.console.operator import Operator, operator_of
from tests.unit.baton.whole.lost_key import JOBS, stage_of
from tests.unit.baton.whole.test_sealed import K1, K2


class Lost(NamedTuple):
    """An ended job and one that waits for a decision, sealed by a key that the operator's process lacks."""

    operator: Operator
    ended: str
    waiting: str
    call: str


@pytest.fixture
async def lost() -> AsyncIterator[Lost]:
    redis = FakeRedis()
    async with operator_of(stage_of(K1, redis)) as before:
        ended = await before.api.submitted(jobType="echo", taskDescription="canary", sessionId="s")
        waiting = await before.api.submitted(jobType="sign", taskDescription="canary")
        await before.stage.run(within_seconds=5)
        [call] = (await before.api.read(ended["id"]))["toolCalls"]
    async with operator_of(stage_of(K2, redis)) as operator:
        yield Lost(operator, ended["id"], waiting["id"], call["id"])


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "{ended}?steps=true", None),
        ("GET", "{ended}/stream", None),
        ("GET", "{ended}/results/{call}", None),
        ("GET", "{ended}/model-messages", None),
        ("GET", "{ended}/recording", None),
        ("GET", "{ended}/diff/{ended}", None),
        ("POST", "{ended}/fork", {"turn": 1}),
        ("POST", "{ended}/scores", {"name": "n", "value": 1}),
        ("PATCH", "{ended}", {"action": "retry", "from": "start"}),
        ("GET", "{waiting}/checkpoints", None),
        ("POST", "{waiting}/events", {"name": "said", "data": 1}),
    ],
)
async def test_a_route_that_needs_a_text_names_the_key(lost: Lost, method: str, path: str, body: Any) -> None:
    path = f"{JOBS}/{path.format(ended=lost.ended, waiting=lost.waiting, call=lost.call)}"
    answer = await lost.operator.api.request(method, path, ADMIN if "fork" in path else ACME, json=body)
    detail = assert_problem(answer, 409)
    assert (answer.json()["code"], "retry-after" in answer.headers) == ("UNREADABLE", False)
    assert detail.startswith("a stored text is sealed, and the key 'k1' of PAYLOAD_KEYS is not there")
    assert detail.endswith("add it again, or delete what it has sealed")


async def test_a_session_and_pages_of_such_a_job_name_it_too(lost: Lost) -> None:
    operator = lost.operator
    assert "'k1'" in assert_problem(await operator.api.request("GET", "/api/chat/sessions/s"), 409)
    for path in (lost.ended, f"{lost.ended}/fork", lost.waiting):
        page = await operator.see(f"/console/jobs/{path}", 409)
        assert "the key &#39;k1&#39; of PAYLOAD_KEYS" in page
        assert "can be cancelled and deleted" in page


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
