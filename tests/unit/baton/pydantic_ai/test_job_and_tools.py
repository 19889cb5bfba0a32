"""What the pieces of a durable agent are given of their job: dependencies, a prompt, a context, secret arguments."""

from typing import Any

import pytest
from pydantic_ai import Agent, RunContext

from baton.engine.transitions import JobStatus
from baton.pydantic_ai import durable, tool_context
from tests.fakes import FakeStore
from tests.unit.baton.pydantic_ai.played import call, played, scripted, state_of


async def test_a_prompt_and_dependencies_are_made_of_the_job() -> None:
    """For each piece, and never stored."""
    requested: list[str] = []
    agent = Agent(scripted([call("who")], "done"), name="a", deps_type=dict)

    @agent.tool
    def who(ctx: RunContext[Any]) -> str:
        return str(ctx.deps["secret"].reveal())

    class Secret:
        def reveal(self) -> str:
            return "Ann"

    async def deps(job: Any) -> Any:
        requested.append(job.job_id)
        return {"secret": Secret()}

    store = FakeStore()
    snapshot = await played(durable(agent, deps=deps, prompt=lambda job: ["Please:", job.task]), store)
    assert requested == ["job_1"] * 3
    assert (await state_of(store, snapshot)).messages[0].parts[0].content == ["Please:", "do it"]  # type: ignore[union-attr]


async def test_a_secret_argument_reaches_the_tool_and_is_not_kept() -> None:
    """Of a name that says so."""
    given: list[str] = []
    agent = Agent(scripted([call("log_in", "one", password="open sesame")], "done"), name="a")

    @agent.tool_plain
    def log_in(password: str) -> str:
        given.append(password)
        return "ok"

    store = FakeStore()
    snapshot = await played(durable(agent), store)
    assert (snapshot.job.status, given) == (JobStatus.COMPLETED, ["open sesame"])
    assert "open sesame" not in str(store.tree("job_1").transcript)


def test_a_context_is_there_for_tools_alone() -> None:
    """With a message that says so."""
    with pytest.raises(LookupError, match="none runs here"):
        tool_context()
