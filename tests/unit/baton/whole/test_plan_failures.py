"""Steps that fail: what it means to those after them, and what is passed on to them."""

from typing import Any

from baton import Step, result_of, tool
from baton.engine.transitions import CallStatus, JobStatus
from baton.sdk.records import OnFailure
from tests.unit.baton.kit.plan_kit import Kit, stage_of, statuses


def failing_plan(kit: Kit, on_failure: OnFailure) -> list[Step]:
    return [
        Step("bad", kit.fail, {"times": 9}, on_failure=on_failure),
        Step("after", kit.look, {"value": result_of("bad")}, depends_on=["bad"]),
        Step("last", kit.look, {"value": result_of("after")}, depends_on=["after"]),
        Step("beside", kit.say, {"word": "beside"}),
    ]


async def test_skip_leaves_out_what_comes_after() -> None:
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
    kit = Kit()
    stage = await stage_of(failing_plan(kit, "continue"))
    await stage.run()
    job = (await stage.snapshot()).job
    error = {"error": {"type": "Broken", "message": "it broke"}}
    assert (job.result or {})["output"]["last"] == {"got": {"got": error}}
    assert (await statuses(stage))["bad"] is CallStatus.FAILED


async def test_a_path_that_leads_nowhere_fails_the_step_for_good() -> None:
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


async def test_a_result_that_looks_like_a_reference_is_only_data() -> None:
    kit = Kit()

    @tool
    async def sly() -> Any:
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
