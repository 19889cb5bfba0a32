"""What an answer is once it is taken: ids of its own, storable texts, its size; and what it has used if it is not."""

import json
from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ThinkingPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import RequestUsage

from baton.engine.transitions import JobStatus
from baton.pydantic_ai import durable
from baton.sdk.models.catalog import ProviderModel
from baton.sdk.models.model import (
    ANSWER_LIMIT_BYTES,
    ModelAnswer,
    ModelError,
    ModelRequest,
    PastCall,
    Spent,
    ToolMessage,
    ToolSpec,
)
from baton.sdk.models.model import ModelMessage as OurMessage
from baton.sdk.models.through_pydantic_ai.whole import ChatChunks
from tests.fakes.listener import FakeListener
from tests.unit.baton.sdk.models.through_pydantic_ai.provider_cases import OPENAI_CHAT
from tests.unit.baton.sdk.models.through_pydantic_ai.recorded_streams import USAGE, chunk, unnamed
from tests.unit.baton.sdk.models.through_pydantic_ai.requesting import QUESTION, requesting
from tests.unit.baton.sdk.pydantic_ai.played import played

PING = ToolSpec("ping", "Ping.", {"type": "object", "properties": {}})
FIND = ToolSpec("find", "Find.", {"type": "object", "properties": {"city": {"type": "string"}}})


async def streamed(events: tuple[bytes, ...], messages: Any = (QUESTION,), listener: Any = None) -> ModelAnswer:
    with requesting(OPENAI_CHAT) as requested:
        requested.streams(events)
        return await requested.answer(*messages, tools=(PING, FIND), listener=listener or FakeListener())


def calling(tool: str, arguments: str | None, call_id: str = "c", index: int = 0) -> dict[str, Any]:
    function = {"name": tool, "arguments": arguments}
    return chunk({"tool_calls": [{"index": index, "id": call_id, "type": "function", "function": function}]})


@pytest.mark.parametrize("text", ["null", "[]", "", " \n", None, "{}", "[ ]".replace(" ", "")])
async def test_no_arguments_in_any_form_are_none(text: str | None) -> None:
    (call,) = (await streamed(unnamed(calling("ping", text), chunk({}, "tool_calls")))).calls
    assert (call.arguments, call.fault) == ({}, "")


@pytest.mark.parametrize("text", ["[]", "[1]", '"Ulm"', "7", '{"city": "Ul'])
async def test_arguments_that_are_no_object_are_no_arguments_for_a_tool_that_has_some(text: str) -> None:
    (call,) = (await streamed(unnamed(calling("find", text), chunk({}, "tool_calls")))).calls
    assert call.fault.endswith(f"got {text}")


async def test_two_calls_of_one_id_have_ids_of_their_own_where_the_provider_gets_its_answer_back() -> None:
    """Also those of the turns before."""
    body = unnamed(
        chunk({"reasoning_content": "hm"}),
        calling("find", '{"city": "Ulm"}', "find:0"),
        calling("find", '{"city": "Bonn"}', "find:0", 1),
        chunk({}, "tool_calls"),
    )
    first = await streamed(body)

    def turn(answer: ModelAnswer, number: int) -> list[Any]:
        calls = [PastCall(f"{number}{at}", call.tool, call.arguments) for at, call in enumerate(answer.calls)]
        return [
            OurMessage("", tuple(calls), answer.provider),
            *(ToolMessage(call.call_id, call.tool, "there") for call in calls),
        ]

    second = await streamed(body, messages=[QUESTION, *turn(first, 1)])
    with requesting(OPENAI_CHAT) as requested:
        requested.answers(OPENAI_CHAT.plain("done"))
        await requested.answer(QUESTION, *turn(first, 1), *turn(second, 2))
        sent = requested.sent()["messages"]
    ids = [call["id"] for message in sent for call in message.get("tool_calls", ())]
    assert len(ids) == len(set(ids)) == 4
    assert ids[0] == "find:0"  # the first one keeps its own
    assert ids == [message["tool_call_id"] for message in sent if message["role"] == "tool"]


async def test_halves_of_an_emoji_are_joined_in_the_answer_and_in_its_stream() -> None:
    listener = FakeListener()
    pieces = ("good \ud83d", "\ude00 day \ud800", "!")
    answer = await streamed(unnamed(*(chunk({"content": one}) for one in pieces), chunk({}, "stop")), listener=listener)
    assert answer.text == listener.text == "good \U0001f600 day \ufffd!"


def made_of(parts: list[Any]) -> ModelResponse:
    return ModelResponse(parts, provider_details={"a": {"b": "\udc00"}}, usage=RequestUsage(input_tokens=1))


async def test_half_a_character_anywhere_in_an_answer_can_be_stored() -> None:
    parts = [ThinkingPart("\ud83d\ude00"), ToolCallPart("find", {"city\ud800": ["\ud83d\ude00"]}, "c")]
    made = FunctionModel(lambda _messages, _info: made_of(parts))
    answer = await ProviderModel("function:x", made).answer(ModelRequest("", (QUESTION,), (FIND,), 1))
    assert answer.calls[0].arguments == {"city\ufffd": ["\U0001f600"]}
    assert "\U0001f600" in json.dumps(answer.provider, ensure_ascii=False).encode().decode()


async def test_an_answer_over_the_size_limit_fails_once() -> None:
    pieces = [chunk({"content": "x" * 100_000})] * 11
    with pytest.raises(ModelError, match=rf"1100000 bytes of answer, over the limit of {ANSWER_LIMIT_BYTES}") as caught:
        await streamed(unnamed(*pieces, chunk({}, "stop")))
    assert (caught.value.retryable, caught.value.type) == (False, "answer_too_large")


@pytest.mark.parametrize("usages", [[(10, 1), (10, 2), (10, 3)], [(10, 0), None, (10, 3)], [None, None, (10, 3)]])
async def test_usage_in_each_chunk_is_that_of_the_answer_so_far(usages: list[tuple[int, int] | None]) -> None:
    def usage(one: tuple[int, int] | None) -> dict[str, Any]:
        if one is None:
            return {}
        return {"usage": {"prompt_tokens": one[0], "completion_tokens": one[1], "total_tokens": sum(one)}}

    answer = await streamed(unnamed(*(chunk({"content": "a"}, **usage(one)) for one in usages), chunk({}, "stop")))
    assert (answer.input_tokens, answer.output_tokens) == (10, 3)


async def test_usage_in_a_chunk_that_says_something_is_no_end_mark() -> None:
    """The library has read the first chunk before anybody can watch: this one is the second."""
    said = chunk({"content": "Pay 40"}), chunk({"content": "00"}, usage=USAGE)
    with pytest.raises(ModelError, match="end mark") as caught:
        await streamed(unnamed(*said, done=False))
    assert caught.value.spent == Spent(1, 100, 10, caught.value.spent.cost_usd)


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ((chunk({"refusal": "I may not help"}), chunk({"refusal": " with locks."}), chunk({}, "stop")), "with locks."),
        ((chunk({"content": "First"}), chunk({}, "content_filter")), "First"),
        ((chunk({"content": ""}), chunk({}, "stop")), "neither text nor tool calls"),
        ((chunk({"reasoning_content": "hm"}), chunk({}, "length")), "max_tokens"),
    ],
)
async def test_what_is_not_taken_is_counted_and_its_words_are_kept(events: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        await streamed(unnamed(*events, chunk(usage=USAGE)))
    assert caught.value.retryable is (message == "neither text nor tool calls")
    assert caught.value.spent == Spent(1, 100, 10, caught.value.spent.cost_usd)


async def test_the_private_names_that_tell_the_end_of_a_stream_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one is gone, a server without finish reasons is judged by its usage alone."""
    found, make = list[ChatChunks](), ChatChunks.__init__

    def init(self: ChatChunks, stream: Any) -> None:
        make(self, stream)
        found.append(self)

    monkeypatch.setattr(ChatChunks, "__init__", init)
    await streamed(unnamed(chunk({"content": "a"})))
    assert [(chunks.is_watched, chunks.have_end_mark) for chunks in found] == [(True, True)]


def cutting(*responses: ModelResponse) -> FunctionModel:
    def answer(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        return responses[sum(isinstance(message, ModelResponse) for message in messages)]

    return FunctionModel(answer)


async def test_no_call_of_a_cut_answer_of_a_durable_agent_runs_and_its_model_is_told() -> None:
    cut = ModelResponse([ToolCallPart("purge", '{"older_tha', "c")], finish_reason="length")
    told: list[Any] = []

    def answer(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        told.extend(part for one in messages for part in one.parts if isinstance(part, ToolReturnPart))
        return ModelResponse([TextPart("done")]) if told else cut

    agent, ran = Agent(FunctionModel(answer), name="purges"), list[int]()

    @agent.tool_plain
    def purge(older_than_days: int = 0) -> str:
        ran.append(older_than_days)
        return "purged"

    snapshot = await played(durable(agent))
    assert (snapshot.job.result, ran) == ({"answer": "done", "output": "done"}, [])
    assert "cut off" in told[0].content
    assert [(call.status, call.error.type if call.error else "") for call in snapshot.calls] == [
        ("failed", "answer_cut")
    ]


async def test_a_cut_text_of_a_durable_agent_is_its_answer_with_a_mark() -> None:
    agent = Agent(cutting(ModelResponse([TextPart("Three things: first")], finish_reason="length")), name="says")
    job = (await played(durable(agent))).job
    assert job.result == {"answer": "Three things: first", "cut": True, "output": "Three things: first"}


async def test_a_cut_output_of_a_durable_agent_is_not_kept() -> None:
    """Neither by the tool for it, nor as a text that its type makes something of."""
    cut = ModelResponse([ToolCallPart("final_result", {"response": 4}, "c")], finish_reason="length")
    whole = ModelResponse([ToolCallPart("final_result", {"response": 4_000}, "d")])
    agent: Agent[None, int] = Agent(cutting(cut, whole), name="counts", output_type=int)
    job = (await played(durable(agent))).job
    assert (job.status, (job.result or {}).get("output")) == (JobStatus.COMPLETED, 4_000)
