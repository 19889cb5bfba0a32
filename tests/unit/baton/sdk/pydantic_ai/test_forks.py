"""Each fork of a job leads to what `agent.run` leads to: output, messages and usage, feature by feature."""

from collections.abc import Callable

import pytest
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models.function import AgentInfo, FunctionModel

from baton import Registry
from baton.engine.fork import Edits
from baton.engine.transitions import JobStatus
from baton.pydantic_ai import durable
from tests.unit.baton.kit.forking import fork
from tests.unit.baton.sdk.pydantic_ai import documented_agents as agents
from tests.unit.baton.sdk.pydantic_ai import documented_features as features
from tests.unit.baton.sdk.pydantic_ai.documented_agents import Case
from tests.unit.baton.sdk.pydantic_ai.documented_features import DOCUMENTED
from tests.unit.baton.sdk.pydantic_ai.played import PlayedStage, call, check_same

_QUICK = {agents.text, agents.retry_beside_others, features.file_returned, features.sequential_tool}


@pytest.mark.parametrize(
    "make",
    [pytest.param(make, marks=() if make in _QUICK else pytest.mark.long) for make in DOCUMENTED],
    ids=lambda make: make.__name__,
)
async def test_a_fork_is_as_its_job(make: Callable[[], Case]) -> None:
    """Output, messages and usage; what is taken over asks nobody."""
    expected, case = await make().run(), make()
    stage = PlayedStage(registry=Registry([case.durable()]))
    await stage.submit("agent")
    await stage.run()
    turns = (await stage.snapshot()).job.used.turns
    for turn in range(1, turns + 1):
        if case.fresh is not None:
            case.fresh()
        forked = await fork(stage, turn)
        check_same(forked, await stage.reader.transcript(forked.job.id), expected)
        assert forked.job.used.cached_calls == turn - 1


async def test_instructions_are_overridden_in_turns_that_are_asked_anew() -> None:
    told = list[str | None]()

    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        told.append(info.instructions)
        final = call("final_result", "2", response=len(told))
        return ModelResponse([call("add", "1", a=1, b=2) if len(messages) == 1 else final])

    agent = Agent(FunctionModel(answer), name="agent", instructions="Be kind.", output_type=int, tools=[agents.add])
    stage = PlayedStage(registry=Registry([durable(agent)]))
    await stage.submit("agent")
    await stage.run()
    forked = await fork(stage, 2, Edits(instructions="Be short."))
    assert (forked.job.status, told) == (JobStatus.COMPLETED, ["Be kind.", "Be kind.", "Be short."])
