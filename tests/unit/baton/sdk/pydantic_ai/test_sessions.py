"""A later job of a chat is told the whole messages of the earlier ones, as `message_history` tells them."""

from typing import Any

from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelResponse, TextPart, ThinkingPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from baton import Agent as BatonAgent
from baton import Registry, ScriptedModel
from baton.pydantic_ai import durable
from tests.unit.baton.sdk.pydantic_ai.played import PlayedStage, call, comparable, scripted
from tests.unit.baton.server.api.client import OTHER, Api, api_of, assert_problem, with_keys
from tests.unit.baton.server.api.sessions.chatting import job_of, send


def thinking() -> Agent[Any, Any]:
    def answer(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        turn = sum(isinstance(message, ModelResponse) for message in messages)
        match turn:
            case 0:
                thought = ThinkingPart("first look", signature="sig")
                return ModelResponse([thought, call("look", "one")], metadata={"mood": "curious"})
            case 1:
                return ModelResponse([TextPart("seen")])
            case _:
                return ModelResponse([TextPart(f"told {len(messages)} messages")])

    agent = Agent(FunctionModel(answer), name="thinks", system_prompt="Be kind.")

    @agent.tool_plain
    def look() -> dict[str, str]:
        return {"seen": "much"}

    return agent


async def messages(api: Api, job_id: str) -> list[ModelMessage]:
    answer = await api.request("GET", f"/api/agent-jobs/{job_id}/model-messages")
    assert answer.status_code == 200, answer.text
    return ModelMessagesTypeAdapter.validate_python(answer.json()["messages"])


async def test_a_later_job_is_told_tool_calls_and_thoughts() -> None:
    agent = thinking()
    first = await agent.run("look")
    second = await agent.run("and?", message_history=first.all_messages())
    third = await agent.run("so?", message_history=second.all_messages())
    stage = PlayedStage(registry=Registry([durable(thinking())]), settings=with_keys())
    async with api_of(stage) as api:
        jobs = [
            job_of(await send(api, "c", f"m{n}", text, agent="thinks"))
            for n, text in enumerate(["look", "and?", "so?"])
        ]
        for job_id, run in zip(jobs, (first, second, third), strict=True):
            assert (await api.read(job_id))["result"]["output"] == run.output
            assert comparable(await messages(api, job_id)) == comparable(run.new_messages())


async def test_messages_that_do_not_fit_are_told_as_texts(monkeypatch: Any) -> None:
    monkeypatch.setattr("baton.worker.executors.remembering.WHOLE_BYTES", 500)
    found: list[list[str]] = []

    def greet(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        found.append([part.part_kind for message in messages for part in message.parts])
        return ModelResponse([TextPart("hello")])

    agent = Agent(FunctionModel(greet), name="greets", system_prompt="Be kind.")
    stage = PlayedStage(registry=Registry([durable(agent)]), settings=with_keys())
    async with api_of(stage) as api:
        await send(api, "c", "m1", "hi", agent="greets")
        job = job_of(await send(api, "c", "m2", "hi again", agent="greets"))
        session = next(one for one in await stage.reader.transcript(job) if one["role"] == "session")
        assert session["exchanges"][0]["answer"] == "hello"
        assert "messages" not in session["exchanges"][0]
    assert found == [["system-prompt", "user-prompt"], ["system-prompt", "user-prompt", "text", "user-prompt"]]


async def test_messages_are_for_those_who_may_see_the_job() -> None:
    own = BatonAgent("own", model=ScriptedModel(["done"]))
    stage = PlayedStage(
        registry=Registry([durable(Agent(scripted("hello"), name="greets")), own]), settings=with_keys()
    )
    async with api_of(stage) as api:
        job_id, other = [(await api.submitted(jobType=name))["id"] for name in ("greets", "own")]
        path = f"/api/agent-jobs/{job_id}/model-messages"
        await stage.run()
        assert_problem(await api.request("GET", path, OTHER), 403)
        assert_problem(await api.request("GET", path, ""), 401)
        assert_problem(await api.request("GET", f"/api/agent-jobs/{other}/model-messages"), 404)
