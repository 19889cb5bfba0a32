"""The API over the sample agents, and one whose tool finishes from outside."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from baton import Agent, Call, Pending, Registry, ScriptedModel, ToolContext, ToolError, tool
from baton.sdk.agents.samples.registry import registry as samples
from baton.sdk.models.model import ModelError
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import Api, api_of, with_keys

OPERATIONS_KEY = "key-of-operations"


@tool(retries=0)
async def create_agent(ctx: ToolContext) -> Pending:
    assert ctx.operation_id
    return Pending(timeout_seconds=3_600)


@tool(retries=0)
async def refuse() -> str:
    raise ToolError("it cannot be done")


def registry() -> Registry:
    builder = Agent(
        name="builder", model=ScriptedModel([[Call("create_agent")], "It is built."]), tools=[create_agent, refuse]
    )
    doomed = Agent(name="doomed", model=ScriptedModel([ModelError("the model is gone", retryable=False)]))
    return Registry(agents=[*samples.agents, builder, doomed])


@pytest.fixture
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    monkeypatch.chdir(tmp_path)
    settings = replace(with_keys(), operations_api_key=OPERATIONS_KEY, default_agent="simple")
    async with api_of(Stage(settings=settings, registry=registry())) as made:
        yield made
