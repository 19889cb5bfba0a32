"""What `durable()` refuses, and what a job has beyond a run: sessions, jobs below, streams, edits, newer records."""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import agents as sdk
import httpx
import pytest
from agents.mcp import MCPServerStdio
from openai import AsyncOpenAI

from baton import Registry
from baton.openai_agents import durable
from baton.sdk.agents.runner import JobInfo, Recorded
from baton.sdk.models.model import ModelError
from baton.sdk.openai_agents import piece
from tests.fakes.listener import FakeListener
from tests.unit.baton.kit.approval_kit import checkpoints, decide, run_for_an_hour
from tests.unit.baton.sdk.openai_agents import served_prices
from tests.unit.baton.sdk.openai_agents.example_agents import Scripted, weather
from tests.unit.baton.sdk.openai_agents.test_examples import CONFIG
from tests.unit.baton.sdk.pydantic_ai.played import PlayedStage
from tests.unit.baton.server.api.client import api_of, with_keys

REFUSED: dict[str, Any] = {
    "WebSearchTool": {"tools": [sdk.WebSearchTool()]},
    "CodeInterpreterTool": {
        "tools": [sdk.CodeInterpreterTool({"type": "code_interpreter", "container": {"type": "auto"}})]
    },
    "are named 'a'": {"handoffs": [sdk.Agent("a")]},
}


@pytest.mark.parametrize("fault", REFUSED)
def test_tools_that_act_elsewhere_and_two_agents_of_one_name_are_refused(fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        durable(sdk.Agent("a", **REFUSED[fault]))


OF_AGENT: dict[str, Any] = {"handoffs": ["b"], "tools": [served_prices.price], "output_type": asyncio.Task}
OPTIONS: dict[str, Any] = {"hooks": 1, "max_turns": "1", "retries": 1}
FAULTS = ("cannot hand off to 'b'", "function 'price'", "output_type Task", "hooks=1", "turns='1'", "no 'retries'")


@pytest.mark.parametrize(("given", "fault"), list(zip([*OF_AGENT, *OPTIONS], FAULTS, strict=True)))
def test_what_is_no_part_of_an_agent_is_refused_by_name(given: str, fault: str) -> None:
    of_agent, options = ({name: one for name, one in all_of.items() if name == given} for all_of in (OF_AGENT, OPTIONS))
    with pytest.raises(ValueError if of_agent else TypeError, match=fault):
        durable(sdk.Agent("a", **of_agent), **options)


def test_an_approval_within_an_agent_that_is_a_tool_is_refused_by_name() -> None:
    """At any depth, behind handoffs, and of a server."""

    @sdk.function_tool(needs_approval=True)
    def pay(euros: int) -> str:
        """Pay."""
        return f"paid {euros}"

    payer = sdk.Agent("payer", tools=[pay])
    server = MCPServerStdio({"command": "none"}, name="bank", require_approval="always")
    inners = [payer, sdk.Agent("a", handoffs=[payer]), sdk.Agent("b", tools=[payer.as_tool("ask", "Ask.")])]
    for inner, named in [*((one, "pay") for one in inners), (sdk.Agent("c", mcp_servers=[server]), "bank")]:
        with pytest.raises(ValueError, match=f"whose '{named}' a person approves; register that agent"):
            durable(sdk.Agent("outer", tools=[inner.as_tool("inner", "Do.")]))
    durable(sdk.Agent("outer", tools=[sdk.Agent("inner", tools=[weather]).as_tool("inner", "Do.")]))


async def test_calls_of_a_server_are_steps_and_it_is_connected_once(tmp_path: Path) -> None:
    """Also those that a person approves."""
    params: Any = {"command": sys.executable, "args": [served_prices.__file__, str(tmp_path / "starts")]}
    server = MCPServerStdio(params, require_approval="always")
    model = Scripted("a", [("price", {"item": "tea"}), ("price", {"item": "ice"})], "ok")
    agent = sdk.Agent("a", model=model, mcp_servers=[server])
    async with api_of(PlayedStage(registry=Registry([durable(agent, run_config=CONFIG)]), settings=with_keys())) as api:
        for _ in range(2):
            job_id = (await api.submitted(jobType="a"))["id"]
            await run_for_an_hour(api)
            for asked in await checkpoints(api, job_id):
                item = {"ice": "milk"}.get(asked["arguments"]["item"], "tea")
                assert (await decide(api, asked, arguments={"item": item})).status_code == 200
            await api.stage.run()
            job = await api.read(job_id)
            assert (job["result"]["answer"], len(job["toolCalls"])) == ("ok", 2)
    assert [item["output"][0]["text"] for item in model.read[-1][1] if "output" in item] == ["tea: 20", "milk: 20"]
    assert (tmp_path / "starts").read_text() == "start\n"
    for manager in piece._CONNECTED[asyncio.get_running_loop()].values():
        await manager.cleanup_all()


def of_client(kind: Any, answer: Callable[[httpx.Request], httpx.Response]) -> Any:
    made: Any = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    client = AsyncOpenAI(api_key="x", base_url="https://x.test", http_client=made)
    return durable(sdk.Agent("a", model=kind("m", client)), run_config=CONFIG).runner


STREAM = {"content-type": "text/event-stream"}
JOB = Recorded(JobInfo(job_id="job_1", session_id="s", tenant="t", task="Pay."))
ENDS = {"error": (1, 10, 5), "new_one": (1, 10, 5), "length": "cut", "stop": "whole", "tool_calls": "whole"}


@pytest.mark.parametrize("listens", [True, False])
@pytest.mark.parametrize("word", ENDS)
async def test_the_word_of_chat_completions_for_the_end_of_an_answer_counts(word: str, *, listens: bool) -> None:
    """What is broken is asked for again, and counts; what is cut off has a mark."""

    def answer(request: httpx.Request) -> httpx.Response:
        head = {"id": "c", "created": 1, "model": "m", "object": "chat.completion.chunk"}
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        said = {"index": 0, "finish_reason": word, "message": {"role": "assistant", "content": "Pay 40"}}
        if not json.loads(request.content).get("stream"):
            return httpx.Response(200, json=head | {"usage": usage, "choices": [said]})
        chunks = [head | {"choices": [said | {"delta": said["message"]}]}, head | {"choices": [], "usage": usage}]
        text = "".join(f"data: {json.dumps(one)}\n\n" for one in chunks)
        return httpx.Response(200, headers=STREAM, text=f"{text}data: [DONE]\n\n")

    runner = of_client(sdk.OpenAIChatCompletionsModel, answer)
    try:
        found: Any = "cut" if (await runner.turn(JOB, FakeListener() if listens else None)).answer.is_cut else "whole"
    except ModelError as error:
        found = error.retryable and (error.spent.model_calls, error.spent.input_tokens, error.spent.output_tokens)
    assert found == ENDS[word]


BROKEN = {"failed": (True, 5), "incomplete": (False, 5), "cancelled": (True, 0), "error": (True, 0)}


@pytest.mark.parametrize("end", BROKEN)
async def test_a_stream_of_responses_without_its_end_is_no_answer(end: str) -> None:
    """It is asked for again, unless its length limit has cut it off; what it has used counts."""
    said = {"id": "r", "output": [], "usage": {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}}
    event = {"type": "error" if end == "error" else f"response.{end}", "sequence_number": 1, "response": said}
    answer = httpx.Response(200, headers=STREAM, text=f"event: {event['type']}\ndata: {json.dumps(event)}\n\n")
    with pytest.raises(ModelError) as raised:
        await of_client(sdk.OpenAIResponsesModel, lambda _: answer).turn(JOB, FakeListener())
    assert (raised.value.retryable, raised.value.spent.output_tokens) == BROKEN[end]
