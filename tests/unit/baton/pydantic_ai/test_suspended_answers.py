"""A provider suspends its answer: the job waits, and goes on with the answer."""

from baton import Registry
from baton.pydantic_ai import durable
from baton.testing import Simulation
from tests.unit.baton.pydantic_ai.documented_models import Background, suspended_answers


async def test_a_suspended_answer_is_waited_for_without_a_process() -> None:
    """Longer each time; the tokens of all requests count, and the answer is one request."""
    agent = suspended_answers().agent
    assert isinstance(agent.model, Background)
    agent.model.delay_seconds = 60
    run = await Simulation(Registry([durable(agent, name="agent")])).run("agent", "go")
    assert run.result == {"answer": "3", "output": "3"}
    assert 2 * (60 + 120) <= run.virtual_seconds < 2 * (60 + 120) + 60
    assert [start.tool for start in run.tool_starts] == ["wait_for_model"] * 2 + ["add"] + ["wait_for_model"] * 2
    assert (run.usage["inputTokens"], run.usage["outputTokens"]) == (2, 4)
