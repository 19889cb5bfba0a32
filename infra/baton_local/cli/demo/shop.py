"""The agents of `baton demo openai`: two of OpenAI's Agents SDK, made durable by a line. Their models are scripts.

Invariant: offline; the agents themselves use the SDK alone. Imported by the app that the demo starts alone.
"""

import asyncio
import json
from typing import Any

from agents import Agent, Model, ModelResponse, RunConfig, Usage, function_tool
from openai.types.responses import ResponseFunctionToolCall as Call
from openai.types.responses import ResponseOutputMessage as Message
from openai.types.responses import ResponseOutputText

from baton.sdk.agents.registry import Registry
from baton.sdk.openai_agents.durable import durable

_LOOK_UP_SECONDS = 0.3  # long enough to be killed in


class _Script(Model):
    """Answers by the number of outputs that it reads: with calls, or at last with a text."""

    def __init__(self, turns: dict[int, list[tuple[str, dict[str, Any]]] | str]) -> None:
        self._turns = turns

    async def get_response(self, _: Any, items: Any, *__: Any, **___: Any) -> ModelResponse:
        turn = self._turns[read := sum("output" in item for item in items)]
        calls = [] if isinstance(turn, str) else turn
        output: list[Any] = [
            Call(type="function_call", call_id=f"{read}-{at}", name=name, arguments=json.dumps(given))
            for at, (name, given) in enumerate(calls)
        ]
        if isinstance(turn, str):
            text = ResponseOutputText(type="output_text", text=turn, annotations=[])
            output = [Message(id="m", type="message", role="assistant", status="completed", content=[text])]
        return ModelResponse(output=output, usage=Usage(requests=1), response_id=None)

    def stream_response(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError


@function_tool
async def price(item: str) -> int:
    """Look up a price in euros."""
    await asyncio.sleep(_LOOK_UP_SECONDS)
    return {"lamp": 20, "lens": 310}[item]


@function_tool(needs_approval=True)
def pay(euros: int) -> str:
    """Pay."""
    return f"paid {euros} euros, receipt R-7"


_prices: Any = [("price", {"item": "lamp"}), ("price", {"item": "lens"})]
payer = Agent("payer", tools=[pay], model=_Script({3: [("pay", {"euros": 330})], 4: "Paid 330 euros: receipt R-7."}))
shop = Agent("shop", tools=[price], handoffs=[payer], model=_Script({0: _prices, 2: [("transfer_to_payer", {})]}))
registry = Registry(agents=[durable(shop, run_config=RunConfig(tracing_disabled=True))])
