"""Round trips of what is rarer: plans, cancels, decisions, memory, summaries, secrets."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from baton import Agent, Call, Limits, Memory, Registry, ScriptedModel, Step, Summarize, tool
from baton.sdk.models.model import ModelAnswer
from baton.sdk.tools.tool import Tool
from baton_events.schema import Completion
from tests.unit.baton.kit.plan_kit import Kit, diamond
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.whole.test_long_conversation import Counting, Writer, page
from tests.unit.baton.whole.test_planner import Listening, plan, say
from tests.unit.baton_local.replay.recorder import difference, recorded
from tests.unit.baton_local.replay.sample_agents import Tools, registry_of


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
