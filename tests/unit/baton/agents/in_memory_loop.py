"""The smallest loop that runs an agent: for tests of agents, without queue and store."""

from dataclasses import dataclass, field

from baton.agents.agent import Agent
from baton.agents.registry import Registry
from baton.models.model import (
    Call,
    Message,
    ModelAnswer,
    ModelMessage,
    ModelRequest,
    PastCall,
    ToolMessage,
    UserMessage,
)
from baton.tools.arguments import InvalidArguments
from baton.tools.context import ToolContext
from baton.tools.tool import Tool
from baton.tools.tool_error import ToolError


@dataclass
class Ran:
    answer: str = ""
    turns: int = 0
    calls: list[Call] = field(default_factory=list)
    results: list[ToolMessage] = field(default_factory=list)


async def run_agent(agent: Agent, task: str, *, job_id: str = "job") -> Ran:
    """Run turns until an answer comes; every call is checked as in a real job."""
    registry = Registry(agents=[agent])
    model, tools, ran = registry.model_of(agent), registry.tools_of(agent), Ran()
    messages: list[Message] = [UserMessage(task)]
    while ran.turns < agent.limits.turns:
        ran.turns += 1
        request = ModelRequest(agent.instructions, tuple(messages), registry.specs_of(agent), ran.turns)
        answer = await model.answer(request)
        if not answer.calls:
            ran.answer = answer.text
            return ran
        past = _past_calls(answer, job_id, ran.turns)
        results = [await _run_call(tools[call.tool], call) for call in past]
        ran.calls += answer.calls
        ran.results += results
        messages += [ModelMessage(answer.text, past), *results]
    return ran


def _past_calls(answer: ModelAnswer, job_id: str, turn: int) -> tuple[PastCall, ...]:
    return tuple(
        PastCall(f"{job_id}-{turn}-{position}", call.tool, call.arguments) for position, call in enumerate(answer.calls)
    )


async def _run_call(tool: Tool, call: PastCall) -> ToolMessage:
    try:
        result = await tool.run(
            call.arguments, ToolContext.for_test(call_id=call.call_id, idempotency_key=call.call_id)
        )
    except (ToolError, InvalidArguments) as error:
        return ToolMessage(call.call_id, call.tool, str(error), is_error=True)
    return ToolMessage(call.call_id, call.tool, result, is_error=False)
