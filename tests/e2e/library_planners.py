"""The planner of `pydantic_ai_agents` by OpenAI's SDK and by LangGraph; the file NOTES has what they do."""

import asyncio
import os
from pathlib import Path
from typing import Any

from agents import Agent, RunConfig, function_tool
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware

from baton import Registry
from baton.langgraph import durable as of_langgraph
from baton.openai_agents import durable as of_openai
from baton.openai_agents import tool_context
from tests.unit.baton.sdk.langgraph.example_agents import Scripted as LangGraphModel
from tests.unit.baton.sdk.openai_agents.example_agents import Scripted as OpenAIModel

NOTES = Path(os.environ["NOTES"])  # noqa: TID251 - a user's tool may read its environment
TURNS: list[Any] = [[("price", {"of": "train"}), ("price", {"of": "hotel"})], [("book", {"euros": 120})], "booked"]


def note(text: str) -> None:
    with NOTES.open("a") as file:
        file.write(f"{text}\n")


async def price(of: str) -> int:
    """Look up a price."""
    note(f"begin {of} {tool_context().idempotency_key}")
    await asyncio.sleep(0.7)
    note(f"end {of} for Ann")
    return 60


async def book(euros: int) -> str:
    """Book the trip."""
    note(f"book {tool_context().idempotency_key}")
    await asyncio.sleep(0.7)
    return f"booked for {euros} euros"


class SlowOpenAIModel(OpenAIModel):
    async def get_response(self, instructions: Any, items: Any, *args: Any, **given: Any) -> Any:
        answer = await super().get_response(instructions, items, *args, **given)
        note(f"model {len({one['call_id'].split('-')[1] for one in items if 'call_id' in one})}")
        await asyncio.sleep(0.7)
        return answer


class SlowLangGraphModel(LangGraphModel):
    async def _agenerate(self, messages: Any, *args: Any, **given: Any) -> Any:
        note(f"model {sum(one.type == 'ai' for one in messages)}")
        await asyncio.sleep(0.7)
        return self._generate(messages)


tools: list[Any] = [function_tool(price), function_tool(book, needs_approval=True)]
openai_planner = Agent("openai-planner", model=SlowOpenAIModel("job", *TURNS), tools=tools)
langgraph_planner = create_agent(
    SlowLangGraphModel(turns=TURNS),
    [price, book],
    middleware=[HumanInTheLoopMiddleware(interrupt_on={"book": True})],
    name="langgraph-planner",
)
registry = Registry(
    [of_openai(openai_planner, run_config=RunConfig(tracing_disabled=True)), of_langgraph(langgraph_planner)]
)
