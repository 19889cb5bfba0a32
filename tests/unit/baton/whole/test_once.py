"""One job for a key: while a job with it lives, and for some time after its end, another start is answered by it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from baton import Agent, Event, HandlerContext, Registry, ScriptedModel, ToolContext, on
from baton.sdk.tools.recorded import RecordedOutlet
from tests.unit.baton.server.api.client import ADMIN, OTHER, Api, api_with, assert_problem

DAY_MS = 86_400_000
started = list[str]()


@on("paid")
async def notice(event: Event[Any], ctx: HandlerContext) -> str:
    once = {} if event.data is None else {"once_for": event.data, "once_for_seconds": 2 * 86_400}
    started.append(await ctx.start("clerk", "write", **once))
    return started[-1]


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    started.clear()
    clerk = Agent("clerk", ScriptedModel(["done"]))
    async with api_with(Registry([clerk], handlers=[notice]), job_retention_seconds=3 * 86_400) as made:
        yield made


async def submit(api: Api, key: str = "invoice-7", tenant: str = "", **body: Any) -> str:
    given = {"jobType": "clerk", "taskDescription": "go", "onceFor": key} | body
    answer = await api.request("POST", "/api/agent-jobs", *([tenant] if tenant else []), json=given)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def test_a_key_has_one_job_while_it_lives_and_a_day_after_its_end(api: Api) -> None:
    """Whatever the later bodies are; a key of another tenant is another key."""
    first = await submit(api)
    assert await submit(api, taskDescription="go again", priority=9) == first
    assert await submit(api, "invoice-8") != first
    assert await submit(api, tenant=OTHER) != first
    await api.stage.run(within_seconds=60)
    assert (await api.read(first))["status"] == "completed"
    api.stage.clock.ms += DAY_MS - 120_000
    assert await submit(api) == first
    api.stage.clock.ms += 180_000
    second = await submit(api)
    assert second != first
    assert await submit(api) == second
    await api.stage.run()
    api.stage.clock.ms += 2_000
    third = await submit(api, onceForSeconds=1)
    assert third not in (first, second)
    assert await submit(api, onceForSeconds=0) == third


async def test_starts_at_the_same_time_are_one_job(api: Api) -> None:
    for _ in range(2):
        assert len(set(await asyncio.gather(*(submit(api, taskDescription=f"{n}") for n in range(8))))) == 1
        await api.stage.run()
        api.stage.clock.ms += DAY_MS + 1_000


async def test_a_job_that_was_deleted_leaves_its_key(api: Api) -> None:
    first = await submit(api)
    await api.stage.run()
    assert (await api.request("DELETE", f"/api/agent-jobs/{first}", ADMIN)).status_code == 204
    second = await submit(api)
    assert second != first
    assert await submit(api) == second


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ({"onceFor": ""}, {}),
        ({"onceFor": "k" * 201}, {}),
        ({"onceForSeconds": -1}, {}),
        ({"whenBusy": "steer"}, {}),
        ({}, {"Idempotency-Key": "i"}),
    ],
)
async def test_what_is_no_key_is_refused(api: Api, body: dict[str, Any], headers: dict[str, str]) -> None:
    given = {"jobType": "clerk", "taskDescription": "go", "onceFor": "k"} | body
    field = next((name for name in body if name != "whenBusy"), "onceFor")
    assert_problem(await api.request("POST", "/api/agent-jobs", json=given, headers=headers), 422, field)
    if "whenBusy" not in body:
        given = {"name": "paid", "onceFor": "k"} | body
        assert_problem(await api.request("POST", "/api/events", json=given, headers=headers), 422, field)


async def emit(api: Api, **body: Any) -> str:
    answer = await api.request("POST", "/api/events", json={"name": "paid", **body})
    assert answer.status_code == 202, answer.text
    await api.stage.run()
    return str(answer.json()["id"])


async def test_a_handler_starts_one_job_for_a_key(api: Api) -> None:
    """Events differ, and their handler's jobs, too; what they start is one job, until its time is over."""
    for key in ("7", "7", "8", None, None):
        await emit(api, data=key)
    assert started[0] == started[1]
    assert len(set(started)) == 4
    api.stage.clock.ms += 2 * DAY_MS
    await emit(api, data="7")
    assert started[-1] not in started[:-1]


async def test_an_event_of_a_key_is_one_event_while_its_jobs_count(api: Api) -> None:
    first = await emit(api, onceFor="7")
    assert await emit(api, onceFor="7", data="other") == first
    assert await emit(api, onceFor="8") != first
    assert len(started) == 2
    api.stage.clock.ms += DAY_MS + 1_000
    second = await emit(api, onceFor="7")
    assert second != first
    assert len(started) == 3
    api.stage.clock.ms += 6 * DAY_MS  # nothing of them is kept
    await emit(api, onceFor="7")
    assert len(started) == 4


async def test_an_event_of_a_handler_has_a_key_too(api: Api) -> None:
    """A test of a handler without a stage sees the same."""
    del api
    outlet = RecordedOutlet()
    context = HandlerContext(ToolContext.for_test())
    object.__setattr__(context.call, "outlet", outlet)
    assert await context.emit("paid", once_for="7") == await context.emit("paid", once_for="7")
    assert await context.start("clerk", once_for="7") == await context.start("clerk", once_for="7")
    assert (len(outlet.emitted), len(outlet.started)) == (1, 1)
