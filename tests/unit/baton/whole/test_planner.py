"""Jobs of agents that plan: plans that are wrong, plans that fail, further plans, and answers."""

from collections.abc import Sequence
from typing import Any

import pytest

from baton import Agent, Call, Registry, ScriptedModel, result_of
from baton.engine.state import CallRecord
from baton.engine.transitions import CallStatus, JobStatus
from baton.models.model import ModelAnswer, ModelRequest
from baton.models.scripted import ScriptEntry
from baton.tools.tool import Tool
from tests.unit.baton.kit.plan_kit import Kit, parts_of
from tests.unit.baton.kit.stage import Stage


def plan(*steps: dict[str, Any], **more: Any) -> Call:
    return Call("make_plan", {"steps": list(steps), **more})


def say(name: str, word: Any = "hi", **more: Any) -> dict[str, Any]:
    return {"name": name, "tool": "say", "arguments": {"word": word}, **more}


class Listening(ScriptedModel):
    reads_history = True

    def __init__(self, script: Sequence[ScriptEntry]) -> None:
        super().__init__(script)
        self.requested: list[ModelRequest] = []

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        self.requested.append(request)
        return await super().answer(request)


async def run(model: ScriptedModel, kit: Kit, **fields: Any) -> Stage:
    tools: list[Tool] = [kit.say, kit.join, kit.look, kit.fail]
    stage = Stage(registry=Registry([Agent(name="plans", mode="plan", model=model, tools=tools, **fields)]))
    await stage.submit("plans")
    await stage.run()
    return stage


async def refusals(stage: Stage) -> list[CallRecord]:
    return [call for call in await stage.calls() if not call.step]


async def test_a_plan_is_executed_and_reflected_on() -> None:
    kit = Kit()
    word = result_of("a")["word"].as_json()
    model = Listening([[plan(say("a"), say("b", word, depends_on=["a"]))], "It said hi twice."])
    stage = await run(model, kit)
    job = await stage.now()
    assert (job.status, job.result) == (JobStatus.COMPLETED, {"answer": "It said hi twice."})
    assert kit.ran == ["hi", "hi"]
    assert job.used.model_calls == 2
    (reflection,) = await parts_of(stage, "data-reflection")
    assert reflection["data"]["text"] == "It said hi twice."


@pytest.mark.parametrize(
    ("answer", "faults"),
    [
        (
            [plan(say("a", depends_on=["x"]), {"name": "b", "tool": "shout", "arguments": {}})],
            ["depends_on names 'x'", "there is no tool 'shout'; there are: fail, join, look, say"],
        ),
        ([plan(say("a", {"$resultOf": {"step": "$task", "path": ["text"]}}))], ["refers to task_text and does not"]),
        (
            [plan({"name": "a"}, {"tool": "say", "do": 1})],
            ["steps[0].tool: is required", "steps[1].name", "steps[1].do"],
        ),
        ([plan(say("a", on_failure="panic"))], ["steps[0].on_failure: input should be 'fail', 'skip'"]),
        ([plan(say("a")), plan(say("b"))], ["call 'make_plan' alone"]),
        ([plan(say("a")), Call("say", {"word": "x"})], ["call 'make_plan' alone"]),
        ([Call("say", {"word": "x"})], ["tools run as steps of a plan: call 'make_plan'"]),
    ],
)
async def test_a_plan_that_is_wrong_goes_back_with_all_its_faults(answer: list[Call], faults: list[str]) -> None:
    kit = Kit()
    stage = await run(ScriptedModel([answer, [plan(say("a", "right"))], "done"]), kit)
    assert kit.ran == ["right"]
    refused = await refusals(stage)
    assert len(refused) == len(answer)
    for call in refused:
        assert call.status is CallStatus.FAILED
        assert call.error is not None
        assert not [fault for fault in faults if fault not in call.error.message], call.error.message
    assert (await stage.now()).status is JobStatus.COMPLETED


async def test_a_step_that_requests_another_plan_gets_one() -> None:
    kit = Kit()
    bad = {"name": "bad", "tool": "fail", "arguments": {"times": 9}, "on_failure": "replan"}
    first = plan(bad, say("after", "left out", depends_on=["bad"]), say("beside", "beside"))
    again = ModelAnswer("That broke; I do it otherwise.", (plan(say("other", "other")),))
    stage = await run(ScriptedModel([[first], again, "done"]), kit)
    assert "left out" not in kit.ran
    assert kit.ran[-1] == "other"
    assert (await stage.now()).result == {"answer": "done"}
    found = [part["data"]["text"] for part in await parts_of(stage, "data-reflection")]
    assert found == ["That broke; I do it otherwise.", "done"]


async def test_rounds_are_limited() -> None:
    """A further plan goes back, and the model is told before that it has none left."""
    kit = Kit()
    model = Listening([[plan(say("a", "one"))], [plan(say("a", "two"))], [plan(say("a", "three"))], "enough"])
    stage = await run(model, kit, max_rounds=2)
    assert kit.ran == ["one", "two"]
    assert (await stage.now()).result == {"answer": "enough"}
    (refused,) = await refusals(stage)
    assert refused.error is not None
    assert refused.error.message == "no further plan is possible (max_rounds=2): answer with what there is"
    last = ["answer now" in request.instructions for request in model.requested]
    assert last == [False, False, True, True]


async def test_no_plan_is_needed_for_an_answer() -> None:
    stage = await run(ScriptedModel(["Four."]), Kit())
    assert (await stage.now()).result == {"answer": "Four."}
    assert await parts_of(stage, "data-reflection", "data-plan-created") == []


@pytest.mark.parametrize("fence", ["{}", "```json\n{}\n```"])
async def test_a_plan_written_as_text_is_a_plan(fence: str) -> None:
    kit = Kit()
    text = '{"steps": [{"name": "a", "tool": "say", "arguments": {"word": "text"}}]}'
    stage = await run(ScriptedModel([ModelAnswer(fence.replace("{}", text))]), kit)
    assert kit.ran == ["text"]
    assert (await stage.now()).error is not None  # the script has no second entry


@pytest.mark.parametrize("text", ['{"steps": 3}', '{"steps": [], "x": 1}', '{"steps": ["walk"]}', "{steps}", "{"])
async def test_an_answer_in_json_is_not_taken_for_a_plan(text: str) -> None:
    """Unless it is nothing but steps that name tools."""
    stage = await run(ScriptedModel([text]), Kit())
    assert (await stage.now()).result == {"answer": text}
