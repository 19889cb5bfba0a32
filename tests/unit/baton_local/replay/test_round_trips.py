"""What was recorded is played back without a difference, without running a tool, and without a network.

That holds for what is rarer, too: plans, cancels, decisions, memory, summaries, secrets.
"""

import json
import socket
from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import BaseModel

from baton import Agent, Call, Limits, Memory, Registry, ScriptedModel, Step, Summarize, ToolContext, ToolError, tool
from baton.sdk.models.model import ModelAnswer, ModelRequest
from baton.sdk.tools.tool import Tool
from baton.server.api.jobs.recording import collect, recording, requested_texts
from baton.server.api.session_line import Sessions
from baton_events.schema import Completion
from tests.unit.baton.kit.plan_kit import Kit, diamond
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.whole.test_long_conversation import Counting, Writer, page
from tests.unit.baton.whole.test_planner import Listening, plan, say
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


def fails(times: int, on_failure: str) -> dict[str, Any]:
    return {"name": "shaky", "tool": "fail", "arguments": {"times": times}, "on_failure": on_failure}


OF_A = {"$resultOf": {"step": "a", "path": ["word"]}}
PLANS: dict[str, Sequence[Any]] = {
    "carried out": [[plan(say("a"), say("b", OF_A, depends_on=["a"]))], "yes"],
    "corrected": [[plan({"name": "a", "tool": "no_such_tool"})], [plan(say("a"))], "yes"],
    "a second one": [[plan(say("a"))], [plan(say("b"), reflection="more")], "both"],
    "failed": [[plan(fails(9, "fail"), say("a"))], "never"],
    "skipped": [[plan(fails(9, "skip"), say("after", depends_on=["shaky"]))], "partly"],
    "replanned": [[plan(fails(9, "replan"), say("after", depends_on=["shaky"]))], [plan(say("b"))], "at last"],
    "too many": [[plan(say(f"a{n}"))] for n in range(3)] + ["enough"],
}


def planning(script: Sequence[Any]) -> Registry:
    kit = Kit()
    tools: list[Tool] = [kit.say, kit.join, kit.look, kit.fail]
    return Registry([Agent(name="plans", mode="plan", model=Listening(script), tools=tools, max_rounds=2)])


@pytest.mark.parametrize("case", sorted(PLANS))
async def test_a_planners_job(case: str, caplog: pytest.LogCaptureFixture) -> None:
    document = await recorded(planning(PLANS[case]), "plans")
    caplog.clear()
    assert (difference(document, planning(PLANS[case])), "ALERT" in caplog.text) == ("", False)


async def test_a_planners_instructions_are_known() -> None:
    """In its first turns as in its last, which is told that it is the last."""
    document = await recorded(planning(PLANS["too many"]), "plans")
    requested = [
        entry["requestDigests"]["instructions"] for entry in document["job"]["transcript"] if "requestDigests" in entry
    ]
    assert len(set(requested)) == 2
    assert set(requested) <= set(document["texts"])


async def test_a_fixed_plan() -> None:
    """No model, steps in parallel, results that are dispatched; and what is different in another plan."""

    def fixed(word: str) -> Registry:
        kit = Kit()
        others = diamond(kit)[1:]
        return Registry([Agent(name="fixed", plan=[Step("top", kit.say, {"word": word}), *others])])

    document = await recorded(fixed("top"), "fixed")
    assert difference(document, fixed("top")) == ""
    shown = difference(document, fixed("hat"))
    assert 'turn 1: call 1\n  recorded: {"arguments": {"word": "top"}' in shown


async def cancel(stage: Stage, job_id: str) -> None:
    if any(call.status == "waiting" for call in await stage.calls(job_id)):
        await stage.container.commands.cancel((await stage.snapshot(job_id)).job, "client of acme")


@pytest.mark.parametrize("agent", ["waiter", "boss"])
async def test_a_cancelled_job_plays_up_to_its_cancel(agent: str) -> None:
    """And those below it end with it."""
    document = await recorded(registry_of(), agent, cancel)
    assert document["job"]["status"] == "cancelled"
    assert difference(document, registry_of()) == ""


def limited(**limits: Any) -> Registry:
    """An agent that calls for more than it may."""
    model, tools = ScriptedModel([[Call("add", {"a": 1}), Call("add", {"a": 2})], "done"]), [Tools().add]
    return Registry([Agent(name="limited", model=model, tools=tools, limits=Limits(**limits))])


@pytest.mark.parametrize("answer", [{"ok": {}}, {"error": {"type": "rejected", "message": "no"}}])
@pytest.mark.parametrize("limits", [{"turns": 1}, {"tool_calls": 1}])
async def test_a_decision_about_a_limit(answer: dict[str, Any], limits: dict[str, int]) -> None:
    """Before a model is asked, and after it has asked for too much."""

    async def decide(stage: Stage, job_id: str) -> None:
        for call in await stage.calls(job_id):
            if call.status == "waiting":
                job = (await stage.snapshot(job_id)).job
                await stage.container.commands.signal(job, Completion(call_id=call.id, outcome=answer))

    document = await recorded(limited(on_limit="ask", **limits), "limited", decide)
    assert document["job"]["toolCalls"][-1]["tool"] == "limit.approval" or "ok" in answer
    assert difference(document, limited(on_limit="ask", **limits)) == ""


async def test_what_was_retrieved_of_memory_is_sent_again() -> None:
    def agents(memory: Memory | None) -> Registry:
        return Registry([Agent(name="keeps", model=Listening(["yes"]), memory=memory)])

    registry = agents(Memory())
    document = await recorded(registry, "keeps", sessionId="session-1")
    assert document["job"]["transcript"][1]["role"] == "memory"
    document["job"]["transcript"][1]["entries"] = []
    assert difference(document, agents(Memory())) == ""
    assert "its memory entries" in difference(document, agents(None))
    forgetful = await recorded(agents(None), "keeps", sessionId="session-1")
    assert "its memory entries" in difference(forgetful, registry)


async def test_summaries_are_given_as_they_were_written() -> None:
    def agents(writer: Writer) -> Registry:
        history = Summarize(1_000, keep_turns=2, model=writer)
        return Registry([Agent(name="reads", model=Counting(), tools=[page], history=history)])

    document = await recorded(agents(Writer()), "reads")
    assert any(entry["role"] == "summary" for entry in document["job"]["transcript"])
    silent = Writer()
    assert difference(document, agents(silent)) == ""
    assert silent.requests == []
    kept = Registry([Agent(name="reads", model=Counting(), tools=[page])])
    assert "messages that the model reads" in difference(document, kept)


async def test_a_call_whose_arguments_are_redacted() -> None:
    """Its id holds a digest of what it was; its place tells which one it is."""

    @tool(retries=0)
    async def fetch(api_key: str) -> str:
        """Fetch something."""
        return f"with {api_key}"

    model = ScriptedModel([[Call("fetch", {"api_key": "hidden-value-1"})], ModelAnswer("done")])
    registry = Registry([Agent(name="fetches", model=model, tools=[fetch])])
    document = await recorded(registry, "fetches")
    assert "hidden-value" not in json.dumps(document)
    assert difference(document, registry) == ""
