"""Jobs of a session that its client has named see the earlier ones, by whatever way they are submitted."""

from typing import Any

import pydantic_ai
import pytest
from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.models.function import FunctionModel

from baton import Agent, Event, HandlerContext, Registry, on
from baton.pydantic_ai import durable
from baton.sdk.models.model import ModelAnswer, ModelRequest
from baton.testing import Simulation
from tests.unit.baton.kit.listening import Listening
from tests.unit.baton.sdk.pydantic_ai.played import PlayedStage
from tests.unit.baton.server.api.client import OTHER, Api, api_of, with_keys

told: list[str] = []


@on("person.asks")
async def delegate(event: Event, ctx: HandlerContext) -> None:
    """Start a job in a session."""
    await ctx.start("own", event.data["task"], session_id=event.data["session"])


def own(request: ModelRequest) -> ModelAnswer:
    told.append(repr(request.messages))
    return ModelAnswer("Hello.")


def library(messages: list[Any], _: Any) -> ModelResponse:
    told.append(repr(messages))
    return ModelResponse([TextPart("Hello.")])


def registry() -> Registry:
    told.clear()
    other = durable(pydantic_ai.Agent(FunctionModel(library), name="library"))
    return Registry([Agent("own", Listening(own)), other], handlers=[delegate])


def api() -> Any:
    return api_of(PlayedStage(registry=registry(), settings=with_keys()))


async def run(api: Api, agent: str, task: str, **fields: Any) -> dict[str, Any]:
    api.stage.clock.ms += 1_000
    job = await api.submitted(**{"jobType": agent, "taskDescription": task, **fields})
    await api.stage.run()
    return await api.read(job["id"], fields.get("key", "key-of-acme"))


@pytest.mark.parametrize("agent", ["own", "library"])
async def test_a_later_job_of_a_named_session_sees_the_earlier_ones(agent: str) -> None:
    async with api() as client:
        await run(client, agent, "I am Ada.", sessionId="one")
        await run(client, agent, "Who am I?", sessionId="one")
        assert told[-1].index("I am Ada.") < told[-1].index("Hello.") < told[-1].index("Who am I?")
        assert told[-1].count("Who am I?") == 1


async def test_a_session_that_a_job_was_given_is_seen_by_later_ones_of_its_tenant_alone() -> None:
    """Those that a handler starts in it, too."""
    async with api() as client:
        first = await run(client, "own", "I am Ada.")
        await run(client, "own", "Who am I?", sessionId=first["sessionId"])
        assert "I am Ada." in told[-1]
        await run(client, "own", "I am Ada.", sessionId="one")
        await run(client, "own", "Who am I?", sessionId="two")
        assert "Ada" not in told[-1]
        await run(client, "own", "Who am I?", sessionId="one", key=OTHER)
        assert "Ada" not in told[-1]
        await run(client, "own", "Who am I?")
        assert "Ada" not in told[-1]
        await run(client, "own", "I am Ada.", sessionId="one")
        event = {"name": "person.asks", "data": {"task": "Who am I?", "session": "one"}}
        assert (await client.request("POST", "/api/events", json=event)).is_success
        await client.stage.run()
        assert "I am Ada." in told[-1]
        assert "Who am I?" in told[-1]


@pytest.mark.parametrize("agent", ["own", "library"])
async def test_a_later_job_of_a_simulation_sees_the_earlier_ones(agent: str) -> None:
    simulation = Simulation(registry())
    await simulation.run(agent, "I am Ada.", session="one")
    await simulation.run(agent, "Who am I?", session="one")
    assert "I am Ada." in told[-1]
    await simulation.run(agent, "Who am I?", session="two")
    assert "Ada" not in told[-1]
