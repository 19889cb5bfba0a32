"""Jobs of agents with an output type, from submission to result."""

from pydantic import BaseModel

from baton.agents.agent import Agent
from baton.agents.registry import Registry
from baton.models.model import Call, ModelAnswer
from baton.models.scripted import ScriptedModel
from baton.tools.tool import tool
from tests.unit.baton.kit.stage import Stage


class City(BaseModel):
    """A city."""

    name: str
    people: int


@tool
def count(name: str) -> int:
    """Count the people of a city."""
    return len(name)


async def test_an_answer_that_does_not_fit_is_corrected_within_the_job() -> None:
    """Text, then a wrong one beside another tool, then one without a field, then the right one."""
    wrong = Call("final_result", {"name": "Troy"})
    script = [
        ModelAnswer(calls=(wrong, Call("count", {"name": "Troy"}))),
        [wrong],
        [Call("final_result", {"name": "Troy", "people": "many"})],
        [Call("final_result", {"name": "Troy", "people": 4})],
    ]
    stage = Stage(registry=Registry([Agent("a", model=ScriptedModel(script), tools=[count], output_type=City)]))
    await stage.submit("a")
    await stage.run()
    shown = await stage.snapshot()
    assert shown.job.result is not None
    assert shown.job.result["output"] == {"name": "Troy", "people": 4}
    assert [(call.tool, call.status, call.error and call.error.type) for call in shown.calls] == [
        ("final_result", "failed", "invalid_output"),
        ("count", "completed", None),
        ("final_result", "failed", "invalid_output"),
        ("final_result", "failed", "invalid_output"),
    ]
    assert (shown.job.used.turns, shown.job.used.model_calls) == (4, 4)
