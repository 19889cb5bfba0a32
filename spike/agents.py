"""The benchmark's agents, and fan-outs of any size: `BATON_APP=spike.agents:registry`."""

import time

from baton import Agent, Call, Limits, Registry
from functions.models.model import ModelAnswer, ModelRequest, ToolMessage, UserMessage
from tests.bench.peers import work
from tests.bench.peers.agents import lookup

FANS = (1, 10, 64, 500)


class Scripted:
    """One turn of so many calls, or `turns` turns of one; checks that it is told every result."""

    name = "spike"

    def __init__(self, fan: int, turns: int, *, reads_history: bool = True) -> None:
        self._fan, self._turns, self.reads_history = fan, turns, reads_history

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """Ask, or answer."""
        done = request.turn - 1
        if self.reads_history:
            told = sum(isinstance(message, ToolMessage) for message in request.messages)
            if told != done * self._fan:
                raise ValueError(f"turn {request.turn} is told {told} results, and {done * self._fan} calls were made")
            if not any(isinstance(message, UserMessage) for message in request.messages):
                raise ValueError("the task is not told")
        stamp = f"ts={time.monotonic_ns()};"
        if done >= self._turns:
            return ModelAnswer(text=f"{work.ANSWER}{stamp}")
        calls = [Call("lookup", work.arguments(done * self._fan + n)) for n in range(self._fan)]
        return ModelAnswer(calls=(Call("lookup", {**calls[0].arguments, "at": stamp}), *calls[1:]))


def _agent(name: str, fan: int, turns: int, *, reads_history: bool = True) -> Agent:
    return Agent(
        name, model=Scripted(fan, turns, reads_history=reads_history), instructions=str(work.PROMPT[0]["content"]),
        tools=[lookup], limits=Limits(turns=turns + 2, tool_calls=fan * turns + 1, tokens=100_000_000),
    )


registry = Registry(
    agents=[
        _agent("seq", 1, 5), _agent("long", 1, 200), _agent("long-unread", 1, 200, reads_history=False),
        *(_agent(f"fan{size}", size, 1) for size in FANS),
    ]
)
