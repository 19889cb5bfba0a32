"""Jobs of agents with an output type, from submission to result."""

from msgspec.structs import replace
from pydantic import BaseModel

from baton.agents.agent import Agent
from baton.agents.registry import Registry
from baton.models.model import Call, ModelAnswer
from baton.models.scripted import ScriptedModel
from baton.sdk.limits import Limits
from baton.storage.ports.jobs import Snapshot
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


async def job_of(*script: list[Call] | str | ModelAnswer, limits: Limits | None = None) -> Snapshot:
    agent = Agent("a", model=ScriptedModel(script), tools=[count], output_type=City)
    stage = Stage(registry=Registry([agent]))
    job = replace(stage.job("a"), limits=limits or Limits())
    await stage.container.commands.submit(job, {"text": "How many?", "data": {}})
    await stage.run()
    return await stage.snapshot()


def final(**arguments: object) -> Call:
    return Call("final_result", arguments)


async def test_an_answer_that_does_not_fit_is_corrected_within_the_job() -> None:
    """Text, then a wrong one beside another tool, then one without a field, then the right one."""
    shown = await job_of(
        ModelAnswer(calls=(final(name="Troy"), Call("count", {"name": "Troy"}))),
        [final(name="Troy")],
        [final(name="Troy", people="many")],
        [final(name="Troy", people=4)],
    )
    assert shown.job.result is not None
    assert shown.job.result["output"] == {"name": "Troy", "people": 4}
    assert [(call.tool, call.status, call.error and call.error.type) for call in shown.calls] == [
        ("final_result", "failed", "invalid_output"),
        ("count", "completed", None),
        ("final_result", "failed", "invalid_output"),
        ("final_result", "failed", "invalid_output"),
    ]
    assert (shown.job.used.turns, shown.job.used.model_calls) == (4, 4)
