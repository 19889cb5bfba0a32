"""What needs approval waits for a person: a tool call with the arguments that they said yes to, or a raised limit."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from baton import Agent, Call, Limits, Registry, ScriptedModel, tool
from baton.engine.waits import tool_digest
from baton.sdk.models.model import ModelAnswer
from baton.sdk.models.scripted import ScriptEntry
from baton_events.ids import canonical_json
from tests.unit.baton.kit.approval_kit import Kit, checkpoints, decide, pending, requested, run_for_an_hour
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ACME, Api, api_of, assert_problem, with_keys


@pytest.fixture
def kit() -> Kit:
    return Kit()


@pytest.fixture
async def api(kit: Kit) -> AsyncIterator[Api]:
    async with api_of(Stage(settings=with_keys(), registry=kit.registry())) as made:
        yield made


async def payment(api: Api, job_id: str) -> dict[str, Any]:
    """The job's first call of the tool."""
    calls = (await api.read(job_id))["toolCalls"]
    found: dict[str, Any] = next(call for call in calls if call["tool"] == "pay")
    return found


async def test_nothing_runs_before_a_person_has_approved(api: Api, kit: Kit) -> None:
    job_id, checkpoint = await requested(api, "pays")
    assert not kit.ran
    job, call = await api.read(job_id), await payment(api, job_id)
    assert (job["status"], job["waitingFor"][:32]) == ("waiting", "a decision about tool pay, until")
    assert call["status"] == "waiting"
    assert not any(entry.slot for entry in api.stage.admission.entries.values())
    arguments = {"to": "Ann", "amount": 5}
    known_later = ("id", "createdAt", "expiresAt")
    assert checkpoint | dict.fromkeys(known_later) == {
        "jobId": job_id,
        "callId": call["id"],
        "type": "approval",
        "status": "pending",
        "title": "pay a bill",
        "summary": "pay a bill: to Ann, amount 5",
        "data": None,
        "tool": "pay",
        "arguments": arguments,
        "digest": tool_digest("pay", arguments),
        "mayDecide": "tenant",
        **dict.fromkeys((*known_later, "decidedAt", "decidedBy", "reason", "editedArguments")),
    }


async def test_what_does_not_fit_decides_nothing(api: Api, kit: Kit) -> None:
    """It goes on waiting. Whoever names the digest is sure of what they decide about."""
    _, checkpoint = await requested(api, "pays")
    assert_problem(await decide(api, checkpoint, key=ACME), 403)
    answer = await decide(api, checkpoint, arguments={"to": "Ann", "amount": "much", "tip": 1})
    assert "tip" in assert_problem(answer, 422, "arguments.amount", "arguments.tip")
    assert checkpoint["digest"] in assert_problem(await decide(api, checkpoint, digest="0" * 64), 409)
    assert_problem(await decide(api, checkpoint, "DELETE", reason="no", digest="0" * 64), 409)
    assert (await decide(api, checkpoint, digest=checkpoint["digest"])).status_code == 200
    await api.stage.run()
    assert len(kit.ran) == 1


async def test_the_run_that_was_approved_is_the_first_attempt(api: Api) -> None:
    """The question to the person was no attempt."""
    job_id, checkpoint = await requested(api, "pays")
    await decide(api, checkpoint)
    await api.stage.deliver(api.stage.events()[-1])
    assert (await api.read(job_id))["waitingFor"] == "tool pay"
    await api.stage.run()
    parts = map(json.loads, api.stage.store.tree(job_id).parts[job_id])
    events = [part["data"] for part in parts if part["type"] == "data-event"]
    assert {event["attempt"] for event in events if event.get("tool") == "pay"} == {1}


async def test_the_reason_of_a_rejection_reaches_the_model(api: Api, kit: Kit) -> None:
    job_id, checkpoint = await requested(api, "pays")
    assert_problem(await decide(api, checkpoint, "DELETE", reason="n" * 2_001), 422, "reason")
    answer = (await decide(api, checkpoint, "DELETE", reason="too dear")).json()
    assert (answer["status"], answer["reason"], answer["decidedBy"]) == ("rejected", "too dear", "operators")
    await api.stage.run()
    job, call = await api.read(job_id), await payment(api, job_id)
    error = {"type": "rejected", "message": "too dear"}
    assert (job["status"], job["result"]["answer"]) == ("completed", canonical_json(error))
    assert (call["status"], call["error"], call["attempts"], kit.ran) == ("failed", error, 0, [])


async def test_no_decision_in_time_is_a_no(api: Api, kit: Kit) -> None:
    job_id, checkpoint = await requested(api, "pays")
    await api.stage.run()
    job = await api.read(job_id)
    assert (job["status"], "expired" in job["result"]["answer"], kit.ran) == ("completed", True, [])
    assert (await checkpoints(api, job_id))[0]["status"] == "expired"
    assert "expired" in assert_problem(await decide(api, checkpoint), 409)


async def test_a_decision_counts_once(api: Api, kit: Kit) -> None:
    _, checkpoint = await requested(api, "pays")
    assert (await decide(api, checkpoint)).status_code == 200
    assert "approved" in assert_problem(await decide(api, checkpoint), 409)
    assert_problem(await decide(api, checkpoint, "DELETE", reason="no"), 409)
    await api.stage.run()
    assert len(kit.ran) == 1
    assert_problem(await decide(api, checkpoint), 409)
    assert_problem(await decide(api, {"id": "op_x-1-1-a"}), 404)


async def test_calls_of_one_turn_are_decided_one_by_one(api: Api, kit: Kit) -> None:
    """The next turn begins when the last one is over; what needs no approval does not wait."""
    job_id, _ = await requested(api, "pays-twice")
    await run_for_an_hour(api)
    first, second = await pending(api, job_id)
    await decide(api, second, "DELETE", reason="no")
    await run_for_an_hour(api)
    assert (await api.read(job_id))["status"] == "waiting"
    await decide(api, first)
    await api.stage.run()
    job = await api.read(job_id)
    assert (job["status"], len(kit.ran)) == ("completed", 1)
    shown = {call["arguments"]["to"]: call["status"] for call in job["toolCalls"] if "to" in call["arguments"]}
    assert shown == {"Ann": "completed", "Ben": "failed"}


async def test_a_secret_is_not_shown_and_stays_as_it_was(api: Api, kit: Kit) -> None:
    """Left as it is shown, it is what it was; another one cannot be given, since it would be stored."""
    job_id, checkpoint = await requested(api, "pays-with-password")
    assert checkpoint["arguments"] == {"to": "Ann", "amount": 5, "password": "[redacted]"}
    other = {"to": "Ann", "amount": 4, "password": "other"}
    assert "a secret" in assert_problem(await decide(api, checkpoint, arguments=other), 422, "arguments")
    answer = await decide(api, checkpoint, arguments=other | {"password": "[redacted]"})
    assert answer.json()["editedArguments"] == other | {"password": "[redacted]"}
    await api.stage.run()
    assert kit.ran[0].arguments == {"to": "Ann", "amount": 4, "password": "open sesame"}
    snapshot = await api.stage.snapshot(job_id)
    assert "open sesame" not in repr(snapshot)
    assert "open sesame" not in repr([message.body for message in api.stage.outgoing()])


@pytest.mark.parametrize(
    ("on_failure", "status", "note"),
    [("fail", "failed", "cancelled"), ("skip", "completed", "cancelled"), ("continue", "completed", "completed")],
)
async def test_a_rejected_step_is_a_failed_one(kit: Kit, on_failure: str, status: str, note: str) -> None:
    """What it means is the plan's to say."""
    async with api_of(Stage(settings=with_keys(), registry=kit.registry(on_failure=on_failure))) as api:
        job_id, checkpoint = await requested(api, "plan")
        await decide(api, checkpoint, "DELETE", reason="too dear")
        await api.stage.run()
        job = await api.read(job_id)
    steps = {call["step"]: call["status"] for call in job["toolCalls"]}
    assert (job["status"], steps) == (status, {"price": "completed", "pay": "failed", "note": note})
    assert not kit.ran
    if on_failure == "fail":
        assert job["error"] == {"type": "step_failed", "message": "step 'pay' failed: too dear"}
    if on_failure == "continue":
        assert job["result"]["output"] == {"noted": {"error": {"type": "rejected", "message": "too dear"}}}


async def test_a_steps_arguments_that_do_not_fit_are_nobodys_to_decide(api: Api, kit: Kit) -> None:
    """What a step takes from another one is checked before a person is asked."""
    kit.odd_price = True
    job_id = (await api.submitted(jobType="plan"))["id"]
    await run_for_an_hour(api)
    job = await api.read(job_id)
    assert (job["status"], await pending(api, job_id), kit.ran) == ("failed", [], [])
    assert "amount" in job["error"]["message"]


@tool(retries=0)
async def step(number: int) -> int:
    return number


def registry() -> Registry:
    """An agent of four turns with room for two, and one with too many calls in a turn."""
    steps = [ModelAnswer(f"step {n}", (Call("step", {"number": n}),)) for n in (1, 2, 3)]
    script: list[ScriptEntry] = [*steps, "done"]
    many: list[ScriptEntry] = [[Call("step", {"number": n}) for n in range(4)], "done"]
    turns, calls = Limits(on_limit="ask", turns=2), Limits(on_limit="ask", tool_calls=3)
    return Registry(
        [
            Agent(name="asks", model=ScriptedModel(script), tools=[step], limits=turns),
            Agent(name="many", model=ScriptedModel(many), tools=[step], limits=calls),
        ]
    )


@pytest.fixture
async def limited() -> AsyncIterator[Api]:
    async with api_of(Stage(settings=with_keys(), registry=registry())) as made:
        yield made


@pytest.mark.parametrize(("agent", "limit"), [("asks", "turns"), ("many", "tool_calls")])
async def test_the_job_waits_without_a_slot_and_goes_on_after_a_yes(limited: Api, agent: str, limit: str) -> None:
    """The limit is twice what it was; nothing that was done is done again. A yes counts once."""
    job_id, checkpoint = await requested(limited, agent)
    assert (checkpoint["type"], checkpoint["status"]) == ("approval", "pending")
    assert checkpoint["arguments"]["limit"] == limit
    job = await limited.read(job_id)
    assert (job["status"], job["waitingFor"][:31]) == ("waiting", "a decision about a limit, until")
    answer = await decide(limited, checkpoint, comment="go on")
    assert (answer.status_code, answer.json()["status"]) == (200, "approved")
    assert_problem(await decide(limited, checkpoint, "DELETE", reason="no"), 409)
    await limited.stage.run()
    job = await limited.read(job_id)
    assert (job["status"], job["result"]) == ("completed", {"answer": "done"})
    assert not any(entry.slot for entry in limited.stage.admission.entries.values())


async def test_who_approves_may_set_how_far(limited: Api) -> None:
    job_id, checkpoint = await requested(limited, "asks")
    assert_problem(await decide(limited, checkpoint, arguments={"value": 2}), 422, "arguments.value")
    await decide(limited, checkpoint, arguments={"value": 3})
    await run_for_an_hour(limited)
    first, second = await checkpoints(limited, job_id)
    assert (first["status"], first["editedArguments"], second["status"]) == ("approved", {"value": 3}, "pending")


@pytest.mark.parametrize("status", ["rejected", "expired"])
async def test_a_no_ends_the_job_with_the_best_answer_so_far(limited: Api, status: str) -> None:
    job_id, checkpoint = await requested(limited, "asks")
    if status == "rejected":
        assert_problem(await decide(limited, checkpoint, "DELETE", reason=7), 422, "reason")
        await decide(limited, checkpoint, "DELETE", reason="too dear")
    await limited.stage.run()
    job = await limited.read(job_id)
    assert (job["status"], job["result"]) == ("completed", {"answer": "step 2", "stoppedBy": "turns"})
    (shown,) = await checkpoints(limited, job_id)
    by, reason = ("operators", "too dear") if status == "rejected" else (None, "nobody decided in time")
    assert (shown["status"], shown["decidedBy"], shown["reason"]) == (status, by, reason)
