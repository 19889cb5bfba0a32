"""`/api/operations` and `/api/agent-jobs/{id}/events`: what ends a wait from outside."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from baton import Agent, Call, Pending, Registry, ScriptedModel, tool, wait_for_event
from tests.unit.baton.server.api.client import OPERATIONS_KEY, Api, api_with, assert_problem


@tool
async def order() -> Pending:
    return Pending(timeout_seconds=3_600)


def registry() -> Registry:
    event = [Call("wait_for_event", {"name": "paid", "timeout_seconds": 60})]
    return Registry(
        [
            Agent(name="orders", model=ScriptedModel([[Call("order")], "done"]), tools=[order]),
            Agent(name="waits", model=ScriptedModel([event, "done"]), tools=[wait_for_event]),
        ]
    )


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with api_with(registry(), operations_api_key=OPERATIONS_KEY) as made:
        yield made


async def first_turn(api: Api, agent: str) -> tuple[str, str]:
    """A job after its first turn: its id, and its call's operation."""
    job = await api.submitted(jobType=agent)
    stage = api.stage
    await stage.deliver(stage.events()[-1], stage.queue.published[-1][0])
    (call,) = (await api.read(job["id"]))["toolCalls"]
    return job["id"], f"op_{call['id']}"


async def test_an_operation_is_completed_once_and_a_repeat_says_so(api: Api) -> None:
    job_id, operation_id = await first_turn(api, "orders")
    answers = [(await api.complete(operation_id, success=True, result=result)).json() for result in ([1], [1], [2])]
    assert [answer["applied"] for answer in answers] == [True, True, False]
    assert answers[2]["why"] == "another outcome was recorded before, and stays"
    await api.stage.run()
    job = await api.read(job_id)
    assert (job["status"], job["toolCalls"][0]["result"]) == ("completed", [1])
    assert job["toolCalls"][0]["operationId"] == operation_id
    headers = {"x-api-key": OPERATIONS_KEY}
    shown = (await api.request("GET", f"/api/operations/{operation_id}", "", headers=headers)).json()
    assert (shown["operationId"], shown["jobId"], shown["status"]) == (operation_id, job_id, "completed")
    for unknown in ("op_job_1-1-0-aaaaaaaaaa", "job_1", "op_"):
        assert_problem(await api.complete(unknown, success=True), 404)
    async with api_with() as without:
        assert "OPERATIONS_API_KEY" in assert_problem(await without.complete("op_1", success=True), 503)


async def test_secrets_from_outside_are_not_recorded(api: Api) -> None:
    """In an operation's result, in its error, and in what comes with an event; by name and by value."""
    value = OPERATIONS_KEY
    for agent, body in (
        ("orders", {"success": True, "result": {"token": "abc-abc", "said": value}}),
        ("orders", {"success": False, "error": f"no {value}"}),
    ):
        job_id, operation_id = await first_turn(api, agent)
        await api.complete(operation_id, **body)
        await api.stage.run()
        assert "[redacted]" in repr((await api.read(job_id))["toolCalls"])
    job_id, _ = await first_turn(api, "waits")
    data = {"name": "paid", "data": {"token": "abc-abc", "said": value}}
    await api.request("POST", f"/api/agent-jobs/{job_id}/events", json=data)
    await api.stage.run()
    assert (await api.read(job_id))["toolCalls"][0]["result"] == {"token": "[redacted]", "said": "[redacted]"}
    stored = repr((api.stage.store.trees, api.stage.outgoing()))
    assert "abc-abc" not in stored
    assert value not in stored


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"success": "yes"}, "success"),
        ({"success": True, "error": "x"}, "body"),
        ({"success": False, "result": 1}, "body"),
        ({"success": True, "more": 1}, "more"),
    ],
)
async def test_a_body_that_says_no_outcome_is_422(api: Api, body: Any, field: str) -> None:
    _, operation_id = await first_turn(api, "orders")
    assert_problem(await api.complete(operation_id, **body), 422, field)
    assert (await api.complete(operation_id, success=True)).json()["applied"]


async def test_an_event_for_an_ended_or_an_unknown_job_is_refused(api: Api) -> None:
    job_id, _ = await first_turn(api, "waits")
    body = {"name": "paid"}
    await api.stage.run()
    assert_problem(await api.request("POST", f"/api/agent-jobs/{job_id}/events", json=body), 409)
    assert_problem(await api.request("POST", "/api/agent-jobs/job_none/events", json=body), 404)
    assert_problem(await api.request("POST", f"/api/agent-jobs/{job_id}/events", json={"data": 1}), 422, "name")
