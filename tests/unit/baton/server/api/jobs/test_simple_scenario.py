"""`POST /test/simple`: a small job from its submission to its end, where that is switched on."""

import asyncio

import pytest

from baton.sdk.agents import registry as samples
from baton.sdk.agents.agent import Agent
from baton.sdk.agents.registry import Registry
from baton.sdk.agents.trial import TRIAL_AGENT
from baton.sdk.models.model import Call
from baton.sdk.models.scripted import ScriptedModel
from baton.sdk.tools.tool import tool
from baton_events.schema import EventType
from tests.unit.baton.server.api.client import Api, api_with, assert_problem
from tests.unit.baton.server.api.sessions.chatting import delivering


@tool
def pay() -> str:
    """Pay somebody."""
    raise AssertionError("an open endpoint runs nothing of a user's")


@pytest.mark.parametrize(
    "registry",
    [samples, Registry(), Registry([Agent(name="simple", model=ScriptedModel([[Call("pay")], "Paid."]), tools=[pay])])],
    ids=["samples", "nobody", "another simple"],
)
async def test_it_runs_a_job_that_touches_every_event_with_any_registry(registry: Registry) -> None:
    """200 with the finished job and what happened; it needs no key, takes no input, and touches nothing of yours."""
    async with api_with(registry, enable_test_endpoint=True) as api, asyncio.timeout(30):
        found = (await delivering(api, api.request("POST", "/test/simple", "", content=b"whatever"))).json()
        assert TRIAL_AGENT not in {agent.name for agent in api.stage.container.registry.agents}
    assert found["job"]["status"] == "completed"
    assert {event["type"] for event in found["events"]} == {str(kind) for kind in EventType}
    assert len(found["events"]) == 9  # three turns, and for each of three calls the call and what it came to


async def test_it_is_not_there_unless_it_is_switched_on(api: Api) -> None:
    response = await api.request("POST", "/test/simple", "")
    assert "ENABLE_TEST_ENDPOINT=true" in assert_problem(response, 404)
    assert api.stage.queue.published == []
