"""Jobs with plans of their own: what runs when, and what is passed on."""

import json
from typing import Any

import pytest

from baton import Agent, Limits, Registry, Step, result_of, sleep, task_data, task_text
from baton.engine.transitions import JobStatus
from baton.engine.work_items import ItemKind
from tests.unit.baton.kit.plan_kit import Kit, diamond, parts_of, stage_of
from tests.unit.baton.kit.stage import Stage


async def test_a_diamond_runs_in_order_and_passes_results_on() -> None:
    """The answer is what the last step returned; no model was asked."""
    kit = Kit()
    stage = await stage_of(diamond(kit))
    await stage.run()
    job = (await stage.snapshot()).job
    assert (job.status, job.result) == (JobStatus.COMPLETED, {"answer": "t+and+p"})
    assert kit.ran[0] == "top"
    assert sorted(kit.ran[1:3]) == ["p", "t"]
    assert (job.used.model_calls, job.used.turns, job.used.tool_calls) == (0, 2, 4)


async def test_steps_that_need_nothing_start_at_the_same_time() -> None:
    """Their events are published together."""
    kit = Kit()
    stage = await stage_of([Step(name, kit.say, {"word": name}) for name in ("a", "b", "c")])
    await stage.deliver(stage.events()[-1])
    started = [event for event in stage.events() if event.type == "agent.tool.call"]
    assert len(started) == 3
    await stage.run()
    result = (await stage.snapshot()).job.result or {}
    assert set(result["output"]) == {"a", "b", "c"}
    assert json.loads(result["answer"]) == result["output"]


async def test_the_stream_reports_plan_and_steps() -> None:
    """A plan once, then each step's start and end, in an order that holds to the plan."""
    kit = Kit()
    stage = await stage_of(diamond(kit))
    await stage.run()
    (plan,) = await parts_of(stage, "data-plan-created")
    assert [step["step"] for step in plan["data"]["steps"]] == ["top", "left", "right", "bottom"]
    found = await parts_of(stage, "data-step-started", "data-step-completed")
    order = [(part["data"]["step"], part["type"].rsplit("-", 1)[-1]) for part in found]
    assert order[:2] == [("top", "started"), ("top", "completed")]
    assert order[-2:] == [("bottom", "started"), ("bottom", "completed")]
    assert len(order) == 8


async def test_a_result_that_is_an_object_is_the_output_too() -> None:
    """As JSON in the answer."""
    kit = Kit()
    stage = await stage_of([Step("one", kit.say, {"word": "ab"})])
    await stage.run()
    output = {"word": "ab", "letters": ["a", "b"]}
    result = (await stage.snapshot()).job.result or {}
    assert result["output"] == output
    assert json.loads(result["answer"]) == output


async def test_a_waiting_step_holds_up_what_comes_after_it_only() -> None:
    """A sleep of an hour."""
    kit = Kit()
    stage = await stage_of(
        [
            Step("nap", sleep, {"seconds": 3600}),
            Step("after", kit.look, {"value": result_of("nap")["sleptSeconds"]}, depends_on=["nap"]),
            Step("beside", kit.say, {"word": "now"}),
        ]
    )
    seen: list[tuple[int, tuple[str, ...]]] = []

    async def note() -> None:
        seen.append((stage.clock.ms, tuple(kit.ran)))

    before_ms = stage.clock.ms
    await stage.run(note)
    assert kit.ran == ["now", "look"]
    assert all(ran == ("now",) for at_ms, ran in seen if ran and at_ms < before_ms + 3_600_000)
    assert ((await stage.snapshot()).job.result or {})["output"]["after"] == {"got": 3600.0}


async def test_an_agent_can_be_a_step() -> None:
    """Its job is below this one, and its answer is the step's result."""
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


async def test_cancelled_in_mid_plan_no_step_starts_any_more() -> None:
    """Messages that are still under way find nothing to do."""
    kit = Kit()
    stage = await stage_of(diamond(kit))
    await stage.deliver(stage.events()[-1])
    first = next(event for event in stage.events() if event.type == "agent.tool.call")
    await stage.deliver(first, "m2")
    await stage.container.commands.cancel((await stage.snapshot()).job, "somebody")
    await stage.run()
    assert (await stage.snapshot()).job.status is JobStatus.CANCELLED
    assert kit.ran == ["top"]


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
    """One for the plan, one for the answer."""
    kit = Kit()
    stage = await stage_of(diamond(kit), Limits(turns=turns))
    await stage.run()
    assert (await stage.snapshot()).job.result == {"answer": "t+and+p"}


def taking(kit: Kit) -> Registry:
    """A plan that takes what it works on from its task."""
    plan = [
        Step("a", kit.say, {"word": task_data["words"][0]}),
        Step("b", kit.join, {"parts": [task_text, result_of("a")["word"]]}, depends_on=["a"]),
    ]
    return Registry([Agent(name="planned", plan=plan)])


async def test_a_plan_may_take_what_it_works_on_from_its_task() -> None:
    """Its text, and what is in its data."""
    stage = Stage(registry=taking(Kit()))
    await stage.submit("planned", task="why", data={"words": ["one", "two"]})
    await stage.run()
    assert (await stage.snapshot()).job.result == {"answer": "why+one"}


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
