"""The planner of `pydantic_ai_agents` by OpenAI's SDK and by LangGraph; the file NOTES has what they do."""

import asyncio
from typing import Any

from agents import Agent, RunConfig, function_tool
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware

from baton import Registry
from baton.langgraph import durable as of_langgraph
from baton.openai_agents import durable as of_openai
from baton.openai_agents import tool_context
from tests.e2e.pydantic_ai_agents import book, note
from tests.unit.baton.sdk.langgraph.example_agents import Scripted as LangGraphModel
from tests.unit.baton.sdk.openai_agents.example_agents import Scripted as OpenAIModel

TURNS: list[Any] = [[("price", {"of": "train"}), ("price", {"of": "hotel"})], [("book", {"euros": 120})], "booked"]


async def price(of: str) -> int:
    """Look up a price."""
    note(f"begin {of} {tool_context().idempotency_key}")
    await asyncio.sleep(0.7)
    note(f"end {of} for Ann")
    return 60


class SlowOpenAIModel(OpenAIModel):
    async def get_response(self, *args: Any, **given: Any) -> Any:
        answer = await super().get_response(*args, **given)
        asked = {one["call_id"].split("-")[1] for one in self.read[-1][1] if "call_id" in one}
        note(f"model {len(asked)}")
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
