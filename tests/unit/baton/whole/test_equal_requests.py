"""Equal requests make one job; what is written beside it has the values of the job that there is."""

import asyncio
from collections.abc import AsyncIterator, Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from baton import Agent, Event, HandlerContext, Registry, ScriptedModel, on
from baton.engine.all_jobs.job_list import Query
from baton.engine.state import Job
from baton_events.errors import StoreError
from tests.unit.baton.kit.faults import Method, around, fail
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ADMIN, Api, api_of, with_keys

Body = Callable[[int], dict[str, Any]]
LARGE = {"rows": "b" * 300_000}


@on("heard")
async def heard(event: Event[Any], _ctx: HandlerContext) -> str:
    return str(event.data)


@pytest.fixture
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    """No two readings of its clock are equal."""
    agents = [Agent(name, ScriptedModel(["done"])) for name in ("one", "other")]
    settings = with_keys(object_store_url=f"file://{tmp_path}/objects", bytes_kept_per_tenant=50_000_000)
    stage = Stage(settings=settings, registry=Registry(agents, handlers=[heard]))
    ticks = count(1)
    monkeypatch.setattr(stage.clock, "now_ms", lambda: stage.clock.ms + next(ticks))
    async with api_of(stage) as served:
        yield served


def by_key(_: int, **more: Any) -> dict[str, Any]:
    job = {"jobType": "one", "taskDescription": "x", "sessionId": "s"}
    return {"json": {**job, **more}, "headers": {"Idempotency-Key": "k"}}


def by_key_alone(n: int) -> dict[str, Any]:
    return by_key(n, whenBusy="reject")


def by_key_large(n: int) -> dict[str, Any]:
    return by_key(n, inputData=LARGE)


def by_key_large_alone(n: int) -> dict[str, Any]:
    return by_key(n, inputData=LARGE, whenBusy="reject")


def once(n: int, **more: Any) -> dict[str, Any]:
    """The key alone counts: all else differs."""
    job = {"jobType": ("one", "other")[n % 2], "taskDescription": f"word{n}", "sessionId": f"s{n}"}
    return {"json": {**job, "tags": [f"tag{n}"], "priority": n % 9, "onceFor": "k", **more}}


def once_alone(n: int) -> dict[str, Any]:
    return once(n, whenBusy="reject")


def once_large(n: int) -> dict[str, Any]:
    return once(n, inputData=LARGE)


def chat(_: int) -> dict[str, Any]:
    message = {"id": "m1", "role": "user", "parts": [{"type": "text", "text": "hi"}]}
    return {"json": {"id": "s", "messages": [message], "trigger": "submit-message", "agent": "one"}}


async def ask(api: Api, body: Body, n: int) -> int:
    """Send a request; its status. A chat's stream would go on, so nobody listens to it for long."""
    if body is not chat:
        return (await api.request("POST", "/api/agent-jobs", **body(n))).status_code
    sending = asyncio.create_task(api.request("POST", "/api/chat", **body(n)))
    done, _ = await asyncio.wait([sending], timeout=0.5)
    if not done:
        sending.cancel()
    return sending.result().status_code if done else 200


async def listed(api: Api, **query: str) -> list[str]:
    answer = await api.request("GET", "/api/agent-jobs", ADMIN, params=query)
    return [job["id"] for job in answer.json()["jobs"]]


async def the_job(api: Api) -> Job:
    """The one job: rows and texts are its own alone."""
    stored = (await api.stage.ports.listing.scan(Query(), "", 100)).found
    job = (await api.stage.snapshot(stored[0].job_id)).job
    assert [(row.job_id, row.created_ms) for row in stored] == [(job.id, job.created_at_ms)]
    assert await listed(api) == await listed(api, status=str(job.status)) == [job.id]
    text = (await api.read(job.id, ADMIN))["taskDescription"]
    for n in range(8):
        assert await listed(api, sessionId=f"s{n}") == [job.id] * (job.session_id == f"s{n}")
        assert await listed(api, tag=f"tag{n}") == [job.id] * (f"tag{n}" in job.tags)
        assert await listed(api, q=f"word{n}") == [job.id] * (text == f"word{n}")
    shown = (await api.request("GET", f"/api/sessions/{job.session_id}")).json()["messages"]
    assert [message["role"] for message in shown] == ["user", "assistant"][: 1 + job.ended]
    return job


@pytest.mark.parametrize(
    "body", [by_key, by_key_alone, by_key_large, by_key_large_alone, once, once_alone, once_large, chat]
)
async def test_equal_requests_at_once_are_listed_once(api: Api, body: Body) -> None:
    """So is the job in the slot table; of requests that were to be alone, each found its own session idle."""
    assert {*await asyncio.gather(*(ask(api, body, n) for n in range(8)))} <= {200, 202}
    job, entry = await the_job(api), next(iter(api.stage.admission.entries.values()))
    if body is not once_alone:
        values = (job.session_id, job.agent, job.priority, job.created_at_ms)
        assert (entry.session_id, entry.agent, entry.priority, entry.created_ms) == values
    await api.stage.run()
    assert (await the_job(api)).status == "completed"


@pytest.mark.parametrize("body", [by_key, by_key_alone, by_key_large, by_key_large_alone, once, once_large])
@pytest.mark.parametrize("applied", [False, True])
async def test_a_request_that_died_leaves_no_row_of_its_own(api: Api, body: Body, *, applied: bool) -> None:
    """Its backup message takes back what a large task was listed with."""
    fail(api.stage.store, "create", StoreError("no answer"), applied=applied)
    assert await ask(api, body, 0) == 503
    assert await ask(api, body, 1) == 202
    await api.stage.run()
    assert (await the_job(api)).status == "completed"


@pytest.mark.parametrize("times", [1, 2])
async def test_a_message_that_comes_twice_lists_its_job_once(api: Api, times: int) -> None:
    """The first delivery of an event, or of a schedule's message, breaks off before or after its job is created."""
    stage, broken = api.stage, [False]

    async def created(create: Method, *given: Any, **named: Any) -> Any:
        answer = await create(*given, **named)
        if not broken[0]:
            broken[0] = True
            raise StoreError("no answer")
        return answer

    around(stage.store, "create", created)
    assert (await api.request("POST", "/api/events", json={"name": "heard", "data": 1})).status_code == 202
    message_id, message = next(sent for sent in stage.queue.published if "events" in sent[1].url)
    for retried in range(times):
        await stage.deliver_app_event(message_id, message, retried)
    await stage.run()
    assert broken == [True]
    assert (await the_job(api)).status == "completed"
