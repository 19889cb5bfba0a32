"""Two tenants who use the same names for everything: what moves between jobs and sessions reaches its own tenant."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from baton import Agent, Call, Memory, Pending, Registry, tool
from baton.models.model import ModelAnswer, ModelRequest, ToolMessage
from tests.fakes import FakeLongTermMemory
from tests.unit.baton.api.client import ACME, OTHER, Api, api_of, with_keys
from tests.unit.baton.kit.listening import Listening
from tests.unit.baton.pydantic_ai.played import PlayedStage

TENANTS = {ACME: "of acme", OTHER: "of other"}


@tool
def hear() -> Pending:
    """Wait for an event of a key."""
    return Pending(event="order.paid", key="A-7", timeout_seconds=3_600)


def answer(request: ModelRequest) -> ModelAnswer:
    done = any(isinstance(message, ToolMessage) for message in request.messages)
    if "hear" in repr(request.messages) and not done:
        return ModelAnswer("", (Call("hear"),))
    return ModelAnswer(f"done: {request.messages[-1]!r}")


@pytest.fixture
def model() -> Listening:
    return Listening(answer)


@pytest.fixture
async def api(model: Listening) -> AsyncIterator[Api]:
    registry = Registry([Agent("agent", model, tools=[hear], memory=Memory())])
    stage = PlayedStage(registry=registry, settings=with_keys(), long_term_memory=FakeLongTermMemory())
    async with api_of(stage) as made:
        yield made


async def submit(api: Api, key: str, name: str, text: str, **fields: Any) -> str:
    """Submit a job under the same names as the other tenant; return the id of the job that gets the text."""
    api.stage.clock.ms += 10
    body = {"jobType": "agent", "taskDescription": text, "sessionId": "one", **fields}
    job = await api.submitted(key, idempotency_key=name, **body)
    return str(job.get("jobId") or job["id"])


def told(model: Listening, tenant: str) -> str:
    """Return everything that was told to the models of one tenant, which is named in each task."""
    return "".join(repr(found) for found in model.found if tenant in repr(found))


async def test_what_is_said_to_a_running_job_reaches_its_own_session(api: Api, model: Listening) -> None:
    jobs = {key: await submit(api, key, "first", f"hear {who}") for key, who in TENANTS.items()}
    await api.stage.run(within_seconds=60)
    for key, who in TENANTS.items():
        assert await submit(api, key, "more", f"more {who}", whenBusy="steer") == jobs[key]
    for key, who in TENANTS.items():
        event = {"name": "order.paid", "key": "A-7", "data": {"payer": who}}
        headers = {"idempotency-key": "same"}
        answer = await api.request("POST", "/api/events", key, json=event, headers=headers)
        assert answer.is_success, answer.text
        await api.stage.run(within_seconds=60)
        assert [(await api.read(job, each))["status"] for each, job in jobs.items()][: 1 + (key == OTHER)] == (
            ["completed"] * (1 + (key == OTHER))
        )
    for who, other in zip(TENANTS.values(), reversed(TENANTS.values()), strict=True):
        assert f"more {who}" in told(model, who)
        assert f"payer': '{who}" in told(model, who)
        assert other not in told(model, who)


async def test_a_session_its_memory_and_a_search_are_of_one_tenant(api: Api, model: Listening) -> None:
    for number in range(2):
        for key, who in TENANTS.items():
            await submit(api, key, f"job {number}", f"I am {who}, {number}.")
            await api.stage.run(within_seconds=60)
    for who, other in zip(TENANTS.values(), reversed(TENANTS.values()), strict=True):
        assert f"I am {who}, 0." in repr([found for found in model.found if f"{who}, 1." in repr(found)])
        assert other not in told(model, who)
    for key, who in TENANTS.items():
        found = (await api.request("GET", "/api/agent-jobs?q=am&sessionId=one", key)).json()["jobs"]
        assert sorted(job["taskDescription"] for job in found) == [f"I am {who}, {number}." for number in range(2)]


async def test_a_cancelled_session_is_that_of_its_tenant(api: Api) -> None:
    jobs = {key: await submit(api, key, "first", f"hear {who}") for key, who in TENANTS.items()}
    await api.stage.run(within_seconds=60)
    assert (await api.request("POST", "/api/sessions/one/cancel", ACME)).json()["cancelledJobs"] == [jobs[ACME]]
    assert (await api.read(jobs[OTHER], OTHER))["status"] == "waiting"
