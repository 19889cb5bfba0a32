"""An agent as another agent's tool: a tool of its name, whose call is a job of that agent below the caller's.

Invariant: in one registry an agent is one tool, however many agents use it. Must not: run anything; the tool only names
the job to start.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from typing import Annotated, Any

from baton.sdk.agents.agent import Agent
from baton.sdk.tools.context import ToolContext, tool_context
from baton.sdk.tools.pending import Pending
from baton.sdk.tools.tool import TOOL_NAME, Tool, ToolSource, tool

_NO_TOOL_NAME = "its name must be 1 to 64 letters, digits, '_' or '-'"
_GIVES_TO = "baton_agent"
_TASK = "what it is to do, in words that make sense without this conversation."


def agent_tool(agent: Agent) -> Tool:
    """Make the tool that gives an agent a task; its result is the agent's answer, its error the agent's failure."""
    from pydantic import Field  # noqa: PLC0415 - of programs that declare tools

    async def give(task: str, ctx: ToolContext) -> Pending:
        return ctx.start(agent.name, task)

    give.__annotations__["task"] = Annotated[str, Field(min_length=1, max_length=20_000, description=_TASK)]
    return replace(tool(name=agent.name)(give), description=_description(agent))


# Takes the wait of such a call, in a library whose tools cannot return one.
HANDED: ContextVar[Callable[[Pending], Any]] = ContextVar("baton_handed_wait", default=lambda pending: pending)


def as_tool(agent: Agent) -> Callable[..., Any]:
    """Make a tool of an agent for an agent of a library: `pydantic_ai.Agent(…, tools=[as_tool(helper)])`.

    A call is a job of that agent; its result is the agent's answer. Agents of Baton have the agent itself as a tool.
    """
    if not isinstance(agent, Agent):
        raise TypeError(f"as_tool(agent): {agent!r} is not an Agent of Baton; write as_tool(durable(agent))")
    if not TOOL_NAME.fullmatch(agent.name):
        raise ValueError(f"as_tool({agent.name!r}): {_NO_TOOL_NAME}")

    async def give(task: str) -> Any:
        return HANDED.get()(tool_context().start(agent.name, task))

    give.__annotations__["task"] = agent_tool(agent).function.__annotations__["task"]
    give.__name__, give.__doc__ = agent.name, _description(agent)
    vars(give)[_GIVES_TO] = agent
    return give


def own_tools(agents: Sequence[Agent]) -> Mapping[Agent, tuple[Tool, ...]]:
    """Return each agent's own tools, with agents converted to tools; agents that cannot be one are left out."""
    used = dict.fromkeys(item for agent in agents for item in agent.tools if isinstance(item, Agent))
    made = {item: agent_tool(item) for item in used if TOOL_NAME.fullmatch(item.name)}
    return {
        agent: tuple(
            made[item] if isinstance(item, Agent) else item
            for item in agent.tools
            if not isinstance(item, ToolSource) and (not isinstance(item, Agent) or item in made)
        )
        for agent in agents
    }


def agent_tool_faults(agents: Sequence[Agent]) -> Iterator[str]:
    """Yield the faults of agents in `tools`, a line each."""
    for agent in agents:
        for item in _agents_in(agent):
            if item not in agents:
                yield (
                    f"agent {agent.name!r}: its tool {item.name!r} is an agent that is not registered;"
                    " add it to Registry(agents=[...])"
                )
            if not TOOL_NAME.fullmatch(item.name):
                yield f"agent {agent.name!r}: agent {item.name!r} cannot be a tool: {_NO_TOOL_NAME}"


def _agents_in(agent: Agent) -> Iterator[Agent]:
    functions = agent.runner.functions if agent.runner else ()
    yield from (item for item in agent.tools if isinstance(item, Agent))
    yield from (found for found in (getattr(one, _GIVES_TO, None) for one in functions) if found)


def _description(agent: Agent) -> str:
    first_line = next(iter(agent.instructions.strip().splitlines()), "")
    return agent.description.strip() or first_line.strip() or f"Give a task to the agent {agent.name!r}."
