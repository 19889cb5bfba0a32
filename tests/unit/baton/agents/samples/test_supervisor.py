"""The sample supervisor and its helpers, as jobs."""

from baton.agents.samples.registry import registry
from baton.engine.step_results import Submitted
from baton_events.ids import child_of
from tests.unit.baton.kit.stage import Stage


async def ask(question: str) -> Stage:
    stage = Stage(registry=registry)
    submitted = Submitted(stage.job("supervisor"), {"text": question, "data": {}})
    await stage.container.commands.submit(submitted.job, submitted.task)
    await stage.run()
    return stage


async def test_a_question_that_cannot_be_shared_goes_to_both() -> None:
    """Each answers in its own way: the engineer counts its sources."""
    stage = await ask("How did the sun valve work?")
    calls = (await stage.snapshot()).calls
    assert [call.arguments["task"] for call in calls] == ["How did the sun valve work?"] * 2
    used = [{call.tool for call in (await stage.snapshot(child_of(call.id))).calls} for call in calls]
    assert [("count_words" in tools) for tools in used] == [False, True]
