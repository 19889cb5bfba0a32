"""Jobs with plans of their own: what runs when, and what is passed on."""

import json
from typing import Any

import pytest

from baton import Agent, Limits, Registry, Step, result_of, task_data, task_text
from baton.engine.transitions import JobStatus
from baton.engine.work_items import ItemKind
from tests.unit.baton.kit.plan_kit import Kit, diamond, stage_of
from tests.unit.baton.kit.stage import Stage


async def test_a_diamond_runs_in_order_and_passes_results_on() -> None:
    kit = Kit()
    stage = await stage_of(diamond(kit))
    await stage.run()
    job = (await stage.snapshot()).job
    assert (job.status, job.result) == (JobStatus.COMPLETED, {"answer": "t+and+p"})
    assert kit.ran[0] == "top"
    assert sorted(kit.ran[1:3]) == ["p", "t"]
    assert (job.used.model_calls, job.used.turns, job.used.tool_calls) == (0, 2, 4)


async def test_a_result_that_is_an_object_is_the_output_too() -> None:
    kit = Kit()
    stage = await stage_of([Step("one", kit.say, {"word": "ab"})])
    await stage.run()
    output = {"word": "ab", "letters": ["a", "b"]}
    result = (await stage.snapshot()).job.result or {}
    assert result["output"] == output
    assert json.loads(result["answer"]) == output


async def test_an_agent_can_be_a_step() -> None:
    kit = Kit()
    helper = Agent(name="helper", plan=[Step("said", kit.join, {"parts": ["child"]})])
    plan = [
        Step("ask", helper, {"task": "say it"}),
        Step("after", kit.look, {"value": result_of("ask")}, depends_on=["ask"]),
    ]
    stage = Stage(registry=Registry([Agent(name="planned", plan=plan), helper]))
    await stage.submit("planned")
    await stage.run()
    assert ((await stage.snapshot()).job.result or {})["output"] == {"got": "child"}


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


@pytest.mark.parametrize("turns", [2, 3])
async def test_a_plan_needs_two_turns(turns: int) -> None:
    kit = Kit()
    stage = await stage_of(diamond(kit), Limits(turns=turns))
    await stage.run()
    assert (await stage.snapshot()).job.result == {"answer": "t+and+p"}


def taking(kit: Kit) -> Registry:
    plan = [
        Step("a", kit.say, {"word": task_data["words"][0]}),
        Step("b", kit.join, {"parts": [task_text, result_of("a")["word"]]}, depends_on=["a"]),
    ]
    return Registry([Agent(name="planned", plan=plan)])


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ({}, "task_data['words'][0]: task_data is an object with nothing in it, which has no 'words'"),
        ({"words": []}, "task_data['words'][0]: task_data['words'] is a list of 0, which has no 0"),
        ({"words": [3]}, "step 'a': invalid arguments for tool 'say': word: "),
        ({"words": [{"$resultOf": {"step": "b"}}]}, "an object may not have the key '$resultOf'"),
    ],
)
async def test_a_task_that_does_not_fit_its_plan_fails_the_job_with_the_reason(
    data: dict[str, Any], fault: str
) -> None:
    """At once: trying again would not help; no tool runs."""
    kit = Kit()
    stage = Stage(registry=taking(kit))
    await stage.submit("planned", data=data)
    await stage.run()
    job = (await stage.snapshot()).job
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert job.error.type == "invalid_task"
    assert fault in job.error.message
    assert kit.ran == []
