"""`POST /test/simple`: a small job from its submission to its end, where that is switched on."""

import asyncio
from collections.abc import Sequence

import pytest

from baton.agents import registry as samples
from baton.agents.agent import Agent
from baton.agents.registry import Registry
from baton.agents.trial import TRIAL_AGENT
from baton.models.model import Call
from baton.models.scripted import ScriptedModel
from baton.tools.tool import tool
from baton_events.messages import Outgoing
from baton_events.schema import EventType
from tests.fakes.queue import FakeQueue
from tests.unit.baton.api.client import Api, api_of, assert_problem, with_keys
from tests.unit.baton.kit.stage import Stage


@tool
def pay() -> str:
    """Pay somebody."""
    raise AssertionError("an open endpoint runs nothing of a user's")


class Bell(FakeQueue):
    def __init__(self) -> None:
        super().__init__()
        self.rang = asyncio.Event()

    async def publish(self, messages: Sequence[Outgoing]) -> list[str]:
        ids = await super().publish(messages)
        if any(message.not_before_ms == 0 for message in messages):
            self.rang.set()
        return ids


async def test_it_is_not_there_unless_it_is_switched_on(api: Api) -> None:
    response = await api.request("POST", "/test/simple", "")
    assert "ENABLE_TEST_ENDPOINT=true" in assert_problem(response, 404)
    assert api.stage.queue.published == []


@pytest.mark.parametrize(
    "registry",
    [samples, Registry(), Registry([Agent(name="simple", model=ScriptedModel([[Call("pay")], "Paid."]), tools=[pay])])],
    ids=["samples", "nobody", "another simple"],
)
async def test_it_runs_a_job_that_touches_every_event_with_any_registry(registry: Registry) -> None:
    """200 with the finished job and what happened; it needs no key, takes no input, and touches nothing of yours."""
    queue = Bell()
    stage = Stage(settings=with_keys(enable_test_endpoint=True), registry=registry, queue=queue)
    async with api_of(stage) as api, asyncio.timeout(30):

        async def work() -> None:
            await queue.rang.wait()
            await stage.run()

        response, _ = await asyncio.gather(api.request("POST", "/test/simple", "", content=b"whatever"), work())
    assert response.status_code == 200, response.text
    found = response.json()
    assert found["job"]["status"] == "completed"
    assert {event["type"] for event in found["events"]} == {str(kind) for kind in EventType}
    assert len(found["events"]) == 9  # three turns, and for each of three calls the call and what it came to
    assert TRIAL_AGENT not in {agent.name for agent in stage.container.registry.agents}
