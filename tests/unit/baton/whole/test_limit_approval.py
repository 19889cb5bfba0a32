"""At a limit a person may be asked: yes raises it, no ends the job with the best answer so far."""

from collections.abc import AsyncIterator

import pytest

from baton import Agent, Call, Limits, Registry, ScriptedModel, tool
from baton.models.scripted import ScriptEntry
from tests.unit.baton.api.client import Api, api_of, assert_problem, with_keys
from tests.unit.baton.kit.approval_kit import checkpoints, decide, requested, run_for_an_hour
from tests.unit.baton.kit.stage import Stage


@tool(retries=0)
async def step(number: int) -> int:
    return number


def registry() -> Registry:
    """An agent of four turns with room for two, and one with too many calls in a turn."""
    script: list[ScriptEntry] = [*([Call("step", {"number": n})] for n in (1, 2, 3)), "done"]
    many: list[ScriptEntry] = [[Call("step", {"number": n}) for n in range(4)], "done"]
    turns, calls = Limits(on_limit="ask", turns=2), Limits(on_limit="ask", tool_calls=3)
    return Registry(
        [
            Agent(name="asks", model=ScriptedModel(script), tools=[step], limits=turns),
            Agent(name="many", model=ScriptedModel(many), tools=[step], limits=calls),
        ]
    )


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with api_of(Stage(settings=with_keys(), registry=registry())) as made:
        yield made


@pytest.mark.parametrize(("agent", "limit"), [("asks", "turns"), ("many", "tool_calls")])
async def test_the_job_waits_without_a_slot_and_goes_on_after_a_yes(api: Api, agent: str, limit: str) -> None:
    """The limit is twice what it was; nothing that was done is done again. A yes counts once."""
    job_id, checkpoint = await requested(api, agent)
    assert (checkpoint["type"], checkpoint["status"]) == ("approval", "pending")
    assert checkpoint["arguments"]["limit"] == limit
    job = await api.read(job_id)
    assert (job["status"], job["waitingFor"][:31]) == ("waiting", "a decision about a limit, until")
    answer = await decide(api, checkpoint, comment="go on")
    assert (answer.status_code, answer.json()["status"]) == (200, "approved")
    assert_problem(await decide(api, checkpoint, "DELETE", reason="no"), 409)
    await api.stage.run()
    job = await api.read(job_id)
    assert (job["status"], job["result"]) == ("completed", {"answer": "done"})
    assert not any(entry.slot for entry in api.stage.admission.entries.values())


async def test_who_approves_may_set_how_far(api: Api) -> None:
    """A limit of three stops it again, and asks again."""
    job_id, checkpoint = await requested(api, "asks")
    assert_problem(await decide(api, checkpoint, arguments={"value": 2}), 422, "arguments.value")
    await decide(api, checkpoint, arguments={"value": 3})
    await run_for_an_hour(api)
    first, second = await checkpoints(api, job_id)
    assert (first["status"], first["editedArguments"], second["status"]) == ("approved", {"value": 3}, "pending")


@pytest.mark.parametrize("status", ["rejected", "expired"])
async def test_a_no_ends_the_job_with_the_best_answer_so_far(api: Api, status: str) -> None:
    """It says by which limit. No decision within a week is a no."""
    job_id, checkpoint = await requested(api, "asks")
    if status == "rejected":
        assert_problem(await decide(api, checkpoint, "DELETE"), 422, "reason")
        await decide(api, checkpoint, "DELETE", reason="too dear")
    await api.stage.run()
    job = await api.read(job_id)
    assert (job["status"], job["result"]["stoppedBy"]) == ("completed", "turns")
    (shown,) = await checkpoints(api, job_id)
    by, reason = ("operators", "too dear") if status == "rejected" else (None, "nobody decided in time")
    assert (shown["status"], shown["decidedBy"], shown["reason"]) == (status, by, reason)
