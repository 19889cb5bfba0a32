"""What was recorded is played back without a difference, without running a tool, and without a network."""

import socket
from typing import Any

import pytest
from pydantic import BaseModel

from baton import Agent, Call, Limits, Registry, ScriptedModel, ToolContext, ToolError, tool
from baton.sdk.models.model import ModelAnswer, ModelRequest
from baton.server.api.jobs.recording import collect, recording, requested_texts
from baton.server.api.session_line import Sessions
from baton_events.schema import Completion
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton_local.replay.recorder import difference, recorded
from tests.unit.baton_local.replay.sample_agents import Tools, registry_of


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **_: Any) -> Any:
        raise AssertionError(f"a replay opens no connection: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.parametrize("agent", ["loop", "boss", "typed", "mended", "endless", "overloaded"])
async def test_a_job_plays_as_it_ran(agent: str) -> None:
    """Parallel calls, retries, faults, a job below, typed answers, a limit, a model that failed: no difference."""
    document = await recorded(registry_of(), agent)
    tools = Tools()
    assert difference(document, registry_of(tools)) == ""
    assert tools.runs == []


async def complete(stage: Stage, job_id: str) -> None:
    for call in await stage.calls(job_id):
        if call.status == "waiting":
            await stage.container.commands.signal(
                (await stage.snapshot(job_id)).job, Completion(call_id=call.id, outcome={"ok": "yes"})
            )


async def test_a_call_that_waits_is_given_what_it_was_given() -> None:
    document = await recorded(registry_of(), "waiter", complete)
    assert document["job"]["toolCalls"][0]["result"] == "yes"
    assert difference(document, registry_of()) == ""


async def test_the_order_in_which_calls_of_a_turn_ran_is_no_difference() -> None:
    document = await recorded(registry_of(), "loop")
    first, second = document["job"]["toolCalls"][:2]
    first["attempts"], second["attempts"] = second["attempts"], first["attempts"]
    document["job"]["toolCalls"].reverse()
    assert difference(document, registry_of()) == ""


async def test_a_providers_model_is_not_asked() -> None:
    document = await recorded(registry_of(), "loop")
    assert difference(document, registry_of(model="openai:gpt-5-mini")) == ""


async def test_an_answer_that_names_a_secret_is_the_same_answer() -> None:
    class Login(BaseModel):
        token: str

    model = ScriptedModel([[Call("final_result", {"token": "of-a-parking-meter"})]])
    registry = Registry([Agent(name="names", model=model, output_type=Login)])
    document = await recorded(registry, "names")
    assert document["job"]["result"]["output"] == {"token": "of-a-parking-meter"}
    assert difference(document, registry) == ""


DECISIONS: dict[str, dict[str, Any]] = {
    "approved": {"ok": {"approved": True, "by": "ops"}},
    "edited": {"ok": {"approved": True, "by": "ops", "arguments": {"amount": 3}}},
    "rejected": {"error": {"type": "rejected", "message": "no", "by": "ops"}},
}


def paying() -> Registry:
    """An agent whose payments need approval, and work at the second attempt."""

    @tool(requires_approval=True, retries=1)
    async def pay(amount: int, ctx: ToolContext) -> int:
        """Pay."""
        if ctx.attempt == 1:
            raise ToolError("closed", retryable=True)
        return amount

    both = [Call("pay", {"amount": 5}), Call("pay", {"amount": 6})]
    limits = Limits(wall_seconds=30 * 86_400)
    return Registry([Agent(name="pays", model=ScriptedModel([both, "done"]), tools=[pay], limits=limits)])


@pytest.mark.parametrize("case", [*sorted(DECISIONS), "expired"])
async def test_a_decision_is_sent_again(case: str) -> None:
    """An edited call runs with what was approved; nobody is asked anew."""

    async def decide(stage: Stage, job_id: str) -> None:
        for call in await stage.calls(job_id):
            if call.tool == "tool.approval" and call.status == "waiting" and case in DECISIONS:
                job = (await stage.snapshot(job_id)).job
                await stage.container.commands.signal(job, Completion(call_id=call.id, outcome=DECISIONS[case]))

    document = await recorded(paying(), "pays", decide)
    calls = document["job"]["toolCalls"]
    assert [call["tool"] for call in calls] == ["pay", "pay", "tool.approval", "tool.approval"]
    assert calls[0]["arguments"] == {"amount": 3 if case == "edited" else 5}
    assert calls[0]["status"] == ("completed" if case in ("approved", "edited") else "failed")
    assert difference(document, paying()) == ""


class Echo:
    name = "echo"
    reads_history = True

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        return ModelAnswer(f"{len(request.messages)} messages")


class Seeing(Echo):
    takes_files = ("image/*",)


def talking(model: Echo) -> Registry:
    return Registry([Agent(name="talks", model=model)])


async def recorded_second(registry: Registry) -> dict[str, Any]:
    stage = Stage(registry=registry)
    for number in (1, 2):
        stage.clock.ms += 1_000
        job = stage.job("talks", f"job_{number}", session="chat-1")
        files = [{"mediaType": "image/png", "url": "https://example.com/a.png"}]
        task = {"text": f"question {number}", "data": {}, "chat": {}, "files": files}
        await Sessions(stage.container).submit(job, task)
        await stage.run()
    sources = await collect(stage.reader, "job_2")
    return recording("job_2", sources, requested_texts(registry, "talks"))


@pytest.mark.parametrize("model", [Echo(), Seeing()])
async def test_what_was_recorded_before_is_sent_again(model: Echo) -> None:
    """As it is recorded, files that the model does not take by name; another conversation is seen as a difference."""
    document = await recorded_second(talking(model))
    entry = document["job"]["transcript"][1]
    assert (entry["role"], [shown["question"] for shown in entry["exchanges"]]) == ("session", ["question 1"])
    assert (len(entry["exchanges"][0]["files"]), len(document["job"]["transcript"][0]["files"])) == (1, 1)
    assert document["job"]["result"] == {"answer": "3 messages"}
    assert difference(document, talking(model)) == ""
    entry["exchanges"][0]["answer"] = "something else"
    assert difference(document, talking(model)) != ""
