"""Jobs and chats whose model is cut off by its length limit: what people, clients and later models see of it."""

import json
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import RequestUsage

from baton import Agent, Call, Limits, Registry, ScriptedModel, tool
from baton.engine.transitions import JobStatus
from baton.pydantic_ai import durable
from baton.sdk.models.model import CUT_NOTE, ModelAnswer, ModelRequest, Origin, Spent, UserMessage
from baton.worker.runtime.job_view import job_view
from tests.unit.baton.kit.listening import Listening
from tests.unit.baton.sdk.pydantic_ai.played import PlayedStage
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
