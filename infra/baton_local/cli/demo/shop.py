"""The agents of `baton demo openai`: two of OpenAI's Agents SDK, made durable by a line. Their models are scripts.

Invariant: offline. Imported by the app that the demo starts alone.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from agents import Agent, Model, ModelResponse, RunConfig, Usage, function_tool
from openai.types.responses import ResponseFunctionToolCall as Call
from openai.types.responses import ResponseOutputMessage as Message
from openai.types.responses import ResponseOutputText

from baton.sdk.agents.registry import Registry
from baton.sdk.openai_agents.piece import completed
from baton.sdk.openai_agents.runner import durable

_SHOP = {0: [("price", {"item": "lamp"}), ("price", {"item": "lens"})], 2: [("transfer_to_payer", {})]}


class _Script(Model):
    def __init__(self, turns: dict[int, Any]) -> None:
        self._turns = turns

    async def get_response(self, system_instructions: Any, input: Any, *_: Any, **__: Any) -> ModelResponse:  # noqa: A002, ARG002 - its names
        turn = self._turns[read := sum("output" in item for item in input)]
        output: list[Any] = [
            Call(type="function_call", call_id=f"{read}-{at}", name=name, arguments=json.dumps(given))
            for at, (name, given) in enumerate([] if isinstance(turn, str) else turn)
        ]
        if isinstance(turn, str):
            text = ResponseOutputText(type="output_text", text=turn, annotations=[])
            output = [Message(id="m", type="message", role="assistant", status="completed", content=[text])]
        return ModelResponse(output=output, usage=Usage(requests=1), response_id=None)

    async def stream_response(self, *args: Any, **given: Any) -> AsyncIterator[Any]:
        yield completed((await self.get_response(*args, **given)).output, None)


@function_tool
async def price(item: str) -> int:
    """Look up a price in euros."""
    await asyncio.sleep(0.3)  # long enough to be killed in
    return {"lamp": 20, "lens": 310}[item]


@function_tool(needs_approval=True)
def pay(euros: int) -> str:
    """Pay."""
    return f"paid {euros} euros, receipt R-7"


payer = Agent("payer", tools=[pay], model=_Script({3: [("pay", {"euros": 330})], 4: "Paid 330 euros: receipt R-7."}))
shop = Agent("shop", tools=[price], handoffs=[payer], model=_Script(_SHOP))
registry = Registry(agents=[durable(shop, run_config=RunConfig(tracing_disabled=True))])
