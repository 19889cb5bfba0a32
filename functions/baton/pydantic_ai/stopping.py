"""What a piece of a run has beside what the agent has: it stops before calls that are made elsewhere, and counts on."""

from dataclasses import dataclass
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.exceptions import CallDeferred
from pydantic_ai.messages import ModelResponse
from pydantic_ai.tools import DeferredToolRequests, RunContext, Tool, ToolDefinition
from pydantic_ai.toolsets import AbstractToolset, FunctionToolset


def leaf_toolsets(agent: Agent[Any, Any]) -> list[AbstractToolset[Any]]:
    """The toolsets that the agent's own are made of."""
    leaves: list[AbstractToolset[Any]] = []
    for toolset in agent.toolsets:
        toolset.apply(leaves.append)
    return leaves


def function_tools(agent: Agent[Any, Any]) -> list[Tool[Any]]:
    """The agent's tools that are functions, as they are before a run, under their own names."""
    return [tool for leaf in leaf_toolsets(agent) if isinstance(leaf, FunctionToolset) for tool in leaf.tools.values()]


class StoppedError(Exception):
    """The run has calls that need somebody else: a person, or another piece of work."""

    def __init__(self, requests: DeferredToolRequests) -> None:
        super().__init__("the run waits for calls that are made elsewhere")
        self.requests = requests

    def ids_in(self, response: ModelResponse) -> list[str]:
        """The calls, in the order in which the model made them."""
        waiting = {part.tool_call_id for part in (*self.requests.calls, *self.requests.approvals)}
        return [part.tool_call_id for part in response.tool_calls if part.tool_call_id in waiting]


@dataclass(init=False)
class Piece(AbstractCapability[Any]):
    """One piece of a run. `retries`: of each tool, in the pieces before; `answer`: whose call it makes; None: none."""

    def __init__(self, retries: dict[str, int], answer: ModelResponse | None = None) -> None:
        self._retries = retries
        self._answer = answer

    async def prepare_tools(self, ctx: RunContext[Any], tool_defs: list[ToolDefinition]) -> list[ToolDefinition]:
        """Count on with the retries in the first step."""
        ctx.retries.update(self._retries)
        self._retries = {}
        return tool_defs

    async def before_tool_validate(self, ctx: RunContext[Any], **given: Any) -> Any:
        """Show a tool the other calls of the answer, too."""
        if self._answer is not None:
            ctx.messages[-1] = self._answer
        return given["args"]

    async def before_tool_execute(self, ctx: RunContext[Any], **given: Any) -> dict[str, Any]:  # noqa: ARG002 - a hook
        """Make no call in a turn."""
        if self._answer is None:
            raise CallDeferred
        args: dict[str, Any] = given["args"]
        return args

    async def handle_deferred_tool_calls(self, ctx: RunContext[Any], *, requests: DeferredToolRequests) -> None:  # noqa: ARG002 - a hook
        """Stop at calls that nobody has handled: their results come in another piece of work."""
        raise StoppedError(requests)
