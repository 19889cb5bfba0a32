"""At a limit a person may be asked: yes raises it, no ends the job with the best answer so far."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from baton import Agent, Call, Limits, Registry, ScriptedModel, tool
from baton.engine.approvals import DECISION_TIME_MS
from baton.models.scripted import ScriptEntry
from tests.unit.baton.api.client import ACME, ADMIN, Api, api_of, assert_problem, with_keys
from tests.unit.baton.kit.stage import Stage


@tool(retries=0)
async def step(number: int) -> int:
    return number


def registry() -> Registry:
    script: list[ScriptEntry] = [[Call("step", {"number": n})] for n in (1, 2, 3)]
    many: list[ScriptEntry] = [[Call("step", {"number": n}) for n in range(4)], "done"]
    return Registry(
        [
            Agent(name="asks", model=ScriptedModel([*script, "done"]), tools=[step], limits=_limits(turns=2)),
            Agent(name="many", model=ScriptedModel(many), tools=[step], limits=_limits(tool_calls=3)),
        ]
    )


def _limits(**limits: Any) -> Limits:
    return Limits(on_limit="ask", **limits)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with api_of(Stage(settings=with_keys(), registry=registry())) as made:
        yield made


async def requested(api: Api, agent: str = "asks") -> tuple[str, dict[str, Any]]:
    job_id = (await api.submitted(jobType=agent))["id"]
    await run_until_question(api)
    answer = await api.request("GET", f"/api/agent-jobs/{job_id}/checkpoints")
    (checkpoint,) = answer.json()["checkpoints"]
    return job_id, checkpoint


async def run_until_question(api: Api) -> None:
    class Enough(Exception):  # noqa: N818 - a way out of the loop
        pass

    began_ms, before = api.stage.clock.ms, len(api.stage.queue.published)

    async def stop() -> None:
        published = api.stage.outgoing()[before:]
        if any(message.not_before_ms > began_ms + DECISION_TIME_MS - 1 for message in published):
            raise Enough

    with pytest.raises(Enough):
        await api.stage.run(stop)


def path_of(checkpoint: dict[str, Any]) -> str:
    return f"/api/admin/agent-checkpoints/{checkpoint['id']}"


@pytest.mark.parametrize(("agent", "limit"), [("asks", "turns"), ("many", "tool_calls")])
async def test_the_job_waits_without_a_slot_and_goes_on_after_a_yes(api: Api, agent: str, limit: str) -> None:
    """The limit is twice what it was; nothing that was done is done again."""
    job_id, checkpoint = await requested(api, agent)
    assert (checkpoint["type"], checkpoint["status"]) == ("approval", "pending")
    assert checkpoint["arguments"]["limit"] == limit
    job = await api.read(job_id)
    assert (job["status"], job["waitingFor"][:31]) == ("waiting", "a decision about a limit, until")
    answer = await api.request("POST", path_of(checkpoint), ADMIN, json={"comment": "go on"})
    assert (answer.status_code, answer.json()["status"]) == (200, "approved")
    await api.stage.run()
    job = await api.read(job_id)
    assert (job["status"], job["result"]) == ("completed", {"answer": "done"})
    assert not any(entry.slot for entry in api.stage.admission.entries.values())


async def test_who_approves_may_set_how_far(api: Api) -> None:
    """A limit of three stops it again, and asks again."""
    job_id, checkpoint = await requested(api)
    wrong = await api.request("POST", path_of(checkpoint), ADMIN, json={"arguments": {"value": 2}})
    assert_problem(wrong, 422, "arguments.value")
    await api.request("POST", path_of(checkpoint), ADMIN, json={"arguments": {"value": 3}})
    await run_until_question(api)
    answer = await api.request("GET", f"/api/agent-jobs/{job_id}/checkpoints")
    assert [entry["status"] for entry in answer.json()["checkpoints"]] == ["approved", "pending"]
    assert answer.json()["checkpoints"][0]["editedArguments"] == {"value": 3}


async def test_a_no_ends_the_job_with_the_best_answer_so_far(api: Api) -> None:
    job_id, checkpoint = await requested(api)
    assert_problem(await api.request("DELETE", path_of(checkpoint), ADMIN, json={}), 422, "reason")
    answer = await api.request("DELETE", path_of(checkpoint), ADMIN, json={"reason": "too dear"})
    assert answer.json()["status"] == "rejected"
    await api.stage.run()
    job = await api.read(job_id)
    assert (job["status"], job["result"]["stoppedBy"]) == ("completed", "turns")
    (shown,) = (await api.request("GET", f"/api/agent-jobs/{job_id}/checkpoints")).json()["checkpoints"]
    assert shown["decidedBy"] == "operators"
    assert (shown["status"], shown["reason"]) == ("rejected", "too dear")


async def test_no_decision_in_time_is_a_no(api: Api) -> None:
    job_id, _ = await requested(api)
    await api.stage.run()
    job = await api.read(job_id)
    assert job["result"]["stoppedBy"] == "turns"
    (shown,) = (await api.request("GET", f"/api/agent-jobs/{job_id}/checkpoints")).json()["checkpoints"]
    assert shown["status"] == "expired"


async def test_a_decision_counts_once_and_needs_an_operator(api: Api) -> None:
    """409 for a second one, also a late or an unlike one; 403 for a client's key; 404 for what nobody asked."""
    job_id, checkpoint = await requested(api)
    assert_problem(await api.request("POST", path_of(checkpoint), ACME), 403)
    assert_problem(await api.request("POST", "/api/admin/agent-checkpoints/op_x-1-1-a", ADMIN), 404)
    assert (await api.request("POST", path_of(checkpoint), ADMIN)).status_code == 200
    assert_problem(await api.request("POST", path_of(checkpoint), ADMIN), 409)
    assert_problem(await api.request("DELETE", path_of(checkpoint), ADMIN, json={"reason": "no"}), 409)
    await api.stage.run()
    assert (await api.read(job_id))["result"] == {"answer": "done"}
