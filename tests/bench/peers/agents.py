"""The agent job as Baton's user writes it: `BATON_APP=tests.bench.peers.agents:registry`.

The times of the steps are in the arguments of the calls, their results and the answer: the row reads them afterwards.
"""

import time

from baton import Agent, Call, Limits, Registry, ToolContext, tool
from baton.sdk.models.model import ModelAnswer, ModelRequest, ToolMessage, UserMessage
from tests.bench.peers import work
from tests.bench.peers.environment import set_for_children, setting

if far := setting("BENCH_STORE_URL"):
    # The stack says where its own store is; the app reads that once its agents are loaded.
    set_for_children({"UPSTASH_REDIS_REST_URL": far})


@tool
async def lookup(q: str, n: int, ctx: ToolContext, at: str = "") -> str:
    """Look something up."""
    await work.pause(ctx.job_id)
    work.note(ctx.job_id, f"tool-c{n}", "end")
    return f"{work.TOOL_TEXT}ts={time.monotonic_ns()};"


class Scripted:
    """A model that knows its calls beforehand. `reads_history`: whether it is told all that was said, as a real one."""

    name = "bench"

    def __init__(self, variant: str, *, reads_history: bool) -> None:
        self.reads_history = reads_history
        self._variant = variant

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        job = next((str(one.data.get("name", "")) for one in request.messages if isinstance(one, UserMessage)), "")
        await work.pause(job)
        turns_before = request.turn - 1
        done = turns_before if self._variant == "seq" else turns_before * work.FAN
        if self.reads_history:
            found = sum(isinstance(message, ToolMessage) for message in request.messages)
            if found != done:
                raise ValueError(f"turn {request.turn} is told {found} results, and {done} calls were made")
        turn = work.model_step(job, self._variant, (), done)
        stamp = f"ts={turn['ts']};"
        if not turn["tool_calls"]:
            return ModelAnswer(text=f"{turn['content']}{stamp}")
        calls = [Call("lookup", call["args"]) for call in turn["tool_calls"]]
        first = Call("lookup", {**calls[0].arguments, "at": stamp})
        return ModelAnswer(calls=(first, *calls[1:]))


def _agent(name: str, variant: str, *, reads_history: bool = True) -> Agent:
    calls = work.calls_wanted(variant)
    return Agent(
        name,
        model=Scripted(variant, reads_history=reads_history),
        instructions=str(work.PROMPT[0]["content"]),
        tools=[lookup],
        limits=Limits(turns=calls + 2, tool_calls=calls + 1),
    )


registry = Registry(
    agents=[_agent("seq", "seq"), _agent("seq-unread", "seq", reads_history=False), _agent("fan", "fan")]
)
