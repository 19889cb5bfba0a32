"""Jobs with plans, of their own or of a model: what runs when, what is passed on, what fails, and further plans."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from baton import Agent, Call, Limits, Registry, ScriptedModel, Step, Summarize, result_of, task_data, task_text, tool
from baton.engine.state import CallRecord, Job
from baton.engine.transitions import CallStatus, JobStatus
from baton.engine.work_items import ItemKind
from baton.sdk.agents.samples.library_agents import LIBRARY, planner, report
from baton.sdk.models.model import ModelAnswer, ModelRequest
from baton.sdk.models.scripted import ScriptEntry
from baton.sdk.records.transcript import OnFailure
from baton.sdk.tools.builtin.files import file_tools
from baton.sdk.tools.tool import Tool
from tests.unit.baton.kit.plan_kit import Kit, diamond, parts_of, stage_of, statuses
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


async def test_rounds_that_are_summed_up_count() -> None:
    kit = Kit()
    rounds: list[ScriptEntry] = [[plan(say("a", f"{n} {'x' * 10_000}"))] for n in range(6)]
    summary = Summarize(max_tokens=1500, keep_turns=1, model=ScriptedModel(["so far"]))
    stage = await run(ScriptedModel([*rounds, "enough"]), kit, max_rounds=2, history=summary)
    assert (await stage.now()).compacted != (0, 0)
    assert len(kit.ran) == 2


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


async def output_of(stage: Stage) -> Any:
    """What a job with a plan gives, once it has run."""
    await stage.run()
    job = await stage.now()
    assert job.status is JobStatus.COMPLETED, job.error
    return (job.result or {}).get("output")


async def test_a_diamond_runs_in_order_and_passes_results_on() -> None:
    """The answer is what the last step returned; no model was asked, and the two turns suffice."""
    kit = Kit()
    stage = await stage_of(diamond(kit), Limits(turns=2))
    await stage.run()
    job = await stage.now()
    assert (job.status, job.result) == (JobStatus.COMPLETED, {"answer": "t+and+p"})
    assert kit.ran[0] == "top"
    assert sorted(kit.ran[1:3]) == ["p", "t"]
    assert (job.used.model_calls, job.used.turns, job.used.tool_calls) == (0, 2, 4)


async def test_a_result_that_is_an_object_is_the_output_too() -> None:
    stage = await stage_of([Step("one", Kit().say, {"word": "ab"})])
    assert await output_of(stage) == {"word": "ab", "letters": ["a", "b"]}
    result = (await stage.now()).result or {}
    assert json.loads(result["answer"]) == result["output"]


async def test_an_agent_can_be_a_step() -> None:
    kit = Kit()
    helper = Agent(name="helper", plan=[Step("said", kit.join, {"parts": ["child"]})])
    plan = [
        Step("ask", helper, {"task": "say it"}),
        Step("after", kit.look, {"value": result_of("ask")}, depends_on=["ask"]),
    ]
    stage = Stage(registry=Registry([Agent(name="planned", plan=plan), helper]))
    await stage.submit("planned")
    assert await output_of(stage) == {"got": "child"}


async def test_no_turn_begins_while_a_step_is_open() -> None:
    """At every moment: the work item of the next turn is there only when all steps' work items are gone."""
    kit = Kit()
    stage = await stage_of([*diamond(kit), Step("slow", kit.fail, {"times": 1})])
    turns: list[int] = []

    async def look() -> None:
        items = await stage.items()
        loops = [item.turn for item in items if item.kind is ItemKind.LOOP]
        turns.extend(loops)
        assert not (2 in loops and any(item.step for item in items))

    await stage.run(look)
    assert 2 in turns


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ({}, "task_data['words'][0]: task_data is an object with nothing in it, which has no 'words'"),
        ({"words": [3]}, "step 'a': invalid arguments for tool 'say': word: "),
        ({"words": [{"$resultOf": {"step": "b"}}]}, "step 'a': invalid arguments for tool 'say': word: "),
    ],
)
async def test_a_task_that_does_not_fit_its_plan_fails_the_job_with_the_reason(
    data: dict[str, Any], fault: str
) -> None:
    """At once: trying again would not help; no tool runs."""
    kit = Kit()
    plan = [
        Step("a", kit.say, {"word": task_data["words"][0]}),
        Step("b", kit.join, {"parts": [task_text, result_of("a")["word"]]}, depends_on=["a"]),
    ]
    job = await Stage(registry=Registry([Agent(name="planned", plan=plan)])).played("planned", data=data)
    assert job.error is not None
    assert (job.status, job.error.type, kit.ran) == (JobStatus.FAILED, "invalid_task", [])
    assert fault in job.error.message


@pytest.mark.parametrize("on_failure", ["skip", "continue"])
async def test_a_failure_leaves_out_what_comes_after_or_is_given_to_it(on_failure: OnFailure) -> None:
    kit = Kit()
    stage = await stage_of(
        [
            Step("bad", kit.fail, {"times": 9}, on_failure=on_failure),
            Step("after", kit.look, {"value": result_of("bad")}, depends_on=["bad"]),
            Step("last", kit.look, {"value": result_of("after")}, depends_on=["after"]),
            Step("beside", kit.say, {"word": "beside"}),
        ]
    )
    output = await output_of(stage)
    assert (await statuses(stage))["bad"] is CallStatus.FAILED
    assert output["beside"]["word"] == "beside"
    if on_failure == "skip":
        assert ("look" in kit.ran, output["last"]["error"]["type"]) == (False, "skipped")
    else:
        assert output["last"] == {"got": {"got": {"error": {"type": "Broken", "message": "it broke"}}}}


async def test_a_path_that_leads_nowhere_fails_the_step_for_good() -> None:
    kit = Kit()
    nowhere = {"value": result_of("a")["nothing"]}
    stage = await stage_of(
        [Step("a", kit.say, {"word": "x"}), Step("b", kit.look, nowhere, depends_on=["a"], on_failure="continue")]
    )
    await stage.run()
    call = next(call for call in await stage.calls() if call.step == "b")
    assert call.error is not None
    assert (call.status, call.attempts, call.error.type) == (CallStatus.FAILED, 1, "unresolved_reference")
    assert call.error.message.startswith("result_of('a')['nothing']: result_of('a') is an object with 'letters'")
    assert kit.ran == ["x"]


async def test_a_result_that_looks_like_a_reference_is_only_data() -> None:
    kit = Kit()
    sly_result = {"$resultOf": {"step": "secret", "path": []}}

    @tool
    async def sly() -> Any:
        return sly_result

    stage = await stage_of(
        [
            Step("secret", kit.say, {"word": "hidden"}),
            Step("a", sly),
            Step("b", kit.look, {"value": [result_of("a")]}, depends_on=["a", "secret"]),
        ]
    )
    assert await output_of(stage) == {"got": [sly_result]}


def elsewhere(agent: Agent, folder: Path) -> Agent:
    tools = {item.name: item for item in file_tools(LIBRARY, folder)}

    def other(item: Any) -> Any:
        return tools.get(item.name, item) if isinstance(item, Tool) else item

    plan = [dataclasses.replace(step, tool=other(step.tool)) for step in agent.plan]
    return dataclasses.replace(agent, plan=plan, tools=[] if plan else [other(item) for item in agent.tools])


def reports_in(folder: Path) -> list[Path]:
    return list(folder.glob("*.md"))


async def played(agent: Agent, task: str = "go") -> tuple[Stage, Job]:
    stage = Stage(registry=Registry([agent]))
    return stage, await stage.played(agent.name, task=task)


async def steps(stage: Stage) -> dict[str, CallRecord]:
    return {call.step: call for call in await stage.calls() if call.step}


async def test_report_writes_what_its_plan_says(tmp_path: Path) -> None:
    stage, job = await played(elsewhere(report, tmp_path))
    assert job.status is JobStatus.COMPLETED
    assert {call.status for call in await stage.calls()} == {CallStatus.COMPLETED}
    (file,) = reports_in(tmp_path)
    text = file.read_text(encoding="utf-8")
    first, second = sorted(path.name for path in reports_in(LIBRARY))[:2]
    words = sum(len((LIBRARY / name).read_text(encoding="utf-8").split()) for name in (first, second))
    assert f"2 texts with {words} words." in text
    assert f"- {first}\n- {second}\n" in text
    assert (job.result or {})["output"]["path"] == file.name


async def test_planner_is_corrected_then_executes_its_plan(tmp_path: Path) -> None:
    stage, job = await played(elsewhere(planner, tmp_path))
    assert job.status is JobStatus.COMPLETED
    assert (job.result or {})["answer"].startswith("I searched for Fresnel")
    (refused,) = [call for call in await stage.calls() if not call.step]
    assert refused.error is not None
    assert "step 'count': there is no tool 'count_word'" in refused.error.message
    assert "step 'report': refers to result_of('read') and does not depend on it" in refused.error.message
    done = await steps(stage)
    assert {name for name, call in done.items() if call.status is CallStatus.FAILED} == {"missing"}
    assert len(reports_in(tmp_path)) == 1
    kinds = [json.loads(text)["type"] for text in stage.store.tree("job_1").parts["job_1"]]
    assert (kinds.count("data-plan-created"), kinds.count("data-reflection")) == (1, 1)
    assert kinds.index("data-plan-created") < kinds.index("data-reflection")


@pytest.mark.parametrize("rounds", [1, 5])
async def test_the_demo_model_plans_within_its_rounds(tmp_path: Path, rounds: int) -> None:
    agent = Agent(name="demo", model="demo", mode="plan", tools=file_tools(LIBRARY, tmp_path), max_rounds=rounds)
    stage, job = await played(agent, "Why did the Fresnel lens replace mirrors in lighthouses?")
    assert job.status is JobStatus.COMPLETED
    answer = (job.result or {})["answer"]
    assert (".md]" in answer) is (rounds > 1)
    tools = {call.tool for call in (await steps(stage)).values()}
    assert ("write_report" in tools) is (rounds > 1)
    assert len(reports_in(tmp_path)) == (rounds > 1)
    assert ("no further plan is possible" in answer) is (rounds == 1)
