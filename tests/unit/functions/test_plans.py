"""Jobs with plans of their own: what runs when, what is passed on, and what a failure means."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from baton import Agent, Limits, Registry, Step, ToolContext, ToolError, result_of, sleep, tool
from events.core.legs import LegKind
from events.core.state import OnFailure
from events.core.transitions import CallStatus, JobStatus
from tests.unit.functions.stage import Stage


@dataclass
class Kit:
    """Tools that note in which order they ran."""

    ran: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        """Make the tools."""

        @tool(retries=0)
        async def say(word: str) -> dict[str, Any]:
            """Say a word."""
            self.ran.append(word)
            return {"word": word, "letters": list(word)}

        @tool(retries=0)
        async def join(parts: list[str]) -> str:
            """Join texts."""
            self.ran.append("+".join(parts))
            return "+".join(parts)

        @tool(retries=0)
        async def look(value: Any) -> Any:
            """Give back what it is given."""
            self.ran.append("look")
            return {"got": value}

        @tool(retries=1, retry_delay_seconds=1.0)
        async def fail(times: int, ctx: ToolContext) -> str:
            """Fail so many times."""
            self.ran.append(f"fail {ctx.attempt}")
            if ctx.attempt <= times:
                raise ToolError("it broke", retryable=True, type="Broken")
            return "mended"

        self.say, self.join, self.look, self.fail = say, join, look, fail


def diamond(kit: Kit) -> list[Step]:
    """One, then two at once, then one with the results of both."""
    return [
        Step("top", kit.say, {"word": "top"}),
        Step("left", kit.say, {"word": result_of("top")["letters"][0]}, depends_on=["top"]),
        Step("right", kit.say, {"word": result_of("top")["letters"][-1]}, depends_on=["top"]),
        Step(
            "bottom",
            kit.join,
            {"parts": [result_of("left")["word"], "and", result_of("right")["word"]]},
            depends_on=["left", "right"],
        ),
    ]


async def stage_of(plan: Sequence[Step], limits: Limits | None = None) -> Stage:
    """A submitted job with this plan."""
    stage = Stage(registry=Registry([Agent(name="planned", plan=plan, limits=limits or Limits())]))
    await stage.submit("planned")
    return stage


async def statuses(stage: Stage) -> dict[str, CallStatus]:
    """Each step's status."""
    return {call.step: call.status for call in await stage.calls()}


async def parts_of(stage: Stage, *kinds: str) -> list[dict[str, Any]]:
    """The job's parts of these kinds."""
    parts = [json.loads(text) for text in stage.store.tree("job_1").parts["job_1"]]
    return [part for part in parts if part["type"] in kinds]


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


async def test_the_stream_tells_plan_and_steps() -> None:
    """A plan once, then each step's start and end, in an order that holds to the plan."""
    kit = Kit()
    stage = await stage_of(diamond(kit))
    await stage.run()
    (plan,) = await parts_of(stage, "data-plan-created")
    assert [step["step"] for step in plan["data"]["steps"]] == ["top", "left", "right", "bottom"]
    told = await parts_of(stage, "data-step-started", "data-step-completed")
    order = [(part["data"]["step"], part["type"].rsplit("-", 1)[-1]) for part in told]
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


def failing_plan(kit: Kit, on_failure: OnFailure) -> list[Step]:
    """A step that fails, one after it, one after that, and one beside."""
    return [
        Step("bad", kit.fail, {"times": 9}, on_failure=on_failure),
        Step("after", kit.look, {"value": result_of("bad")}, depends_on=["bad"]),
        Step("last", kit.look, {"value": result_of("after")}, depends_on=["after"]),
        Step("beside", kit.say, {"word": "beside"}),
    ]


async def test_fail_fails_the_job_and_names_the_step() -> None:
    """What comes after it never runs."""
    kit = Kit()
    stage = await stage_of(failing_plan(kit, "fail"))
    await stage.run()
    job = (await stage.snapshot()).job
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert "step 'bad' failed: it broke" in job.error.message
    assert "look" not in kit.ran


async def test_skip_leaves_out_what_comes_after() -> None:
    """Directly or not; the rest is the answer."""
    kit = Kit()
    stage = await stage_of(failing_plan(kit, "skip"))
    await stage.run()
    job = (await stage.snapshot()).job
    assert job.status is JobStatus.COMPLETED
    assert "look" not in kit.ran
    output = (job.result or {})["output"]
    assert output["last"]["error"]["type"] == "skipped"
    assert output["beside"]["word"] == "beside"


async def test_continue_gives_the_error_to_what_comes_after() -> None:
    """As an object that says so."""
    kit = Kit()
    stage = await stage_of(failing_plan(kit, "continue"))
    await stage.run()
    job = (await stage.snapshot()).job
    error = {"error": {"type": "Broken", "message": "it broke"}}
    assert (job.result or {})["output"]["last"] == {"got": {"got": error}}
    assert (await statuses(stage))["bad"] is CallStatus.FAILED


async def test_a_step_is_retried_as_any_call_is() -> None:
    """And what comes after it waits for the attempt that works."""
    kit = Kit()
    stage = await stage_of(
        [
            Step("shaky", kit.fail, {"times": 1}),
            Step("after", kit.look, {"value": result_of("shaky")}, depends_on=["shaky"]),
        ]
    )
    await stage.run()
    assert kit.ran == ["fail 1", "fail 2", "look"]
    assert ((await stage.snapshot()).job.result or {})["output"] == {"got": "mended"}
    assert len(await parts_of(stage, "data-step-started")) == 2


async def test_a_path_that_leads_nowhere_fails_the_step_for_good() -> None:
    """The message names step and path; the tool did not run."""
    kit = Kit()
    stage = await stage_of(
        [
            Step("a", kit.say, {"word": "x"}),
            Step("b", kit.look, {"value": result_of("a")["nothing"]}, depends_on=["a"], on_failure="continue"),
        ]
    )
    await stage.run()
    call = next(call for call in await stage.calls() if call.step == "b")
    assert (call.status, call.attempts) == (CallStatus.FAILED, 1)
    assert call.error is not None
    assert call.error.type == "unresolved_reference"
    assert call.error.message.startswith(
        "result_of('a')['nothing']: result_of('a') is an object with 'letters', 'word'"
    )
    assert kit.ran == ["x"]


async def test_arguments_are_checked_once_they_are_known() -> None:
    """A result of the wrong type is a failure of the step that is given it."""
    kit = Kit()
    stage = await stage_of(
        [
            Step("a", kit.say, {"word": "x"}),
            Step("b", kit.join, {"parts": result_of("a")["word"]}, depends_on=["a"], on_failure="continue"),
        ]
    )
    await stage.run()
    call = next(call for call in await stage.calls() if call.step == "b")
    assert call.error is not None
    assert call.error.type == "invalid_arguments"
    assert "parts" in call.error.message


async def test_a_result_that_looks_like_a_reference_is_only_data() -> None:
    """Nothing of what a tool returns is resolved."""
    kit = Kit()

    @tool
    async def sly() -> Any:
        """Return what looks like a reference."""
        return {"$resultOf": {"step": "secret", "path": []}}

    stage = await stage_of(
        [
            Step("secret", kit.say, {"word": "hidden"}),
            Step("a", sly),
            Step("b", kit.look, {"value": [result_of("a")]}, depends_on=["a", "secret"]),
        ]
    )
    await stage.run()
    output = ((await stage.snapshot()).job.result or {})["output"]
    assert output == {"got": [{"$resultOf": {"step": "secret", "path": []}}]}


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
    await stage.container.acceptance.cancel((await stage.snapshot()).job, "somebody")
    await stage.run()
    assert (await stage.snapshot()).job.status is JobStatus.CANCELLED
    assert kit.ran == ["top"]


async def test_no_turn_begins_while_a_step_is_open() -> None:
    """At every moment: the leg of the next turn is there only when all steps' legs are gone."""
    kit = Kit()
    stage = await stage_of([*diamond(kit), Step("slow", kit.fail, {"times": 1})])
    turns: list[int] = []

    async def look() -> None:
        legs = await stage.legs()
        loops = [leg.turn for leg in legs if leg.kind is LegKind.LOOP]
        turns.extend(loops)
        assert not (2 in loops and any(leg.step for leg in legs))

    await stage.run(look)
    assert 2 in turns


@pytest.mark.parametrize("turns", [2, 3])
async def test_a_plan_needs_two_turns(turns: int) -> None:
    """One for the plan, one for the answer."""
    kit = Kit()
    stage = await stage_of(diamond(kit), Limits(turns=turns))
    await stage.run()
    assert (await stage.snapshot()).job.result == {"answer": "t+and+p"}
