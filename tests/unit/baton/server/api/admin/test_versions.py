"""`GET /api/admin/agents/{agent}/versions`, and its page."""

from datetime import datetime
from typing import Any

import pydantic_ai
import pytest
from pydantic_ai.models.test import TestModel

from baton import Agent, Call, Event, HandlerContext, Registry, ScriptedModel, on, tool
from baton.pydantic_ai import durable
from baton_events.timestamps import milliseconds
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ADMIN, Api, assert_problem, with_keys
from tests.unit.baton.server.console.operator import operator_of

PATH = "/api/admin/agents/looks/versions"


places: list[str] = []


@tool
def look() -> str:
    """Look at the last place."""
    return places[-1]


def registry(version: str) -> Registry:
    model = ScriptedModel([[Call("look")], "seen"])
    return Registry([Agent(name="looks", model=model, tools=[look], version=version)])


async def ran(api: Api, **fields: Any) -> dict[str, Any]:
    job_id = (await api.submitted(jobType="looks", **fields))["id"]
    await api.stage.run(within_seconds=100)
    return await api.read(job_id)


async def test_two_versions_are_compared_over_their_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """By default the newest with the one before; a fork is no run of a version."""
    stage = Stage(settings=with_keys(), registry=registry("v1"))
    async with operator_of(stage) as operator:
        api = operator.api
        assert "No job of this agent has ended" in await operator.see("/console/agents/looks/versions")
        first = await ran(api)
        assert first["agentVersion"] == "v1"
        await api.request("POST", f"/api/agent-jobs/{first['id']}/scores", json={"name": "right", "value": 0.5})
        await api.request("POST", f"/api/agent-jobs/{first['id']}/fork", json={"turn": 2})
        await stage.run(within_seconds=100)
        assert "All jobs that have ended are of one version" in await operator.see("/console/agents/looks/versions")
        vars(stage.container)["_registry"] = registry("v2")
        vars(stage.container).pop("registry", None)
        monkeypatch.setattr(f"{__name__}.places", ["there"])
        new = [await ran(api) for _ in range(3)]
        found = (await api.request("GET", f"{PATH}?limit=2", ADMIN)).json()
        assert [(each["version"], each["runs"]) for each in found["versions"]] == [("v2", 3), ("v1", 1)]
        left, right = found["left"], found["right"]
        assert (left["version"], left["runs"], left["jobs"]) == ("v1", 1, [first["id"]])
        took_ms = [milliseconds(datetime.fromisoformat(first[name])) for name in ("startedAt", "finishedAt")]
        assert left["p50Ms"] == left["p95Ms"] == took_ms[1] - took_ms[0]
        assert left["scores"] == {"right": {"mean": 0.5, "runs": 1}}
        assert (right["version"], right["jobs"]) == ("v2", [job["id"] for job in reversed(new)][:2])
        assert [(side["toolCalls"], side["toolFailures"]) for side in (left, right)] == [(1, 1), (2, 0)]
        markup = await operator.see("/console/agents/looks/versions?left=v1&right=v2")
        assert "a difference may be chance" in markup
        assert '-100 % <span class="good">better</span>' in markup
        assert f'href="/console/jobs/{first["id"]}"' in markup
        assert 'href="/console/agents/looks/versions">v2</a>' in await operator.see("/console/agents")


async def test_what_is_no_agent_or_version_is_refused(api: Api) -> None:
    assert_problem(await api.request("GET", PATH, ADMIN), 404)
    path = "/api/admin/agents/answers/versions"
    assert (await api.request("GET", path, ADMIN)).json()["versions"] == []
    assert assert_problem(await api.request("GET", f"{path}?limit=0", ADMIN), 422, "limit").startswith(
        "the query is not"
    )
    for side in ("left", "right"):
        assert "none yet" in assert_problem(await api.request("GET", f"{path}?{side}=v9", ADMIN), 422, side)


@on("order.placed")
async def book(event: Event, ctx: HandlerContext) -> str:
    """Book an order."""
    return "booked"


async def test_the_page_of_agents_names_handlers_and_the_tools_of_a_runner() -> None:
    clerk = pydantic_ai.Agent(TestModel(), name="clerk")
    clerk.tool_plain(look_up_invoice)
    stage = Stage(settings=with_keys(), registry=Registry([durable(clerk)], handlers=[book]))
    async with operator_of(stage) as operator:
        await operator.api.request("POST", "/api/events", json={"name": "order.placed", "data": {}})
        await stage.run(within_seconds=100)
        markup = await operator.see("/console/agents")
    assert "look_up_invoice" in markup
    assert "handler of order.placed" in markup
    assert "not registered any more" not in markup


def look_up_invoice(number: str) -> str:
    """Look it up."""
    return number
