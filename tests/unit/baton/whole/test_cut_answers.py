"""Jobs and chats that a limit cuts off, with and without an answer: what people, clients and later models see of it."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import RequestUsage

from baton import Agent, Budget, Call, Limits, Registry, ScriptedModel, Step, sleep, tool, workflow
from baton.engine.transitions import JobStatus
from baton.pydantic_ai import durable
from baton.sdk.models.model import CUT_NOTE, ModelAnswer, ModelRequest, Origin, Spent, ToolMessage, UserMessage
from baton.testing import Reject, Run, Simulation
from baton.worker.commands.audience import NOT_COMPLETED
from baton.worker.runtime.job_view import job_view
from tests.unit.baton.kit.listening import Listening
from tests.unit.baton.sdk.pydantic_ai.played import PlayedStage
from tests.unit.baton.server.api.client import ACME, ADMIN, api_with
from tests.unit.baton.server.protocols.a2a import test_tasks as a2a
from tests.unit.baton.server.protocols.ag_ui import test_runs as ag_ui
from tests.unit.baton.server.protocols.mcp.calling import Client, text_of
from tests.unit.baton.whole.test_chats import Chats, texts

CUT = Origin(finish_reason="length")


def half(text: str = "Three things: first", *calls: Call) -> ModelAnswer:
    return ModelAnswer(text, calls, 10, 5, origin=CUT)


async def view_of(agent: Agent, *more: Agent) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    stage = PlayedStage(registry=Registry([agent, *more]))
    await stage.submit(agent.name)
    await stage.run()
    parts = [json.loads(part) for part in stage.store.tree("job_1").parts["job_1"]]
    return job_view(await stage.snapshot(), stage.clock.now_ms()), parts


async def test_a_job_fails_once_with_the_text_that_came() -> None:
    shown, parts = await view_of(Agent("a", ScriptedModel([half()]), model_retries=3))
    assert (shown["status"], shown["error"]["type"]) == ("failed", "answer_cut")
    assert shown["error"]["partial"] == "Three things: first"
    usage = shown["usage"]
    assert (usage["modelCalls"], usage["inputTokens"], usage["outputTokens"]) == (1, 10, 5)
    assert "data-cut" not in [part["type"] for part in parts]


async def test_a_kept_answer_is_marked_everywhere() -> None:
    shown, parts = await view_of(Agent("a", ScriptedModel([half()]), on_cut_answer="keep"))
    assert (shown["status"], shown["result"]) == ("completed", {"answer": "Three things: first", "cut": True})
    assert [part["data"] for part in parts if part["type"] == "data-cut"] == [{"turn": 1}]


async def test_the_best_answer_at_a_limit_is_no_half_one() -> None:
    script = [half("I purge all but", Call("purge"))]
    agent = Agent("a", ScriptedModel([*script, "done"]), limits=Limits(turns=1))
    shown, _ = await view_of(agent)
    assert (shown["status"], shown["result"], shown["error"]["type"]) == ("failed", None, "limit_exceeded")
    assert [call["error"]["type"] for call in shown["toolCalls"]] == ["answer_cut"]


class City(BaseModel):
    name: str


def always_cut(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
    call = ToolCallPart("purge", '{"older', f"c{len(messages)}")
    return ModelResponse([call], usage=RequestUsage(input_tokens=10, output_tokens=5), finish_reason="length")


@tool
def purge() -> None:
    """Purge all."""


AGENTS = {
    "a structured answer": Agent("a", Listening(lambda _: half()), model_retries=2, output_type=City),
    "its call": Agent("a", Listening(lambda _: half("", Call("final_result"))), model_retries=2, output_type=City),
    "a call": Agent("a", Listening(lambda _: half("", Call("purge"))), model_retries=2, tools=[purge]),
    "a plan": Agent("a", Listening(lambda _: half("", Call("plan"))), model_retries=2, tools=[purge], mode="plan"),
    "a durable agent": durable(PydanticAgent(FunctionModel(always_cut), name="a")),
}


@pytest.mark.parametrize("agent", AGENTS.values(), ids=AGENTS)
async def test_what_is_always_cut_fails_by_that_cause_after_the_model_s_retries(agent: Agent) -> None:
    shown, _ = await view_of(agent)
    assert (shown["status"], shown["error"]["type"]) == ("failed", "answer_cut")
    assert "max_tokens" in shown["error"]["message"]
    asked, usage = 1 + agent.model_retries, shown["usage"]
    assert f"{asked} times in a row" in shown["error"]["message"]
    assert (usage["modelCalls"], usage["inputTokens"], usage["outputTokens"]) == (asked, asked * 10, asked * 5)


async def test_what_is_cut_now_and_then_goes_on() -> None:
    """Each time the model is told, and asks for less."""
    script: list[Any] = [half("", Call("purge")), [Call("purge")]] * 3
    shown, _ = await view_of(Agent("a", ScriptedModel([*script, "done"]), model_retries=1, tools=[purge]))
    assert (shown["status"], shown["result"]) == ("completed", {"answer": "done"})


async def test_tokens_of_answers_whose_arguments_cannot_be_recorded_are_counted() -> None:
    """They are JSON, but nested deeper than what is kept: each call is refused, and its model asked again."""
    deep: dict[str, Any] = {}
    for _ in range(150):
        deep = {"a": deep}

    @tool
    def keep(deep: Any) -> None:
        """Keep it."""

    model = Listening(lambda _: ModelAnswer("", (Call("keep", {"deep": deep}),), 10, 5, 0.25, spent_before=Spent(1, 7)))
    shown, _ = await view_of(Agent("a", model, model_retries=1, tools=[keep]))
    usage = shown["usage"]
    assert (shown["status"], shown["error"]["type"]) == ("failed", "limit_exceeded")
    assert (usage["modelCalls"], usage["inputTokens"], usage["outputTokens"], usage["costUsd"]) == (40, 340, 100, 5.0)


async def test_a_sub_agent_s_half_answer_is_none_and_a_kept_one_says_so() -> None:
    for setting, outcome in (("fail", "answer_cut"), ("keep", {"answer": "Three things: first", "cut": True})):
        below = Agent("below", ScriptedModel([half()]), description="Knows.", on_cut_answer=setting)
        above = Agent("above", ScriptedModel([[Call("below", {"task": "?"})], "done"]), tools=[below])
        shown, _ = await view_of(above, below)
        (call,) = shown["toolCalls"]
        assert outcome in (call.get("result"), (call.get("error") or {}).get("type"))


async def test_a_chat_keeps_it_and_the_next_turn_is_told() -> None:
    chats = Chats()
    chats.model.answer = Listening(lambda _: half()).answer  # type: ignore[method-assign]
    await chats.submit(1, "What must be done?", chat={"messageId": "m1"})
    await chats.stage.run()
    job = (await chats.stage.snapshot()).job
    assert (job.status, job.result) == (JobStatus.COMPLETED, {"answer": "Three things: first", "cut": True})
    del chats.model.answer
    told = await chats.reply(2, "Go on.")
    assert texts(told) == ["What must be done?", "Three things: first", CUT_NOTE, "Go on."]


async def test_an_answer_that_cannot_be_recorded_is_paid_a_bounded_number_of_times() -> None:
    asked = list[ModelRequest]()

    def odd(request: ModelRequest) -> ModelAnswer:
        asked.append(request)
        text: Any = 5
        return ModelAnswer(text)

    shown, _ = await view_of(Agent("a", Listening(odd), model_retries=1))
    assert (shown["status"], shown["error"]["type"], len(asked)) == ("failed", "invalid_answer", 2)
    assert isinstance(asked[0].messages[0], UserMessage)


TOLD = "and there is no answer yet"


@tool
def look(n: int) -> str:
    """Look."""
    return f"found {n}"


def looking(text: str = "", calls: int = 1) -> list[ModelAnswer | str]:
    """A model that looks three times, saying this, and then answers."""
    asks = [ModelAnswer(text, (Call("look", {"n": n}),) * calls, 50, 50, 0.5) for n in range(3)]
    return [*asks, "all found"]


LIMITED: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "turns": ({"turns": 2}, looking()),
    "tokens": ({"tokens": 150}, looking()),
    "cost_usd": ({"cost_usd": 0.7}, looking()),
    "tool_calls": ({"tool_calls": 3}, looking(calls=2)),
    "wall_seconds": ({"wall_seconds": 60}, [[Call("sleep", {"seconds": 3600})], "all found"]),
    "only blanks": ({"turns": 2}, looking(" \n")),
}


@pytest.mark.parametrize("on_limit", ["stop", "fail", "ask"])
@pytest.mark.parametrize("limit", LIMITED)
async def test_whatever_the_limit_a_job_without_an_answer_has_failed(limit: str, on_limit: Any) -> None:
    bounds, script = LIMITED[limit]
    agent = Agent("a", ScriptedModel(script), tools=[look, sleep], limits=Limits(on_limit=on_limit, **bounds))
    run = await Simulation(Registry([agent])).run("a", "Look.", decide=lambda _: Reject("enough"))
    assert (run.status, run.result, run.error and run.error["type"]) == ("failed", None, "limit_exceeded")
    (name,) = bounds
    assert f"the limit {name}=" in str(run.error)
    assert TOLD in str(run.error)
    assert [part["type"] for part in run.parts][-2:] == ["error", "finish"]


@pytest.mark.parametrize("on_limit", ["stop", "ask"])
async def test_one_with_an_answer_completes_with_it(on_limit: Any) -> None:
    agent = Agent("a", ScriptedModel(looking("so far")), tools=[look], limits=Limits(turns=2, on_limit=on_limit))
    run = await Simulation(Registry([agent])).run("a", "Look.", decide=lambda _: Reject("enough"))
    assert (run.status, run.result) == ("completed", {"answer": "so far", "stoppedBy": "turns"})


async def test_a_budget_that_nobody_raises_leaves_no_empty_answer() -> None:
    asks = Budget("k", usd=0.5, reserve=0.5, on_limit="ask")
    agent = Agent("a", ScriptedModel(looking()), tools=[look], budgets=[asks])
    run = await Simulation(Registry([agent])).run("a", "Look.", decide=lambda _: Reject("enough"))
    assert run.status == "failed"
    assert "the limit budget:k=0.5 is reached" in str(run.error)


# ---- its callers


def by_library(_: Sequence[ModelMessage], __: AgentInfo) -> ModelResponse:
    return ModelResponse([ToolCallPart("look_up", {})])


theirs = PydanticAgent(FunctionModel(by_library), name="child")


@theirs.tool_plain
def look_up() -> str:
    """Look up."""
    return "found"


TWO_TURNS = Limits(turns=2)
CHILDREN: dict[str, Callable[..., Agent]] = {
    "an agent": lambda **more: Agent("child", ScriptedModel(looking()), tools=[look], limits=TWO_TURNS, **more),
    "a library's": lambda **more: durable(theirs, limits=TWO_TURNS, **more),
    "a plan": lambda **more: Agent(
        "child", plan=[Step("nap", sleep, {"seconds": 3600})], limits=Limits(wall_seconds=60), **more
    ),
}


def told(request: ModelRequest) -> ModelAnswer:
    """Call the child, and answer with what became of the call."""
    results = [one for one in request.messages if isinstance(one, ToolMessage)]
    if not results:
        return ModelAnswer("", (Call("child", {"task": "Look."}),))
    return ModelAnswer(json.dumps([results[-1].is_error, str(results[-1].content)]))


async def by_a_tool(child: Agent) -> Run:
    boss = Agent("boss", Listening(told), tools=[child])
    return await Simulation(Registry([boss, child])).run("boss", "Go.")


async def by_a_plan(child: Agent) -> Run:
    steps = [Step("child", child, {"task": "Look."})]
    return await Simulation(Registry([Agent("boss", plan=steps), child])).run("boss", "Go.")


async def by_a_workflow(child: Agent) -> Run:
    @workflow
    async def boss() -> str:
        answer = await child("Look.")
        return f"got {answer!r}"

    return await Simulation(Registry([child], workflows=[boss])).run("boss", "Go.")


@pytest.mark.parametrize("by", [by_a_tool, by_a_plan, by_a_workflow])
@pytest.mark.parametrize("kind", CHILDREN)
async def test_its_caller_gets_an_error_that_says_so(kind: str, by: Callable[[Agent], Awaitable[Run]]) -> None:
    run = await by(CHILDREN[kind](description="Looks."))
    (call,) = run.calls
    assert (call["status"], call["error"]["type"]) == ("failed", "limit_exceeded")
    assert TOLD in call["error"]["message"]
    if by is by_a_tool:
        assert run.status == "completed"
        is_error, content = json.loads(run.result["answer"])
        assert is_error
        assert TOLD in content
    else:
        assert run.status == "failed"
        assert TOLD in str(run.error)


def exposed(kind: str, **more: Any) -> Registry:
    return Registry([CHILDREN[kind](description="Looks.", **more)])


@pytest.mark.parametrize(("key", "shows_errors"), [(ACME, False), (ACME, True), (ADMIN, False)])
@pytest.mark.parametrize("kind", CHILDREN)
async def test_mcp_a2a_and_ag_ui_say_so(kind: str, key: str, shows_errors: bool) -> None:
    """Clients get the error's type, one sentence and the job's id; operators its text, and clients by a setting."""
    async with api_with(exposed(kind, expose={"mcp", "a2a"}), chat_shows_errors=shows_errors) as api:
        result = await Client(api, key=key).called("child")
        assert result["isError"]
        task = await a2a.task(api, "child", a2a.HELLO, key)
        assert task["status"]["state"] == "TASK_STATE_FAILED"
        assert "artifacts" not in task
        run = ag_ui.run_input("r1", ag_ui.user("m1", "Look."))
        last = ag_ui.events_of(await ag_ui.send(api, "child", run, key))[-1]
        assert (last["type"], last["code"]) == ("RUN_ERROR", "limit_exceeded")
        failed = text_of(result), task["status"]["message"]["parts"][0]["text"]
        if key == ADMIN or shows_errors:
            assert all(text.endswith(TOLD) for text in failed)
            assert TOLD in last["message"]
        else:
            assert all(text.startswith(f"limit_exceeded: {NOT_COMPLETED} (job_") for text in failed)
            assert last["message"].startswith(f"{NOT_COMPLETED} (job_")


@pytest.mark.parametrize("kind", CHILDREN)
async def test_its_event_is_a_dead_letter(kind: str) -> None:
    async with api_with(exposed(kind, on="door.opened", task="Look.")) as api:
        response = await api.request("POST", "/api/events", json={"name": "door.opened", "data": {}})
        assert response.status_code == 202, response.text
        await api.stage.run()
        (letter,) = api.stage.records.dead.values()
        assert TOLD in letter.answer
