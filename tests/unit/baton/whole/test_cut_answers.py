"""Jobs and chats whose model is cut off by its length limit: what people, clients and later models see of it."""

import json
from typing import Any

from baton import Agent, Call, Limits, Registry, ScriptedModel
from baton.engine.transitions import JobStatus
from baton.models.model import CUT_NOTE, ModelAnswer, ModelRequest, Origin, UserMessage
from baton.runtime.job_view import job_view
from tests.unit.baton.kit.listening import Listening
from tests.unit.baton.pydantic_ai.played import PlayedStage
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
    assert shown["result"] == {"answer": "", "stoppedBy": "turns"}
    assert [call["error"]["type"] for call in shown["toolCalls"]] == ["answer_cut"]


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
        count: Any = float("nan")
        return ModelAnswer("ok", (), count, 1)

    shown, _ = await view_of(Agent("a", Listening(odd), model_retries=1))
    assert (shown["status"], shown["error"]["type"], len(asked)) == ("failed", "unrecordable", 2)
    assert isinstance(asked[0].messages[0], UserMessage)
